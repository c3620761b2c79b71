"""The interpreter's answer: the sum over time."""

from snncc.ir import Array
from snncc.ir.arrays import over_steps
from snncc.ir.dialects.integer import IntegerReadout
from snncc.runtime.interpreter.table import VALUE, At, Computed


@VALUE.of(IntegerReadout)
def readout(at: At, op: IntegerReadout) -> Computed:
    total: Array = over_steps(at.sources[0], at.names[0], at.graph.steps).sum(axis=1)
    if op.offset is None:
        return Computed(total)
    return Computed(total + at.constant(op.offset, at.node.type.names))
