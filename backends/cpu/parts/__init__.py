"""Parts of a unit: what a projection adds up, row by row."""
