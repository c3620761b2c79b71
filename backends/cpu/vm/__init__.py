"""The compiled executor of plans: its kernels, its machine code, what runs it."""
