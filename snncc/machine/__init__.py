"""This machine: its free memory, the user's cache folder, who may have written files."""
