"""`snncc verify`."""
