"""Neuron modules: the known ones, their parameters, where they start."""
