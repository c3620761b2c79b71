"""NIR, the Neuromorphic Intermediate Representation: files of networks in continuous time.

A file does not say which spikes a network gives; a convention does (`conventions.py`).
"""
