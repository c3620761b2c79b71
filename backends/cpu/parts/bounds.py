"""How large the sum of a part can become on its way, whatever spikes and in whatever order.

A kernel adds, into one accumulator, the weights that active inputs select. Any partial sum, in any
order, is the sum of some of these weights: it lies between the sum of all negative and the sum of
all positive ones. So an accumulator that holds both ends never wraps, at no step on the way. Every
contribution counts as often as it is added: taps that read the same weight rows add them again.
"""

import numpy as np

from snncc.ir import Array

ROWS_AT_ONCE = 1 << 21
"""Numbers that are gathered at a time."""


def sum_bounds(begins: Array, weights: Array, inputs: int) -> tuple[int, int]:
    """Least and largest partial sum of any row, step and lane.

    A tap outside the source counts like any other, which can only widen the bounds.

    Args:
        begins: [rows, taps], the first of the weight rows that a tap selects from.
        weights: integers [steps, weight rows, lanes].
        inputs: how many weight rows follow each other in one tap.
    """
    if begins.size == 0 or weights.size == 0:
        return 0, 0
    if bool((begins == begins[:1]).all()):
        begins = begins[:1]  # every row adds the same
    low = high = 0
    for bank in weights:
        least, most, places = _of_taps(begins, bank, inputs)
        each = max(1, ROWS_AT_ONCE // (places.shape[1] * bank.shape[1]))
        for first in range(0, len(places), each):
            chosen = places[first : first + each]
            low = min(low, int(least[chosen].sum(axis=1).min()))
            high = max(high, int(most[chosen].sum(axis=1).max()))
    return low, high


def _of_taps(begins: Array, bank: Array, inputs: int) -> tuple[Array, Array, Array]:
    """Sums of the negative and of the positive weights of a tap, int64 [taps, lanes], and which."""
    if inputs == 1:
        wide = bank.astype(np.int64)
        return np.minimum(wide, 0), np.maximum(wide, 0), begins
    known, places = np.unique(begins, return_inverse=True)
    blocks = [bank[begin : begin + inputs] for begin in known]
    least = np.stack([np.minimum(block, 0).sum(axis=0, dtype=np.int64) for block in blocks])
    most = np.stack([np.maximum(block, 0).sum(axis=0, dtype=np.int64) for block in blocks])
    return least, most, places.reshape(begins.shape)
