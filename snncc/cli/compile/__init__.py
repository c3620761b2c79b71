"""`snncc compile`."""
