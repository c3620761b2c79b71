"""From real weights to integers: units, rounding that uses calibration images, lowering."""
