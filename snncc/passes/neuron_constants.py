"""Constants of a general neuron as arrays over named axes: those of states come first."""

from collections.abc import Sequence

import numpy as np

from snncc.ir.dialects.neurons import STATE
from snncc.passes.named import Named, join


def by_state(value: Named, states: int) -> Named:
    """A value with the axis of states first, as long as there are states.

    Args:
        value: over any axes; without that of states it is the same for each of them.
        states: how many there are.
    """
    rest = tuple(name for name in value.axes if name != STATE)
    array = value.over((STATE, *rest))
    return Named((STATE, *rest), np.broadcast_to(array, (states, *array.shape[1:])))


def of_state(value: Named, *places: tuple[str, int]) -> Named:
    """One state's part of a constant: for every axis of states the number of the state."""
    for axis, number in places:
        if axis in value.axes:
            at = value.axes.index(axis)
            rest = (*value.axes[:at], *value.axes[at + 1 :])
            value = Named(rest, np.asarray(value.array.take(number, axis=at), np.float64))
    return value


def stacked(parts: Sequence[Named], axis: str) -> Named:
    """One part for each state, over all axes that one of them varies along."""
    small = [part.compact() for part in parts]
    axes = join(*(part.axes for part in small))
    arrays = [part.over(axes) for part in small]
    shape = np.broadcast_shapes(*(array.shape for array in arrays))
    return Named((axis, *axes), np.stack([np.broadcast_to(array, shape) for array in arrays]))
