"""Spiking state space models in step form: modules recognised by what they are made of."""
