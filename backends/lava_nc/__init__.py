"""The Lava backend."""
