"""What the checker knows about a value, and the exact arithmetic that it needs."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from snncc.checker.program_file import Array, Json, require

Axes = tuple[tuple[str, int], ...]
Interval = tuple[int, int]
Found = tuple["Value", dict[str, Json]]
"""What is known about a node's value, and what the certificate says about the node."""

WIDEST = 62
"""Bits of the widest integer that executors hold, sign included."""
BLOCK = 2**20
LEVELS = ("strict", "shift-add")


def statement(rule: str, words: str = "", terms: int = 1, **more: Json) -> Json:
    """More than one term, that is, shifted copies of a number to add: one step up the ladder."""
    above = terms > 1
    said = {"rule": f"{rule}-add" if above else rule, "arithmetic": words.split()}
    costs = {"adders": terms - 1 if above else 0, "level": LEVELS[above]}
    return {"before_shift": None, "membrane": None, **said, **costs, **more}


def bits(interval: Interval) -> int:
    return max((n if n >= 0 else ~n).bit_length() + 1 for n in interval)


def narrow(what: str, *numbers: int) -> None:
    require(bits((min(numbers), max(numbers))) <= WIDEST, f"{what} needs more than {WIDEST} bits")


def ends(array: Array) -> Interval:
    """Least and largest element, and 0."""
    return int(array.min(initial=0)), int(array.max(initial=0))


def digits(constants: Array) -> int:
    """Most signed powers of two that make up one of the constants: non-adjacent forms."""
    most, flat = 0, constants.reshape(-1)
    for start in range(0, flat.size, BLOCK):
        rest = np.abs(flat[start : start + BLOCK].astype(np.int64))
        count = np.zeros_like(rest)
        while rest.any():
            odd = rest & 1
            rest = (rest - odd * (2 - (rest & 3))) >> 1  # 1 or -1 off, so that the next digit is 0
            count += odd
        most = max(most, int(count.max()))
    return most


@dataclass(frozen=True)
class Value:
    """What is known about a value: its kind, its axes for one sample, where its elements lie.

    `terms` and `depth` count what it is made of without a map or a neuron between.
    """

    kind: str
    axes: Axes
    interval: Interval
    encoding: str = ""
    terms: int = 1
    depth: int = 0

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
class NodeRecord:
    """One node as the file has it: its fields, its sources, all constants, T."""

    fields: dict[str, Json]
    sources: list[Value]
    constants: dict[str, Array]
    steps: int

    def source(self, *kinds: str) -> Value:
        """The only source, of one of these kinds."""
        require(len(self.sources) == 1, f"{len(self.sources)} sources where there is one")
        kind = self.sources[0].kind
        require(kind in kinds, f"a {kind} where only {kinds} can be: a multiplication")
        return self.sources[0]

    def constant(self, field: str) -> tuple[tuple[str, ...], Array]:
        """Axes and integers of a constant."""
        axes, array = tuple(self.fields[field]["axes"]), self.constants[self.fields[field]["@"]]
        require(array.ndim == len(axes), f"{field} has {array.ndim} axes, {len(axes)} are named")
        return axes, array

    def over(self, field: str, target: Axes, default: int = 0) -> Array:
        """A constant over the axes of a value, length 1 where it lacks one."""
        if self.fields[field] is None:
            return np.full((1,) * len(target), default, np.int64)
        axes, array = self.constant(field)
        fits = set(zip(axes, array.shape, strict=True)) <= set(target)
        require(fits and len(set(axes)) == len(axes), f"{field} does not fit {target}")
        moved = array.transpose([axes.index(name) for name, _ in target if name in axes])
        return moved.reshape([size if name in axes else 1 for name, size in target])


def counted(axes: Axes, interval: Interval) -> Value:
    """A count, whose word is that of a pixel where it has a pixel's interval."""
    return Value("pixel" if interval == (0, 255) else "count", axes, interval)


def is_made(value: Value) -> bool:
    """Whether these are spikes or counts that a program makes: an image is read by maps alone."""
    return value.kind in ("spike", "pixel", "count") and not value.encoding


def blocks(arrays: list[Array], size: int = 2**18) -> Iterator[list[Array]]:
    """Arrays that are broadcast against each other, cut along the longest axis but the first."""
    shape = np.broadcast_shapes(*(array.shape[1:] for array in arrays))
    if int(np.prod(shape, dtype=object)) <= size:
        yield arrays
        return
    axis = int(np.argmax(shape))
    for half in (slice(0, shape[axis] // 2), slice(shape[axis] // 2, None)):
        cut = (slice(None),) * (axis + 1) + (half,)
        yield from blocks([a[cut] if a.shape[axis + 1] > 1 else a for a in arrays], size)
