"""The profile `loihi-lava`: integers within the registers of Lava's own processes."""
