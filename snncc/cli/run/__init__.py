"""`snncc run`."""
