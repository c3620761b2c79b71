"""Counters of time that start again at zero when they are full."""

import numpy as np
from numpy.typing import NDArray

from snncc.events.record import Column


def unwrapped(counter: Column, bits: int) -> NDArray[np.int64]:
    """Counts without wrap-around: a fall by more than half of the range is one.

    A smaller fall is none; then time goes backwards, and whoever checks the events says so.

    Args:
        counter: values of the counter in the order of the file, in 0..2^bits - 1.
        bits: of the counter.
    """
    counts = counter.astype(np.int64)
    fell = np.diff(counts, prepend=counts[:1]) < -(1 << (bits - 1))
    return counts + (np.cumsum(fell, dtype=np.int64) << bits)
