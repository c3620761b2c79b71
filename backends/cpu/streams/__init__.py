"""One image, step by step, with a state that can be kept."""
