"""Verdicts on graphs in real numbers: domains, rules of the traced and the spiking dialect."""
