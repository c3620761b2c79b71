"""What a product with a compile-time constant costs in shifted additions."""

import numpy as np

from snncc.ir import Array
from snncc.mfi.rules import digits_of

ASSUMED_WEIGHT_BITS = 8
"""Of the weights that the adders of a model that is not compiled yet are counted for."""
GAIN_BITS = 12
"""Likewise of gains: lowering gives them four bits more than the weights."""

CHUNK = 1 << 20
"""Numbers at a time."""


def powers_of_two(values: Array) -> bool:
    """Whether every number is 0 or a signed power of two: a shift."""
    mantissas, _ = np.frexp(np.abs(values))
    return bool(np.isin(mantissas, (0.0, 0.5)).all())


def adders_of(values: Array, bits: int) -> int:
    """Most additions beyond the first of any constant, rounded to so many signed bits."""
    largest = float(np.abs(values).max(initial=0.0))
    if largest == 0.0:
        return 0
    unit = largest / ((1 << (bits - 1)) - 1)
    found = np.zeros(1 << bits, np.bool_)
    for start in range(0, values.size, CHUNK):
        part = values.reshape(-1)[start : start + CHUNK]
        found[np.round(np.abs(part) / unit).astype(np.int64)] = True
    return max(int(digits_of(np.flatnonzero(found)).max()) - 1, 0)
