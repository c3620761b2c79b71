"""Memory that begins where a cache line does."""

import numpy as np

from snncc.ir import Array

LINE = 64
"""Bytes of a cache line."""


def aligned(size: int) -> Array:
    """Zeroed bytes that begin at a cache line: vectors that cross lines cost twice."""
    raw = np.zeros(size + LINE, np.uint8)
    start = -raw.ctypes.data % LINE
    return raw[start : start + size]
