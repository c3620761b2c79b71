"""The interpreter's windows: the largest of spikes or currents, by comparing and selecting."""

import numpy as np

from snncc.ir import Array, Kind
from snncc.ir.dialects.windows import Largest
from snncc.runtime.interpreter.table import VALUE, At, Computed


@VALUE.of(Largest)
def largest(at: At, op: Largest) -> Computed:
    """Axis after axis, since windows are products: the largest of rows, then of columns."""
    value, names = at.sources[0], at.names[0]
    if op.offset is not None:
        value = value + at.constant(op.offset, names)
    bits = at.node.type.kind is Kind.SPIKE
    for i, name in enumerate(op.axes):
        axis = 1 + names.index(name)
        places = op.places(i, value.shape[axis])
        found = _taken(value, places[0], axis)
        for place in places[1:]:
            other = _taken(value, place, axis)
            found = found | other if bits else np.where(other > found, other, found)
        value = found
    return Computed(value)


def _taken(value: Array, places: Array, axis: int) -> Array:
    taken: Array = value[(slice(None),) * axis + (places,)]
    return taken
