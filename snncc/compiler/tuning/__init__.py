"""Tuning: which integer each weight becomes, learned with torch from images without labels."""
