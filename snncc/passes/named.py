"""Small real arrays over named axes: the scales and offsets that passes move about."""

from collections.abc import Sequence
from dataclasses import dataclass
from string import ascii_letters

import numpy as np
from numpy.typing import NDArray

from snncc.ir import Graph, GraphBuilder, Param


@dataclass(frozen=True)
class Named:
    """An array over named axes; it is the same along every axis that it lacks.

    Attributes:
        axes: names, in the array's order.
        array: float64.
    """

    axes: tuple[str, ...]
    array: NDArray[np.float64]

    @classmethod
    def scalar(cls, value: float) -> "Named":
        return cls((), np.asarray(value, np.float64))

    @classmethod
    def read(cls, graph: Graph, param: Param | None, default: float) -> "Named":
        """The array that a constant names, or a scalar when there is none."""
        if param is None:
            return cls.scalar(default)
        return cls(param.axes, np.asarray(graph.constants[param.name], np.float64))

    def over(self, axes: Sequence[str]) -> NDArray[np.float64]:
        """The array with these axes in this order and length 1 where it lacks one.

        Raises:
            ValueError: it has an axis that is not among them.
        """
        if not set(self.axes) <= set(axes):
            raise ValueError(f"{self.axes} do not lie within {tuple(axes)}")
        moved = self.array.transpose([self.axes.index(n) for n in axes if n in self.axes])
        sizes = iter(moved.shape)
        return moved.reshape([next(sizes) if n in self.axes else 1 for n in axes])

    def __add__(self, other: "Named") -> "Named":
        axes = join(self.axes, other.axes)
        return Named(axes, self.over(axes) + other.over(axes))

    def __mul__(self, other: "Named") -> "Named":
        axes = join(self.axes, other.axes)
        return Named(axes, self.over(axes) * other.over(axes))

    def __truediv__(self, other: "Named") -> "Named":
        axes = join(self.axes, other.axes)
        return Named(axes, self.over(axes) / other.over(axes))

    def compact(self) -> "Named":
        """The same numbers without the axes along which they do not vary."""
        axes, array = self.axes, self.array
        for name in self.axes:
            at = axes.index(name)
            first = array.take([0], axis=at)
            if (array == first).all():
                axes, array = axes[:at] + axes[at + 1 :], first.squeeze(at)
        return Named(axes, array)

    def take(self, axis: str, start: int, stop: int) -> "Named":
        """The part from start to stop along an axis; all of it when it lacks the axis."""
        if axis not in self.axes:
            return self
        index = [slice(None)] * len(self.axes)
        index[self.axes.index(axis)] = slice(start, stop)
        return Named(self.axes, self.array[tuple(index)])

    def gathered(self, axis: str, name: str, index: NDArray[np.int64]) -> "Named":
        """Along another axis, what an index takes of this one; 0 where it is -1."""
        zero = index < 0
        if axis not in self.axes:
            if not zero.any():
                return self
            return self * Named((name,), np.where(zero, 0.0, 1.0))
        at = self.axes.index(axis)
        shape = [1] * len(self.axes)
        shape[at] = len(index)
        array = np.where(zero.reshape(shape), 0.0, self.array.take(index, axis=at))
        return Named(tuple(name if n == axis else n for n in self.axes), array)

    def scattered(self, name: str, axis: str, index: NDArray[np.int64], size: int) -> "Named":
        """A scale of what an index takes as a scale of what it is taken from.

        Elements that nobody takes have 1.

        Raises:
            ValueError: an element is taken several times with different scales.
        """
        if name not in self.axes:
            return self
        at = self.axes.index(name)
        rows = np.moveaxis(self.array, at, 0)
        found = np.ones((size, *rows.shape[1:]))
        for element in range(size):
            taken = rows[index == element]
            if len(taken) and not (taken == taken[0]).all():
                raise ValueError(f"an element along {axis} has several scales")
            if len(taken):
                found[element] = taken[0]
        axes = tuple(axis if n == name else n for n in self.axes)
        return Named(axes, np.moveaxis(found, 0, at))

    def renamed(self, old: str, new: str) -> "Named":
        return Named(tuple(new if n == old else n for n in self.axes), self.array)

    def is_zero(self) -> bool:
        return not self.array.any()

    def total(self, axes: Sequence[str]) -> "Named":
        """Summed over those of the axes that it has."""
        at = tuple(i for i, n in enumerate(self.axes) if n in axes)
        rest = tuple(n for n in self.axes if n not in axes)
        return Named(rest, self.array.sum(axis=at))

    def contracted(self, other: "Named", axes: Sequence[str]) -> "Named":
        """The product, summed over those of the axes that one of the two has."""
        names = join(self.axes, other.axes)
        rest = tuple(n for n in names if n not in axes)
        letter = dict(zip(names, ascii_letters, strict=False))
        left, right, kept = (
            "".join(letter[n] for n in group) for group in (self.axes, other.axes, rest)
        )
        result = np.einsum(f"{left},{right}->{kept}", self.array, other.array, optimize=True)
        return Named(rest, np.asarray(result, np.float64))

    def store(self, builder: GraphBuilder, stem: str) -> Param:
        """Stores the array as a constant, without the axes along which it does not vary."""
        small = self.compact()
        return builder.constant(stem, small.array, small.axes)


def join(*groups: Sequence[str]) -> tuple[str, ...]:
    """Names of all groups, each once, in order of appearance."""
    return tuple(dict.fromkeys(name for group in groups for name in group))


def concatenate(parts: Sequence[tuple[Named, str, int]], out: str) -> Named:
    """Arrays side by side: part i calls the axis `parts[i][1]` and is `parts[i][2]` long there."""
    axes = join(*(tuple(n for n in a.axes if n != name) for a, name, _ in parts))
    blocks: list[NDArray[np.float64]] = []
    for named, name, size in parts:
        block = named.over((name, *axes))
        blocks.append(np.broadcast_to(block, (size, *block.shape[1:])))
    shape = np.broadcast_shapes(*(b.shape[1:] for b in blocks))
    full = [np.broadcast_to(b, (b.shape[0], *shape)) for b in blocks]
    return Named((out, *axes), np.concatenate(full)).compact()
