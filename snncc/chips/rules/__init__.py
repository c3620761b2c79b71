"""Rules of fitting: what every family asks of neurons, and one file for each family."""
