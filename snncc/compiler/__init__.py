"""The compiler: from a trained network to an integer program."""
