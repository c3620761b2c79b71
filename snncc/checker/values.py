"""What the checker knows about a value, and the exact arithmetic that it needs."""

from dataclasses import dataclass, replace

import numpy as np

from snncc.checker.program_file import Array, Json, demand

Axes = tuple[tuple[str, int], ...]
Interval = tuple[int, int]

WIDEST = 62
"""Bits of the widest integer that executors hold, sign included."""


def bits(interval: Interval) -> int:
    return max((n if n >= 0 else ~n).bit_length() + 1 for n in interval)


def ends(array: Array) -> Interval:
    """Least and largest element, and 0."""
    return int(array.min(initial=0)), int(array.max(initial=0))


def exact(array: Array, reach: int) -> Array:
    """In 64 bits, or as Python's integers where sums up to `reach` could overflow."""
    return array.astype(np.int64 if reach < 2**62 else object)


def digits(constant: int) -> int:
    """Signed powers of two that make up a constant: its non-adjacent form, digit by digit."""
    rest, count = abs(constant), 0
    while rest:
        if rest & 1:
            rest -= 2 - (rest & 3)  # 1 or -1, so that the next digit is 0
            count += 1
        rest >>= 1
    return count


@dataclass(frozen=True)
class Value:
    """What is known about a value: its kind, its axes for one sample, where its elements lie."""

    kind: str
    axes: Axes
    interval: Interval
    encoding: str = ""

    @property
    def sizes(self) -> dict[str, int]:
        return dict(self.axes)

    @property
    def rest(self) -> Axes:
        """The axes of one step."""
        return tuple(axis for axis in self.axes if axis[0] != "t")

    def timed(self, steps: int) -> "Value":
        """The value at every step: without a time axis it is the same at each."""
        return self if "t" in self.sizes else replace(self, axes=(("t", steps), *self.axes))


@dataclass(frozen=True)
class Site:
    """One node as the file has it: its fields, its sources, all constants, T."""

    fields: dict[str, Json]
    sources: list[Value]
    constants: dict[str, Array]
    steps: int

    def constant(self, field: str) -> tuple[tuple[str, ...], Array]:
        """Axes and integers of a constant."""
        axes, array = tuple(self.fields[field]["axes"]), self.constants[self.fields[field]["@"]]
        demand(array.ndim == len(axes), f"{field} has {array.ndim} axes, {len(axes)} are named")
        return axes, array

    def over(self, field: str, target: Axes, default: int = 0) -> Array:
        """A constant over the axes of a value, length 1 where it lacks one."""
        if self.fields[field] is None:
            return np.full((1,) * len(target), default, np.int64)
        axes, array = self.constant(field)
        fits = set(zip(axes, array.shape, strict=True)) <= set(target)
        demand(fits and len(set(axes)) == len(axes), f"{field} does not fit {target}")
        moved = array.transpose([axes.index(name) for name, _ in target if name in axes])
        return moved.reshape([size if name in axes else 1 for name, size in target])
