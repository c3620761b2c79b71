"""What was some steps ago: the op that closes loops."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from snncc.ir.op import Context, Op, Param, require, require_axes
from snncc.ir.types import BIT, TIME, Axis, Kind, ValueType

KINDS = (Kind.SPIKE, Kind.CURRENT, Kind.REAL)


@dataclass(frozen=True)
class Delay(Op):
    """A value as it was some steps ago.

    y[t] = x[t - steps], and y[t] = start for t < steps

    The only op that may read a node that comes after it: so every loop of a program leads through
    one, and what is read there is always known. The type is declared, since the source may have
    none yet, and held against the source's; time leads it.

    Attributes:
        steps: how many, at least 1.
        kind: "spike", "current" or, where numbers are real, "real".
        axes, shape: of one step, those of the source in any order.
        range: closed interval that holds every element; None where numbers are real.
        start: what stands in for the steps before the first, over any of `axes`; None for 0.
    """

    mnemonic: ClassVar[str] = "delay"
    looks_back: ClassVar[bool] = True
    steps: int
    kind: str
    axes: tuple[str, ...]
    shape: tuple[int, ...]
    range: tuple[int, int] | None = None
    start: Param | None = None

    @classmethod
    def of(cls, source: ValueType, steps: int, start: Param | None = None) -> "Delay":
        """The delay of a value whose type is known."""
        one = source.without(TIME)
        return cls(steps, source.kind.value, one.names, one.shape, source.range, start)

    def infer(self, inputs: tuple[ValueType, ...], context: Context) -> ValueType:
        """The declared type: it does not look at the source, which may not be there yet."""
        require(self.steps >= 1, f"a delay of {self.steps} steps, at least 1 is needed")
        require(self.kind in KINDS, f"spikes or currents are delayed, not {self.kind!r}")
        require(len(self.axes) == len(self.shape), "an axis has no length, or a length no axis")
        require(len(set(self.axes)) == len(self.axes), "an axis stands twice")
        require(TIME not in self.axes, "the axes are those of one step: time leads the result")
        require(all(size >= 1 for size in self.shape), "an axis has no elements")
        axes = tuple(Axis(name, size) for name, size in zip(self.axes, self.shape, strict=True))
        kind = Kind(self.kind)
        if self.range is not None:
            low, high = self.range
            require(low <= high, f"the range {low}..{high} is empty")
            require(kind is not Kind.REAL, "a real number has no range")
            require(kind is not Kind.SPIKE or self.range == BIT, "spikes are 0 or 1")
        self._require_start(ValueType(kind, axes), context)
        return ValueType(kind, (Axis(TIME, context.steps), *axes), self.range)

    def verify(self, inputs: tuple[ValueType, ...], context: Context) -> None:
        require(len(inputs) == 1, f"a delay has one source, not {len(inputs)}")
        (source,) = inputs
        declared = self.infer(inputs, context)
        differs = f"its source is {source}, declared is {declared}"
        require(source.kind.value == self.kind, differs)
        require(sorted(source.without(TIME).axes) == sorted(declared.axes[1:]), differs)
        require((source.range is None) == (self.range is None), differs)
        if self.range is not None and source.range is not None:
            holds = self.range[0] <= source.range[0] and source.range[1] <= self.range[1]
            require(holds, differs)

    def _require_start(self, one: ValueType, context: Context) -> None:
        """What stands before the first step lies within the range."""
        least = most = 0
        if self.start is not None:
            array = require_axes(self.start, one, context)
            least, most = array.min(), array.max()
            bits = one.kind is not Kind.SPIKE or bool(np.isin(array, BIT).all())
            require(bits, f"{self.start} is no spikes")
        if self.range is not None:
            fits = self.range[0] <= least and most <= self.range[1]
            require(fits, f"it starts at {least}..{most}, outside of its range {self.range}")
