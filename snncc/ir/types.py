"""Types of values: what an edge carries and which named axes it has."""

import math
from dataclasses import dataclass, replace
from enum import StrEnum

TIME = "t"
"""Name of the time axis. A value without it is the same at every step."""


BIT = (0, 1)
"""Every spike is one of these."""
BYTE = (0, 255)
"""Every element of an 8-bit image."""
PIXEL = "pixel"
"""The word of texts and files for a count of 0..255."""
Plane = tuple[int, bool]
"""Which bit of an element, and whether it counts negatively."""


class Kind(StrEnum):
    """What the elements of a value are."""

    COUNT = "count"  # a whole number of a declared interval, in units of exactly 1
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

    @property
    def domain(self) -> tuple[int, int] | None:
        """The interval of elements that select weights; None where they are none that do."""
        return BIT if self.kind is Kind.SPIKE else self.range if self.kind is Kind.COUNT else None

    @property
    def planes(self) -> tuple[Plane, ...]:
        """The bits that an element consists of, from the lowest; none where it selects nothing.

        A linear map of a value is the sum over its planes (b, negative) of the map of that bit,
        shifted left by b, and subtracted where the plane is negative. Elements below 0 are in
        two's complement: their top bit counts negatively.
        """
        if self.domain is None:
            return ()
        low, high = self.domain
        top = max(high.bit_length(), (-low - 1).bit_length() if low < 0 else 0)
        unsigned = tuple((bit, False) for bit in range(top))
        return (*unsigned, (top, True)) if low < 0 else unsigned

    @property
    def dtype(self) -> str:
        """The type of arrays that hold spikes or counts: the narrowest that holds the interval."""
        low, high = self.domain or BIT
        if low >= 0 and high <= BYTE[1]:
            return "uint8"
        return "int8" if low >= -128 and high <= 127 else "int64"

    @property
    def word(self) -> str:
        """The kind in texts and files: one word for each kind and interval."""
        return PIXEL if self.kind is Kind.COUNT and self.range == BYTE else self.kind.value

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
        text = f"{self.word}[{', '.join(map(str, self.axes))}]"
        return text if self.range is None else f"{text}{{{self.range[0]}..{self.range[1]}}}"


def kind_of(word: str) -> Kind:
    """The kind of a word of texts and files. Raises ValueError for one that is none."""
    return Kind.COUNT if word == PIXEL else Kind(word)
