"""Contractions as arrays with unambiguous axes, and their composition in closed form."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from snncc.ir import GraphBuilder
from snncc.ir.dialects.projections import Contract
from snncc.ir.types import ValueType
from snncc.passes.named import Named, join

OUT = "out:"
"""Prefix of a weight's output axes here: an output may bear the name of an input axis."""
MID = "mid:"
GROWTH = 4
"""A composition may hold at most so many times the weights of its two parts."""


class NotComposable(ValueError):
    """Two maps have no composition of acceptable size."""


def scattered(
    weight: NDArray[np.float64], at: int, index: NDArray[np.int64], size: int
) -> NDArray[np.float64]:
    """Weights of taken elements added up for the elements that they are taken from."""
    rows = np.moveaxis(np.asarray(weight, np.float64), at, 0)
    found = np.zeros((size, *rows.shape[1:]))
    np.add.at(found, index[index >= 0], rows[index >= 0])
    return np.moveaxis(found, 0, at)


@dataclass(frozen=True)
class DenseMap:
    """A contraction with its weight at hand; see `Contract` for the equation.

    Attributes:
        weight: over shared names, OUT + out names, into names, in any order.
        into, out, shared, summed: roles as in `Contract`.
    """

    weight: Named
    into: tuple[str, ...]
    out: tuple[str, ...]
    shared: tuple[str, ...]
    summed: tuple[str, ...]

    @classmethod
    def read(cls, op: Contract, builder: GraphBuilder) -> "DenseMap":
        array = builder.context.array(op.weight)
        axes = (*op.shared, *(OUT + n for n in op.out), *op.into)
        return cls(Named(axes, array), op.into, op.out, op.shared, op.summed)

    def op(self, builder: GraphBuilder, stem: str) -> Contract:
        """The op, with its weight stored."""
        array = self.weight.over((*self.shared, *(OUT + n for n in self.out), *self.into))
        param = builder.constant(stem, array, (*self.shared, *self.out, *self.into))
        return Contract(param, self.into, self.out, self.shared, self.summed)

    def scaled_source(self, scale: Named, source: ValueType) -> "DenseMap":
        """The map of x -> map(scale * x)."""
        weight = self.weight * scale
        into = (*self.into, *(n for n in self.summed if n in scale.axes))
        kept = (n for n in source.names if n not in (*into, *self.summed, *self.shared))
        return replace(
            self,
            weight=weight,
            into=into,
            shared=(*self.shared, *(n for n in kept if n in scale.axes)),
            summed=tuple(n for n in self.summed if n not in scale.axes),
        )

    def scaled_result(self, scale: Named) -> "DenseMap":
        """The map of x -> scale * map(x); scaled carried axes become shared."""
        renamed = Named(tuple(OUT + n if n in self.out else n for n in scale.axes), scale.array)
        more = tuple(n for n in scale.axes if n not in (*self.out, *self.shared))
        return replace(self, weight=self.weight * renamed, shared=(*self.shared, *more))

    def of_constant(self, value: Named, source: ValueType) -> Named:
        """What the map makes of a value that is the same for every sample and step."""
        product = self.weight * value
        total = product.total((*self.into, *self.summed))
        count = 1
        for name in self.summed:
            count *= 1 if name in product.axes else source.size(name)
        total = total * Named.scalar(count)
        return Named(tuple(n.removeprefix(OUT) for n in total.axes), total.array)

    def taken(self, name: str, axis: str, index: NDArray[np.int64], size: int) -> "DenseMap":
        """The map of what an index takes along one axis, as a map of what it is taken from."""
        at = self.weight.axes.index(name)
        axes = tuple(axis if n == name else n for n in self.weight.axes)
        weight = Named(axes, scattered(self.weight.array, at, index, size))
        into = tuple(axis if n == name else n for n in self.into)
        return replace(self, weight=weight, into=into)

    def part(self, axis: str, start: int, stop: int, name: str) -> "DenseMap":
        """The map restricted to a part of one source axis, which is then called `name`."""

        def rename(names: tuple[str, ...]) -> tuple[str, ...]:
            return tuple(name if n == axis else n for n in names)

        return DenseMap(
            self.weight.take(axis, start, stop).renamed(axis, name),
            rename(self.into),
            self.out,
            rename(self.shared),
            rename(self.summed),
        )

    def after(self, inner: "DenseMap", room: int = 0) -> "DenseMap":
        """The map of x -> self(inner(x)).

        Args:
            inner: the map whose result is read.
            room: so many weights are never too many.

        Raises:
            NotComposable: the composed weight would be many times larger than the parts.
        """

        def mid(names: tuple[str, ...]) -> tuple[str, ...]:
            return tuple(MID + n if n in inner.out else n for n in names)

        outer = Named(mid(self.weight.axes), self.weight.array)
        first = Named(
            tuple(MID + n.removeprefix(OUT) if n.startswith(OUT) else n for n in inner.weight.axes),
            inner.weight.array,
        )
        into, summed, shared = mid(self.into), mid(self.summed), mid(self.shared)
        names, middle = join(outer.axes, first.axes), [n for n in (*into, *summed) if _mid(n)]
        joined = _size(tuple(n for n in names if n not in middle), outer, first)
        most = max(room, GROWTH * (outer.array.size + first.array.size))
        if joined > most:
            raise NotComposable(f"the composed map would have {joined} weights")
        if _size(names, outer, first) <= most:
            product = (outer * first).total(middle)
        else:  # the product before it is summed may be far larger than both maps and the result
            product = outer.contracted(first, middle)
        kept = tuple(n for n in product.axes if _mid(n))
        weight = Named(
            tuple(OUT + n.removeprefix(MID) if n in kept else n for n in product.axes),
            product.array,
        )
        contracted = [n for n in (*into, *summed) if not _mid(n)]
        new_into = join(inner.into, [n for n in contracted if n in weight.axes])
        new_summed = join(inner.summed, [n for n in contracted if n not in weight.axes])
        new_out = (*self.out, *(n.removeprefix(MID) for n in kept))
        new_shared = join(
            [n for n in shared if not _mid(n)],
            [n for n in inner.shared if n not in contracted],
        )
        return DenseMap(weight, new_into, new_out, new_shared, new_summed)


def _mid(name: str) -> bool:
    return name.startswith(MID)


def _size(axes: tuple[str, ...], *parts: Named) -> int:
    size = 1
    for name in axes:
        size *= next(p.array.shape[p.axes.index(name)] for p in parts if name in p.axes)
    return size
