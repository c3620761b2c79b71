"""The ops of the three dialects, by family."""
