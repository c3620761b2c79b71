"""Proofs by running or by reading code: arrays that refuse, kernels, plans, witnesses."""
