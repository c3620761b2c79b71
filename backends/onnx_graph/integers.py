"""Which integers of ONNX hold what: types by proved bounds, digits of weights."""

from dataclasses import dataclass

import numpy as np

from snncc.backends.onnx_graph.value import Dtype
from snncc.ir import Array

INT32, INT64 = np.dtype(np.int32), np.dtype(np.int64)
MOST_32, MOST_64 = (1 << 31) - 1, (1 << 63) - 1
BYTE = 255
ZERO_POINT = 128
"""Signed bytes are stored as unsigned ones with this added; ONNX takes it off again."""
DIGIT_BITS = (8, 4, 2)


def type_for(*numbers: int) -> Dtype:
    """The narrower of int32 and int64 that holds every number."""
    return INT32 if all(-MOST_32 - 1 <= n <= MOST_32 for n in numbers) else INT64


def type_of(bounds: tuple[int, int] | None) -> Dtype:
    """The type of a value with a declared interval."""
    return INT64 if bounds is None else type_for(*bounds)


@dataclass(frozen=True)
class Planes:
    """Weights as digits: the sum over planes of digit << (place * bits).

    Attributes:
        digits: [..., inputs] each, the lowest first.
        bits: of a digit.
        reach: what no sum of some planes, each in its place, exceeds in magnitude for one output.
    """

    digits: tuple[Array, ...]
    bits: int
    reach: int


def planes(rows: Array, most: int) -> Planes | None:
    """Weights in digits of which 32 bits hold every sum: of 8 bits, or of fewer for many inputs.

    Args:
        rows: integers [..., inputs]; what one output adds up lies along the last axis.
        most: the largest magnitude of an input.

    Returns:
        None where no digits are small enough.
    """
    for bits in DIGIT_BITS:
        digits = _digits(rows, bits)
        sums = [int(np.abs(d).sum(axis=-1, dtype=np.int64).max(initial=0)) * most for d in digits]
        if max(sums) <= MOST_32:
            reach = sum(largest << (place * bits) for place, largest in enumerate(sums))
            return Planes(digits, bits, reach)
    return None


def _digits(weight: Array, bits: int) -> tuple[Array, ...]:
    """Digits in base 2^bits, each -2^(bits-1) to 2^(bits-1)-1, the lowest first."""
    half, base = 1 << (bits - 1), 1 << bits
    found: list[Array] = []
    rest = weight.astype(np.int64)
    while not found or rest.any():
        digit = ((rest + half) & (base - 1)) - half
        found.append(digit)
        rest = (rest - digit) >> bits
    return tuple(found)
