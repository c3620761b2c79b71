"""Products with constants, without a multiplication."""

import numpy as np
from numpy.typing import NDArray

from snncc.execution import Ints


def times(x: Ints, digits: list[NDArray[np.int8]]) -> Ints:
    """The product with a constant as shifted additions.

    Args:
        x: the data.
        digits: of the constant, -1, 0 or 1 for each power of two, the lowest first.
    """
    total = np.zeros_like(x)
    for shift, digit in enumerate(digits):
        moved = x << shift
        total = total + np.where(digit == 0, 0, np.where(digit > 0, moved, -moved))
    return total
