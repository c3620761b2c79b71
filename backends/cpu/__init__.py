"""The CPU backend: what is decided before a program runs on this kind of machine."""
