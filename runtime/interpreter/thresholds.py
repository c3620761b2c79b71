"""The interpreter's staircases: compare with every threshold and count."""

import numpy as np

from snncc.ir import TIME, Array
from snncc.ir.arrays import align, timed
from snncc.ir.dialects.thresholds import LEVEL, MultiThreshold
from snncc.runtime.interpreter.table import VALUE, At, Computed


@VALUE.of(MultiThreshold)
def staircase(at: At, op: MultiThreshold) -> Computed:
    made, names, x = at.node.type.names, at.names[0], at.sources[0].astype(np.int64)
    if TIME in made:
        x, names = timed(x, names, at.graph.steps)
    x = align(x, names, made)
    if op.polarity is not None:
        sign = at.constant(op.polarity, made)
        x = np.where(sign == 0, 0, np.where(sign > 0, x, -x))
    thresholds = at.constant(op.thresholds, (*made, LEVEL))
    found: Array = np.zeros_like(x) + op.lowest
    for level in range(thresholds.shape[-1]):
        found = found + (x >= thresholds[..., level])
    return Computed(found)
