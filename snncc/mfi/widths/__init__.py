"""The width proof: bounds of every number, and witnesses that reach them."""
