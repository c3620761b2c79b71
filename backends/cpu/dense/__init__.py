"""Units that run as matrix products: which, with which library, how fast."""
