"""Mixer-SNN: its network, and its checkpoints recognised by their tensors' names."""
