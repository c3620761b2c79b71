"""The interpreter's moves: elements that are taken along axes, and zeros."""

import numpy as np

from snncc.ir.dialects.moves import Take
from snncc.runtime.interpreter.table import VALUE, At, Computed


@VALUE.of(Take)
def take(at: At, op: Take) -> Computed:
    """A zero is taken behind the last element: index -1."""
    value, names = at.sources[0], at.names[0]
    for i, name in enumerate(op.axes):
        axis, index = 1 + names.index(name), op.index(i)
        if index.min() < 0:
            behind = [(0, 0)] * len(value.shape)
            behind[axis] = (0, 1)
            value = np.pad(value, behind)
        value = value[(slice(None),) * axis + (index,)]
    return Computed(value)
