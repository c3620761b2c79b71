"""Digits of integers: bits that are 1, and the signed ones that make a factor a few additions."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

BITS_OF_BYTE = np.array([bin(byte).count("1") for byte in range(256)], np.uint8)


def set_bits(values: NDArray[Any]) -> NDArray[np.uint8]:
    """How many bits of each integer are 1, of its magnitude where it is negative.

    NumPy has this from version 2.0 on; earlier ones get it from a table of bytes.
    """
    if hasattr(np, "bitwise_count"):
        counted: NDArray[np.uint8] = np.bitwise_count(values)
        return counted
    magnitude = np.abs(values).reshape(-1)
    octets = magnitude.view(np.uint8).reshape(-1, magnitude.dtype.itemsize)
    found: NDArray[np.uint8] = BITS_OF_BYTE[octets].sum(axis=-1, dtype=np.uint8)
    return found.reshape(values.shape)


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
