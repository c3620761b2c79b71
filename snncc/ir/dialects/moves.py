"""Elements that change places along axes: slices, flips, rolls, repeats, zeros around a value."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from snncc.ir.op import Context, Op, require
from snncc.ir.types import TIME, Axis, Kind, ValueType

MOST_TAKEN = 1 << 24
"""Elements of the result along one axis."""
ZEROS = -1
"""In place of the first element of a run: zeros, which come from nowhere."""


@dataclass(frozen=True)
class Take(Op):
    """Elements of the source in another order, some of them several times or not at all, or zeros.

    y[o] = x[index[o]] along each of `axes`, or 0 where index[o] = -1

    The index is given in runs, three numbers each: first element, step, how many. (0, 2, 5) are
    the elements 0, 2, 4, 6, 8; (-1, 0, 3) are three zeros. Time is no such axis: a step never
    reads another.

    Attributes:
        axes: of the source.
        out: their names in the result, in the same places.
        runs: for each of the axes its runs one after another, as a flat list.
    """

    mnemonic: ClassVar[str] = "take"
    axes: tuple[str, ...]
    out: tuple[str, ...]
    runs: tuple[tuple[int, ...], ...]

    def infer(self, inputs: tuple[ValueType, ...], context: Context) -> ValueType:
        require(len(inputs) == 1, "elements are taken of one source")
        (source,) = inputs
        kinds = (Kind.SPIKE, Kind.COUNT, Kind.CURRENT, Kind.REAL)
        require(source.kind in kinds, f"elements of spikes, counts or currents, not of {source}")
        require(len(self.axes) > 0, "an axis is needed along which elements are taken")
        require(len(self.out) == len(self.runs) == len(self.axes), "one entry an axis is needed")
        require(len(set(self.axes)) == len(self.axes), "elements are taken twice along an axis")
        require(TIME not in (*self.axes, *self.out), "a step never reads another")
        place: dict[str, Axis] = {}
        for at, name in enumerate(self.axes):
            require(name in source.names, f"the source {source} has no axis {name!r}")
            place[name] = Axis(self.out[at], _length(self.runs[at], source.size(name)))
        axes = tuple(place.get(axis.name, axis) for axis in source.axes)
        names = [axis.name for axis in axes]
        require(len(set(names)) == len(names), f"the result would have an axis twice: {names}")
        bounds = source.range
        if bounds is not None and self.fills:
            bounds = min(0, bounds[0]), max(0, bounds[1])
        return ValueType(source.kind, axes, bounds)

    @property
    def fills(self) -> bool:
        """Whether some elements of the result are zeros from nowhere."""
        return any(first == ZEROS for runs in self.runs for first in runs[::3])

    def index(self, at: int) -> NDArray[np.int64]:
        """For each element of the result along an axis that of the source, or -1 for a zero.

        Args:
            at: which of `axes`.
        """
        runs = self.runs[at]
        parts = [
            np.full(count, ZEROS, np.int64) if first == ZEROS else first + step * np.arange(count)
            for first, step, count in zip(runs[::3], runs[1::3], runs[2::3], strict=True)
        ]
        found: NDArray[np.int64] = np.concatenate(parts)
        return found


def _length(runs: tuple[int, ...], size: int) -> int:
    """How many elements runs give. Raises TypeRuleError for those outside of the source."""
    require(len(runs) > 0 and len(runs) % 3 == 0, "a run is three numbers")
    total = 0
    for first, step, count in zip(runs[::3], runs[1::3], runs[2::3], strict=True):
        require(count >= 1, f"a run of {count} elements")
        total += count
        require(total <= MOST_TAKEN, f"more than {MOST_TAKEN} elements along an axis")
        if first == ZEROS:
            require(step == 0, "a run of zeros has no step")
            continue
        last = first + step * (count - 1)
        require(abs(step) <= MOST_TAKEN, f"a step of more than {MOST_TAKEN}")
        require(0 <= first < size and 0 <= last < size, f"a run leaves the {size} elements")
    return total


def runs_of(index: Sequence[int]) -> tuple[int, ...]:
    """The runs of an index, as few as one pass finds."""
    runs: list[list[int]] = []
    for element in index:
        if runs and _goes_on(runs[-1], element):
            runs[-1] = [*runs[-1][:2], runs[-1][2] + 1]
        elif runs and runs[-1][2] == 1 and min(element, runs[-1][0]) >= 0:
            runs[-1] = [runs[-1][0], element - runs[-1][0], 2]
        else:
            runs.append([element, 0, 1])
    return tuple(number for run in runs for number in run)


def _goes_on(run: list[int], element: int) -> bool:
    first, step, count = run
    if ZEROS in (first, element):
        return first == element
    return count > 1 and element == first + step * count
