"""What the host computes fast: on words of 64 spikes, or on integers as they lie in memory."""
