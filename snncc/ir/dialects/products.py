"""Sums of what spikes let pass: the products of spiking attention."""

import math
from dataclasses import dataclass
from typing import ClassVar

from snncc.ir.op import Context, Op, require
from snncc.ir.types import TIME, Axis, Kind, ValueType

MOST_SUMMED = 1 << 24
"""Places that are added up for one element."""


@dataclass(frozen=True)
class Product(Op):
    """A spike selects, and what it selects is added up along axes that both sources have.

    y[rest] = sum over `summed` of (x[rest, summed] where the gate's spike is 1, else 0)

    The gate is the first source, x the second (inverted: x counts where the gate is 0). Axes of one
    name are one axis; an axis that one of the two lacks is broadcast, so that the result has the
    axes of both but for `summed`: those of the gate, then what x has more. Of spikes and of counts
    the result is a count, of a current it is a current. Time is never summed. Where nothing is
    summed, each of the two has an axis that the other lacks: queries and keys of one number each.

    Attributes:
        summed: axes of both sources that the result has not; none of an outer product.
        inverted: whether x counts where the gate does not spike.
    """

    mnemonic: ClassVar[str] = "product"
    summed: tuple[str, ...]
    inverted: bool = False

    def infer(self, inputs: tuple[ValueType, ...], context: Context) -> ValueType:
        require(len(inputs) == 2, "a product has two sources: the gate's spikes, and what passes")
        gate, x = inputs
        require(gate.kind is Kind.SPIKE, f"a product selects with spikes, not with {gate}")
        kinds = (Kind.SPIKE, Kind.COUNT, Kind.CURRENT, Kind.REAL)
        require(x.kind in kinds, f"a product adds up spikes, counts or currents, not {x}")
        outer = not {*gate.names} >= {*x.names} and not {*gate.names} <= {*x.names}
        require(len(self.summed) > 0 or outer, "a product without a sum is a gate")
        require(len(set(self.summed)) == len(self.summed), "an axis is summed twice")
        require(TIME not in self.summed, "a step never reads another")
        for name in self.summed:
            require(name in gate.names and name in x.names, f"not both sources have {name!r}")
        for axis in gate.axes:
            same = axis.name not in x.names or x.size(axis.name) == axis.size
            require(same, f"the sources differ in the length of {axis.name!r}")
        count = math.prod(gate.size(name) for name in self.summed)
        require(count <= MOST_SUMMED, f"{count} places are summed, the most are {MOST_SUMMED}")
        ends = x.domain or x.range
        bounds = None if ends is None else (count * min(0, ends[0]), count * max(0, ends[1]))
        kind = Kind.COUNT if x.domain is not None else x.kind
        return ValueType(kind, self._axes(gate, x), bounds)

    def _axes(self, gate: ValueType, x: ValueType) -> tuple[Axis, ...]:
        more = [axis for axis in x.axes if axis.name not in gate.names]
        lead = [axis for axis in more if axis.name == TIME]
        kept = [axis for axis in gate.axes if axis.name not in self.summed]
        return (*lead, *kept, *(axis for axis in more if axis.name != TIME))
