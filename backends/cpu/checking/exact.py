"""Sums of products of whole numbers without rounding and without overflow."""

import numpy as np
from numpy.typing import NDArray

from snncc.backends.cpu.checking.wrong import require

Ints = NDArray[np.int64]
DOUBLE = 1 << 53
"""Floating point numbers of 64 bits hold every whole number up to here."""
LONG = 1 << 62
INT16 = (-(1 << 15), (1 << 15) - 1)
INT32 = (-(1 << 31), (1 << 31) - 1)
INT64 = (-(1 << 63), (1 << 63) - 1)


def product(a: Ints, b: Ints, modulo: bool = False) -> Ints:
    """The matrix product; in floating point where no partial sum can be rounded.

    Args:
        a: [..., n, k].
        b: [..., k, m].
        modulo: whether it may be taken modulo 2^64, as probes of wide programs are: they are
            compared with others that were.
    """
    widest = a.shape[-1] * largest(a) * largest(b)
    if widest < DOUBLE:
        rounded: NDArray[np.float64] = np.matmul(a.astype(np.float64), b.astype(np.float64))
        return rounded.astype(np.int64)
    if widest >= LONG and not modulo:
        reach = np.matmul(np.abs(a).astype(np.float64), np.abs(b).astype(np.float64))
        holds = float(reach.max(initial=0)) < LONG
        require(holds, "numbers are so large that they cannot be checked")
    whole: Ints = np.matmul(a, b)
    return whole


def largest(a: Ints) -> int:
    """The largest magnitude, as a Python integer."""
    return max(-int(a.min(initial=0)), int(a.max(initial=0)))


def within(low: Ints, high: Ints, bounds: tuple[int, int], what: str) -> None:
    """Refuses an interval that a number format does not hold."""
    least, most = int(low.min(initial=0)), int(high.max(initial=0))
    require(
        bounds[0] <= least and most <= bounds[1],
        f"{what} can reach {least}..{most}, its format holds {bounds[0]}..{bounds[1]}",
    )
