"""Recorded calls: which op a torch function is, and what becomes of its axes."""
