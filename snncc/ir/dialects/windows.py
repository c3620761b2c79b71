"""The largest element of windows: an OR on spikes, compare and select on currents."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from snncc.ir.op import (
    Context,
    Op,
    Param,
    is_integer,
    require,
    require_axes,
    require_narrow,
)
from snncc.ir.types import TIME, Axis, Kind, ValueType

MOST_PLACES = 1 << 24
"""Places in all windows along one axis: kernel times length of the result."""
MOST_GEOMETRY = 1 << 12
"""Of a kernel, a stride, a dilation or a padding, as of convolutions."""


@dataclass(frozen=True)
class Largest(Op):
    """The largest element of windows along named axes, as max pooling has it.

    y[o] = max over k of x[place] + offset[place], place = stride * o + dilation * k - padding

    along each of `axes`, with k running over 0..kernel-1. What lies outside of the source is no
    element: it never is the largest, and every window has an element inside. Of spikes this is
    their OR, and there is no offset. Time is no such axis: a step never reads another.

    Attributes:
        axes: of the source.
        out: their names in the result, in the same places.
        size: their lengths in the result; a last window may hang over the source (`ceil_mode`).
        kernel, stride, padding, dilation: one number for each of the axes.
        offset: what each element of a current has more, over some of the source's axes; only what
            differs within a window has to stand here.
    """

    mnemonic: ClassVar[str] = "largest"
    axes: tuple[str, ...]
    out: tuple[str, ...]
    size: tuple[int, ...]
    kernel: tuple[int, ...]
    stride: tuple[int, ...]
    padding: tuple[int, ...]
    dilation: tuple[int, ...]
    offset: Param | None = None

    def infer(self, inputs: tuple[ValueType, ...], context: Context) -> ValueType:
        require(len(inputs) == 1, "windows lie over one source")
        (source,) = inputs
        kinds = (Kind.SPIKE, Kind.COUNT, Kind.CURRENT, Kind.REAL)
        require(source.kind in kinds, f"the largest of spikes, counts or currents, not of {source}")
        self._require_geometry(source)
        place = {a: Axis(n, s) for a, n, s in zip(self.axes, self.out, self.size, strict=True)}
        axes = tuple(place.get(axis.name, axis) for axis in source.axes)
        names = [axis.name for axis in axes]
        require(len(set(names)) == len(names), f"the result would have an axis twice: {names}")
        return ValueType(source.kind, axes, self._range(source, context))

    def verify(self, inputs: tuple[ValueType, ...], context: Context) -> None:
        """What is compared may need no more bits than a program holds."""
        low, high = self._range(inputs[0], context) or (0, 0)
        require_narrow("what is compared", low, high)

    def _range(self, source: ValueType, context: Context) -> tuple[int, int] | None:
        if self.offset is None:
            return source.range
        require(source.kind is Kind.CURRENT, f"an offset belongs to currents, not to {source}")
        array = require_axes(self.offset, source.without(TIME), context)
        if source.range is None:
            return None
        require(is_integer(array), "the offset must be integer, as the current is")
        low, high = source.range
        return low + int(array.min()), high + int(array.max())

    def _require_geometry(self, source: ValueType) -> None:
        given = (self.out, self.size, self.kernel, self.stride, self.padding, self.dilation)
        require(len(self.axes) > 0, "windows need an axis")
        require(all(len(each) == len(self.axes) for each in given), "one number an axis is needed")
        require(len(set(self.axes)) == len(self.axes), "an axis has windows twice")
        require(TIME not in (*self.axes, *self.out), "a step never reads another")
        for at, name in enumerate(self.axes):
            require(name in source.names, f"the source {source} has no axis {name!r}")
            least = min(self.size[at], self.kernel[at], self.stride[at], self.dilation[at])
            require(least >= 1, "size, kernel, stride and dilation are at least 1")
            require(self.padding[at] >= 0, f"padding {self.padding[at]} is negative")
            most = max(self.kernel[at], self.stride[at], self.padding[at], self.dilation[at])
            what = "kernel, stride, dilation or padding"
            require(most <= MOST_GEOMETRY, f"{what} beyond {MOST_GEOMETRY}")
            count = self.size[at] * self.kernel[at]
            require(count <= MOST_PLACES, f"windows of {count} places, the most are {MOST_PLACES}")
            meets = self._all_meet(at, source.size(name))
            require(meets, f"a window along {name!r} has no element of the source")

    def _all_meet(self, at: int, length: int) -> bool:
        """Whether every window has an element inside, from the few that could have none.

        Those that begin in the padding are looked at one by one, of the others the last decides:
        time and memory do not grow with what a file declares.
        """
        stride, padding = self.stride[at], self.padding[at]
        early = min(self.size[at], -(-padding // stride))
        if early < self.size[at] and (self.size[at] - 1) * stride - padding >= length:
            return False
        start = np.arange(early, dtype=np.int64) * stride - padding
        first = -(start // self.dilation[at])
        place = start + first * self.dilation[at]
        return bool(((first < self.kernel[at]) & (place < length)).all())

    def _first_inside(self, at: int, length: int) -> NDArray[np.int64]:
        """For every window along an axis the first place inside the source, -1 without one."""
        start = np.arange(self.size[at], dtype=np.int64) * self.stride[at] - self.padding[at]
        first = np.maximum(0, -(start // self.dilation[at]))
        place = start + first * self.dilation[at]
        found: NDArray[np.int64] = np.where((first < self.kernel[at]) & (place < length), place, -1)
        return found

    def places(self, at: int, length: int) -> NDArray[np.int64]:
        """[kernel, size]: which element each place of a window along an axis is.

        A place outside the source repeats the window's first element, which changes no maximum.

        Args:
            at: which of `axes`.
            length: of that axis of the source.
        """
        start = np.arange(self.size[at], dtype=np.int64) * self.stride[at] - self.padding[at]
        place = start + np.arange(self.kernel[at], dtype=np.int64)[:, None] * self.dilation[at]
        outside = (place < 0) | (place >= length)
        found: NDArray[np.int64] = np.where(outside, self._first_inside(at, length), place)
        return found
