"""Constants of a general neuron as arrays over named axes: those of states come first."""

import numpy as np

from snncc.ir.dialects.neurons import STATE
from snncc.passes.named import Named


def by_state(value: Named, states: int) -> Named:
    """A value with the axis of states first, as long as there are states.

    Args:
        value: over any axes; without that of states it is the same for each of them.
        states: how many there are.
    """
    rest = tuple(name for name in value.axes if name != STATE)
    array = value.over((STATE, *rest))
    return Named((STATE, *rest), np.broadcast_to(array, (states, *array.shape[1:])))
