"""Evaluations of programs on whole data sets: shards, stores that resume, workers of a cluster."""
