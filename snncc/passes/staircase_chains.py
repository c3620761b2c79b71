"""What stands between a value and the last function that clips or rounds it, link by link."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from snncc.ir import Graph, Node
from snncc.ir.dialects.pointwise import Pointwise
from snncc.ir.dialects.traced import Add, Scale
from snncc.passes.named import Named, join
from snncc.passes.staircase_algebra import Bounded, Rounded, Scaled, Stage

DEEPEST = 64
"""Sums and scales of a straight-through estimator that are looked through."""
Rows = NDArray[np.float64]


@dataclass(frozen=True)
class Link:
    """One function of a chain: its numbers, and how they make stages.

    Attributes:
        how: "scale" (scale, offset), "low", "high" (a bound) or a rounding, without numbers.
        numbers: over named axes.
    """

    how: str
    numbers: tuple[Named, ...] = ()

    def stage(self, numbers: Sequence[float]) -> Stage:
        """What it does to one element."""
        if self.how == "scale":
            return Scaled(Fraction(numbers[0]), Fraction(numbers[1]))
        if self.how in ("low", "high"):
            return Bounded(Fraction(numbers[0]), self.how == "high")
        return Rounded(self.how)


@dataclass(frozen=True)
class Chain:
    """A value as a function of another, element by element.

    Attributes:
        base: name of the other.
        links: first to last.
    """

    base: str
    links: tuple[Link, ...]

    @property
    def rounds(self) -> bool:
        return any(not link.numbers for link in self.links)

    @property
    def axes(self) -> tuple[str, ...]:
        """Along which its elements have functions of their own."""
        return join(*(n.axes for link in self.links for n in link.numbers))

    def rows(self) -> tuple[tuple[int, ...], Rows]:
        """Lengths of the axes, and the numbers of every element's function, [elements, numbers]."""
        every = [n.over(self.axes) for link in self.links for n in link.numbers]
        shape = np.broadcast_shapes(*(each.shape for each in every)) if every else ()
        flat = [np.broadcast_to(each, shape).reshape(-1) for each in every]
        count = int(np.prod(shape, dtype=np.int64))
        return shape, np.stack(flat, axis=1) if flat else np.zeros((count, 0))

    def stages(self, row: Sequence[float]) -> list[Stage]:
        """The function of one element."""
        found, at = list[Stage](), 0
        for link in self.links:
            found.append(link.stage(row[at : at + len(link.numbers)]))
            at += len(link.numbers)
        return found


def chain_of(graph: Graph, node: Node) -> Chain:
    """The longest chain that ends in a node of a traced graph."""
    links: list[Link] = []
    while True:
        found = _link(graph, node)
        if found is None:
            return Chain(node.name, tuple(links[::-1]))
        links += found[1][::-1]
        node = graph[found[0]]


def _link(graph: Graph, node: Node) -> tuple[str, list[Link]] | None:
    """What a node reads, and what it does with it; None where it is no function of one number."""
    match node.op:
        case Pointwise(function=function, low=low, high=high):
            if node.op.rounds:
                return node.inputs[0], [Link(function)]
            bounds = (("low", low), ("high", high))
            found = [
                Link(how, (Named.read(graph, param, 0.0).compact(),))
                for how, param in bounds
                if param is not None
            ]
            return node.inputs[0], found
        case Scale():
            numbers = _factor(graph, node.op)
            return node.inputs[0], [Link("scale", numbers)]
        case Add():
            left = uncancelled(graph, node)
            return None if left is None else (left[0], [Link("scale", left[1])])
        case _:
            return None


def _factor(graph: Graph, op: Scale) -> tuple[Named, Named]:
    scale, offset = Named.read(graph, op.scale, 1.0), Named.read(graph, op.offset, 0.0)
    return scale.compact(), offset.compact()


def uncancelled(graph: Graph, node: Node) -> tuple[str, tuple[Named, Named]] | None:
    """The one value that is left of a sum, with its scale and offset, where others cancel.

    A straight-through estimator is x + (round(x) - x): what is left is round(x). None where
    nothing cancels, or more than one value is left.
    """
    factors: dict[str, Named] = {}
    offset, terms = Named.scalar(0.0), 0
    for name, scale, more in _terms(graph, node, Named.scalar(1.0), DEEPEST):
        factors[name] = factors.get(name, Named.scalar(0.0)) + scale
        offset, terms = offset + more, terms + 1
    left = [(name, scale.compact()) for name, scale in factors.items() if not scale.is_zero()]
    if len(left) != 1 or terms < 2 + len(left):
        return None
    return left[0][0], (left[0][1], offset.compact())


def _terms(
    graph: Graph, node: Node, scale: Named, depth: int
) -> Iterator[tuple[str, Named, Named]]:
    """What a value adds up: names, factors, offsets."""
    if isinstance(node.op, Add) and depth > 0:
        for name in node.inputs:
            yield from _terms(graph, graph[name], scale, depth - 1)
    elif isinstance(node.op, Scale) and depth > 0:
        own, offset = _factor(graph, node.op)
        more = scale * offset
        for name, factor, other in _terms(graph, graph[node.inputs[0]], scale * own, depth - 1):
            yield name, factor, other + more
            more = Named.scalar(0.0)
    else:
        yield node.name, scale, Named.scalar(0.0)
