"""Intervals of whole numbers: pairs of arrays, the least and the largest."""

from collections.abc import Sequence

import numpy as np

from snncc.ir.op import Array

Ends = tuple[Array, Array]
"""Least and largest, [*axes]."""


def summed(row: Array, ends: Sequence[Ends]) -> Ends:
    low: Array = np.zeros((), np.int64)
    high = low
    for coefficient, each in zip(row, ends, strict=True):
        less, more = scaled(coefficient, each)
        low, high = low + less, high + more
    return low, high


def scaled(coefficient: Array, ends: Ends) -> Ends:
    both = coefficient * ends[0], coefficient * ends[1]
    return np.minimum(*both), np.maximum(*both)


def rounded(x: Array, carry: int, shift: int, up: bool) -> Array:
    found: Array = -((carry - x) >> shift) if up else (x + carry) >> shift
    return found


def joined(one: Ends, other: Ends) -> Ends:
    return np.minimum(one[0], other[0]), np.maximum(one[1], other[1])


def joined_where(holds: Array, one: Ends, other: Ends) -> Ends:
    both = joined(one, other)
    return np.where(holds, both[0], one[0]), np.where(holds, both[1], one[1])


def either(one: Array, other: Array, a: Ends, b: Ends) -> Ends:
    """The hull of two intervals where both hold, else that which holds; the first for neither."""
    low = np.where(other, np.where(one, np.minimum(a[0], b[0]), b[0]), a[0])
    return low, np.where(other, np.where(one, np.maximum(a[1], b[1]), b[1]), a[1])


def span(array: Array) -> tuple[int, int]:
    return int(array.min()), int(array.max())


def largest(array: Array) -> int:
    return max(-int(array.min()), int(array.max()))


def largest_sum(row: Array, ends: Sequence[Ends]) -> int:
    pairs = zip(row, ends, strict=True)
    return sum(largest(each) * max(map(largest, pair)) for each, pair in pairs)
