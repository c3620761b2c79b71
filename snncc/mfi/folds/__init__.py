"""The fold proof: integer comparisons beside the BatchNorm and threshold they stand for."""
