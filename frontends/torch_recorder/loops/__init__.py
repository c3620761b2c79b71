"""Models whose loop over time is Python."""
