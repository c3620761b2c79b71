"""How large a selection of weights can become, exactly."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from snncc.ir.op import WIDEST, Array, TypeRuleError, require_room
from snncc.ir.types import ValueType

Ints = NDArray[np.int64]

ROW_CHUNK = 1 << 22
"""Weights at a time."""
FAR = 2.0**62.5
"""A sum that float64 puts below this is below 2^63, so that 64 bits hold it exactly."""


def selected_range(rows: Array, source: ValueType, count: int) -> tuple[int, int]:
    """Interval of a selection: each row sums its weights, each times any number of the source's.

    Args:
        rows: integer weights, the last axis is what one neuron adds up.
        source: type of what selects: a spike takes a weight once, a count as often as it says.
        count: how many source elements share one weight.

    Raises:
        TypeRuleError: the source is neither spikes nor counts: that would be a multiplication.
        TooWide: a sum needs more bits than a program may hold.
    """
    if source.domain is None:
        raise TypeRuleError(f"integer weights select with spikes or counts, not with {source}")
    low, high = source.domain
    if low == 0:
        least, most = (end * high for end in row_sums(rows))
        return least * count, most * count
    least = most = 0  # both signs of weights push a sum either way
    for sums in _sums(rows):
        negative, positive = (each.astype(object) for each in sums)
        least = min(least, int((negative * high + positive * low).min()))
        most = max(most, int((positive * high + negative * low).max()))
    return least * count, most * count


def row_sums(rows: Array) -> tuple[int, int]:
    """The least sum of a row's negative integers and the largest of its positive ones, exactly.

    Args:
        rows: integers; the last axis is added up.

    Raises:
        TooWide: a sum needs more bits than a program may hold.
    """
    least = most = 0
    for negative, positive in _sums(rows):
        least, most = min(least, int(negative.min())), max(most, int(positive.max()))
    return least, most


def _sums(rows: Array) -> Iterator[tuple[Ints, Ints]]:
    """Of some rows after the other: the sums of their negative and of their positive integers."""
    if rows.size == 0:
        return
    length = rows.shape[-1]
    flat = rows.reshape(-1, length)
    step = max(1, ROW_CHUNK // length)
    for start in range(0, len(flat), step):
        part = flat[start : start + step]
        ends = int(part.min()), int(part.max())
        signs = np.minimum(part, 0), np.maximum(part, 0)
        if max(-ends[0], ends[1]) * length >= 1 << 62:
            about = max(float(np.abs(sign.sum(axis=-1, dtype=np.float64)).max()) for sign in signs)
            require_room(about < FAR, f"its weights add up to more than {WIDEST} bits hold")
        negative, positive = (sign.sum(axis=-1, dtype=np.int64) for sign in signs)
        yield negative, positive
