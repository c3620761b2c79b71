"""How far the sum of a row of weights can go, exactly."""

import numpy as np

from snncc.checker.program_file import Array
from snncc.checker.values import BLOCK, Interval


def row_ends(rows: Array, least: int = 0, most: int = 1) -> Interval:
    """Ends of a row's sum in which each element is taken least to most times, block by block.

    The highest sum takes what is positive most times and what is negative least times.
    """
    low, high, count = 0, 0, max(1, BLOCK // rows.shape[-1])
    for block in (rows[i : i + count] for i in range(0, len(rows), count)):
        low = min(low, -largest_sum(block, -least, most))
        high = max(high, largest_sum(block, most, -least))
    return low, high


def largest_sum(rows: Array, above: int, below: int) -> int:
    """The largest sum of sizes in a row: above times what is positive, below times the rest.

    From sums of upper and of lower bits, which 64 bits hold; Python's integers put them together.
    """
    found: list[tuple[Array, Array]] = []
    for sign in (1, -1):
        upper = lower = np.zeros(len(rows), np.int64)
        for start in range(0, rows.shape[-1], BLOCK):
            wide = np.maximum(sign * rows[:, start : start + BLOCK].astype(np.int64), 0)
            upper, lower = upper + (wide >> 31).sum(axis=1), lower + (wide % 2**31).sum(axis=1)
        found.append((upper + (lower >> 31), lower % 2**31))
    if above == 0 or below == 0:  # one of the two alone: the largest upper bits decide
        (upper, lower), times = (found[0], above) if below == 0 else (found[1], below)
        top = upper.max()
        return times * ((int(top) << 31) + int(lower[upper == top].max()))
    (a, b), (c, d) = [(u.astype(object), v.astype(object)) for u, v in found]
    return int((above * ((a << 31) + b) + below * ((c << 31) + d)).max())
