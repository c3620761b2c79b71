"""Staircases: how many of its thresholds a current has passed."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from snncc.ir.op import Array, Context, Op, Param, is_integer, require, require_axes
from snncc.ir.types import TIME, Axis, Kind, ValueType

LEVEL = "threshold.level"
"""The axis along which a staircase's thresholds ascend."""
MOST_LEVELS = 1 << 12
"""Thresholds of one element; `lowest` lies as near to 0."""


@dataclass(frozen=True)
class MultiThreshold(Op):
    """A count: how many of its thresholds a current has passed.

    y = lowest + (number of i with polarity * x >= thresholds[.., i])

    where `above` is 1 at i the comparison is >. Integers need none: x > k is x >= k + 1.

    A quantised activation behind a BatchNorm is this: clip(round((a x + d) / step), 0, L) has
    polarity sign(a) and thresholds ((i + 1/2) step - d) / |a|. Any ascending staircase is: a step
    by 2 is a threshold that stands twice. It keeps no state: without time in x and thresholds the
    count is the same at every step.

    Attributes:
        thresholds: over any of the current's axes (and time), then `LEVEL`, along which they
            ascend.
        polarity: -1, 0 or 1 over any of the current's axes and time, or None for 1 everywhere.
        lowest: what is counted from.
        above: 0 or 1 over any of the axes of `thresholds`, or None for 0 everywhere; None in the
            integer dialect.
    """

    mnemonic: ClassVar[str] = "multi_threshold"
    thresholds: Param
    polarity: Param | None = None
    lowest: int = 0
    above: Param | None = None

    def infer(self, inputs: tuple[ValueType, ...], context: Context) -> ValueType:
        require(len(inputs) == 1, "a staircase has one source")
        (x,) = inputs
        real = (Kind.CURRENT, Kind.REAL)
        require(x.kind in real, f"a staircase compares a current, not {x}")
        params = [p for p in (self.thresholds, self.polarity, self.above) if p is not None]
        made = x.with_time(context.steps) if any(TIME in p.axes for p in params) else x
        levels = self.levels(context)
        self._require_constants(made, levels, context, x.range is not None)
        ends = self.lowest, self.lowest + levels
        return ValueType(Kind.COUNT, made.axes, ends)

    def levels(self, context: Context) -> int:
        """How many thresholds an element has."""
        array = context.array(self.thresholds)
        require(self.thresholds.axes[-1:] == (LEVEL,), f"thresholds end in the axis {LEVEL!r}")
        require(1 <= array.shape[-1] <= MOST_LEVELS, f"1 to {MOST_LEVELS} thresholds are needed")
        return int(array.shape[-1])

    def _require_constants(
        self, made: ValueType, levels: int, context: Context, integer: bool
    ) -> None:
        require(abs(self.lowest) <= MOST_LEVELS, f"lowest {self.lowest} is beyond {MOST_LEVELS}")
        require(LEVEL not in made.names, f"the current has an axis {LEVEL!r}")
        by_level = ValueType(made.kind, (*made.axes, Axis(LEVEL, levels)))
        thresholds = require_axes(self.thresholds, by_level, context)
        require(ascends(thresholds), "thresholds do not ascend")
        if self.polarity is not None:
            polarity = require_axes(self.polarity, made, context)
            require(bool(np.isin(polarity, (-1, 0, 1)).all()), "polarity is -1, 0 or 1")
            require(not integer or is_integer(polarity), "polarity must be integer")
        require(not integer or is_integer(thresholds), "thresholds must be integer")
        if self.above is not None:
            require(not integer, "integers are compared by >= alone")
            above = require_axes(self.above, by_level, context)
            require(bool(np.isin(above, (0, 1)).all()), "above is 0 or 1")


def ascends(thresholds: Array) -> bool:
    """Whether no threshold is below the one before it; the last axis is that of levels."""
    return bool((thresholds[..., 1:] >= thresholds[..., :-1]).all())
