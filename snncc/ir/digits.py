"""Canonical signed digits: how a constant factor becomes a few shifted additions."""

import numpy as np
from numpy.typing import NDArray


def signed_digits(values: NDArray[np.int64]) -> list[NDArray[np.int8]]:
    """Digits -1, 0, 1 by power of two, so that sum(digits[k] << k) is each value.

    No two neighbouring digits are nonzero: the fewest additions for a constant.
    """
    rest = values.astype(np.int64)
    digits: list[NDArray[np.int8]] = []
    while rest.any():
        odd = (rest & 1) == 1
        digit = np.where(odd, np.where((rest & 3) == 3, -1, 1), 0)
        digits.append(digit.astype(np.int8))
        rest = (rest - digit) >> 1
    return digits
