"""Weights from files: read as data, never run; chosen, renamed and fitted to a network."""
