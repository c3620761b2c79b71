"""What people call from Python. Import it from `snncc`; docs/python.md describes it."""
