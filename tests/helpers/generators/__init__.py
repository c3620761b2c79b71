"""Programs and networks at random, made of moves that can be put together; see `programs`."""
