"""Types of values: what an edge carries and which named axes it has."""

import math
from dataclasses import dataclass, replace
from enum import StrEnum

TIME = "t"
"""Name of the time axis. A value without it is the same at every step."""


class Kind(StrEnum):
    """What the elements of a value are."""

    PIXEL = "pixel"  # unsigned 8-bit image element
    REAL = "real"  # any number: traced and spiking dialects only
    SPIKE = "spike"  # 0 or 1
    CURRENT = "current"  # what a population integrates
    READOUT = "readout"  # what the network answers, summed over time


@dataclass(frozen=True, slots=True, order=True)
class Axis:
    """A named axis. Two axes are the same axis if and only if their names are equal."""

    name: str
    size: int

    def __str__(self) -> str:
        return f"{self.name}:{self.size}"


@dataclass(frozen=True, slots=True)
class ValueType:
    """The type of a value, for one sample: the batch axis is implicit and always leads.

    Attributes:
        kind: what the elements are.
        axes: named axes, in the order of the array that holds the value.
        range: closed interval that holds every element (integer dialect), or None.
    """

    kind: Kind
    axes: tuple[Axis, ...]
    range: tuple[int, int] | None = None

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(axis.name for axis in self.axes)

    @property
    def shape(self) -> tuple[int, ...]:
        return tuple(axis.size for axis in self.axes)

    @property
    def temporal(self) -> bool:
        """Whether the value may differ from step to step."""
        return TIME in self.names

    @property
    def neurons(self) -> int:
        """Number of elements at one step."""
        return math.prod(axis.size for axis in self.axes if axis.name != TIME)

    def size(self, name: str) -> int:
        """Length of one axis. Raises KeyError when there is no such axis."""
        for axis in self.axes:
            if axis.name == name:
                return axis.size
        raise KeyError(name)

    def with_kind(self, kind: Kind, range: tuple[int, int] | None = None) -> "ValueType":
        return replace(self, kind=kind, range=range)

    def with_time(self, steps: int) -> "ValueType":
        """The same value at every one of T steps; unchanged when it has a time axis already."""
        return self if self.temporal else replace(self, axes=(Axis(TIME, steps), *self.axes))

    def without(self, *names: str) -> "ValueType":
        return replace(self, axes=tuple(axis for axis in self.axes if axis.name not in names))

    def __str__(self) -> str:
        text = f"{self.kind.value}[{', '.join(map(str, self.axes))}]"
        return text if self.range is None else f"{text}{{{self.range[0]}..{self.range[1]}}}"
