"""What the traced and the spiking dialect mean in real numbers: float64 executors in NumPy."""
