"""Antialiased resizing from its definition: two passes of fixed-point sums, rounded to bytes."""

import math
from collections.abc import Callable

import numpy as np

Kernel = Callable[[float], float]


def bilinear(x: float) -> float:
    return max(0.0, 1.0 - abs(x))


def bicubic(x: float) -> float:
    x = abs(x)
    if x < 1.0:
        return (1.5 * x - 2.5) * x * x + 1.0
    return ((-0.5 * x + 2.5) * x - 4.0) * x + 2.0 if x < 2.0 else 0.0


def resampled(pixels: np.ndarray, length: int, kernel: Kernel, reach: float) -> np.ndarray:
    """[given, ...] to [length, ...] along the first axis."""
    given = pixels.shape[0]
    scale = given / length
    wide = max(scale, 1.0)  # a kernel as wide as the step: that is what antialiasing means
    out = np.empty((length, *pixels.shape[1:]), np.uint8)
    for i in range(length):
        centre = (i + 0.5) * scale
        first = max(0, int(centre - reach * wide + 0.5))
        last = min(given, int(centre + reach * wide + 0.5))
        weights = [kernel((k - centre + 0.5) / wide) for k in range(first, last)]
        total = sum(weights)
        fixed = [math.floor(w / total * 2**22 + 0.5) for w in weights]
        rows = pixels[first:last].astype(np.int64)
        sums = (np.array(fixed).reshape(-1, *[1] * (rows.ndim - 1)) * rows).sum(axis=0)
        out[i] = np.clip((sums + 2**21) >> 22, 0, 255)
    return out


def resized(
    pixels: np.ndarray, height: int, width: int, kernel: Kernel, reach: float
) -> np.ndarray:
    """[h, w, c], across first and then down."""
    across = resampled(pixels.swapaxes(0, 1), width, kernel, reach).swapaxes(0, 1)
    return resampled(across, height, kernel, reach)
