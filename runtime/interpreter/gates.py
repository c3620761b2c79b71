"""The interpreter's gates: a spike selects what passes, or 0."""

import numpy as np

from snncc.ir import Kind
from snncc.ir.arrays import align
from snncc.ir.dialects.gates import Gate
from snncc.runtime.interpreter.table import VALUE, At, Computed


@VALUE.of(Gate)
def gate(at: At, op: Gate) -> Computed:
    names = at.node.type.names
    bit, x = (align(value, axes, names) for value, axes in zip(at.sources, at.names, strict=True))
    opens = bit == 0 if op.inverted else bit != 0
    if at.node.type.kind is Kind.SPIKE:
        return Computed(opens & (x != 0))
    return Computed(np.where(opens, x, 0))
