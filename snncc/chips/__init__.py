"""Does a program fit a chip, and on how many cores: descriptions, needs, verdicts, mappings."""
