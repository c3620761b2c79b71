"""Currents that are added up along axes of theirs, as a mean over places before a neuron is."""

import math
from dataclasses import dataclass
from typing import ClassVar

from snncc.ir.dialects.products import MOST_SUMMED
from snncc.ir.op import Context, Op, require, require_narrow
from snncc.ir.types import TIME, Kind, ValueType


@dataclass(frozen=True)
class SumAlong(Op):
    """The elements of a current, added up along axes: y[rest] = sum over `summed` of x.

    Of spikes and counts a map does so (`Contract.summed`); of currents no map can, since weights
    would meet integers. Time is never summed.

    Attributes:
        summed: axes of the source that the result has not.
    """

    mnemonic: ClassVar[str] = "sum_along"
    summed: tuple[str, ...]

    def infer(self, inputs: tuple[ValueType, ...], context: Context) -> ValueType:
        require(len(inputs) == 1, "a sum along axes has one source")
        (source,) = inputs
        require(source.kind is Kind.CURRENT, f"currents are added along axes, not {source}")
        require(len(self.summed) > 0, "an axis is needed to add along")
        require(len(set(self.summed)) == len(self.summed), "an axis is summed twice")
        require(TIME not in self.summed, "a step never reads another")
        require(set(self.summed) <= set(source.names), f"{source} lacks one of {self.summed}")
        count = self.places(source)
        require(count <= MOST_SUMMED, f"{count} places are summed, the most are {MOST_SUMMED}")
        ends = source.range
        bounds = None if ends is None else (count * ends[0], count * ends[1])
        return ValueType(Kind.CURRENT, source.without(*self.summed).axes, bounds)

    def verify(self, inputs: tuple[ValueType, ...], context: Context) -> None:
        """No sum of some of the elements may need more bits either: all orders are legal."""
        low, high = inputs[0].range or (0, 0)
        count = self.places(inputs[0])
        require_narrow("what is added up", count * min(0, low), count * max(0, high))

    def places(self, source: ValueType) -> int:
        """How many elements are added up for one."""
        return math.prod(source.size(name) for name in self.summed)
