"""The interpreter's currents before neurons: side by side, added, scaled."""

import numpy as np

from snncc.ir import TIME, Array
from snncc.ir.arrays import align, spread, timed
from snncc.ir.arrays import concat as side_by_side
from snncc.ir.dialects.integer import Gain
from snncc.ir.dialects.projections import Concat, Sum
from snncc.ir.dialects.sums import SumAlong
from snncc.ir.digits import signed_digits
from snncc.runtime.interpreter.shifted import times
from snncc.runtime.interpreter.table import VALUE, At, Computed


@VALUE.of(Concat)
def concat(at: At, op: Concat) -> Computed:
    return Computed(side_by_side([*at.sources], at.names, op.along, op.out, at.node))


@VALUE.of(Sum)
def add(at: At, op: Sum) -> Computed:
    total: Array = np.zeros((), np.int64)
    for (x, axes), shift in op.terms([*zip(at.sources, at.names, strict=True)]):
        total = total + (align(x.astype(np.int64), axes, at.node.type.names) << shift)
    return Computed(total)


@VALUE.of(SumAlong)
def add_along(at: At, op: SumAlong) -> Computed:
    x, names = at.sources[0], at.names[0]
    for axis in sorted((1 + names.index(n) for n in op.summed), reverse=True):
        x = x.sum(axis=axis)
    return Computed(x)


@VALUE.of(Gain)
def gain(at: At, op: Gain) -> Computed:
    mantissa, target = op.mantissa, at.node.type.names
    digits = signed_digits(at.graph.constants[mantissa.name].astype(np.int64))
    half = (1 << op.shift) >> 1
    over = [spread(d, mantissa.axes, target) for d in digits]
    x = at.sources[0]
    if TIME in mantissa.axes:
        x = align(*timed(x, at.names[0], at.graph.steps), target)
    scaled: Array = (times(x, over) + half) >> op.shift
    return Computed(scaled)
