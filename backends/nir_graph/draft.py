"""A NIR graph under construction, and what is known of every value of the program in it."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from snncc.diagnostics import SnnccError
from snncc.ir import TIME, Graph, Node, Op, Param
from snncc.ir.arrays import spread

Real = NDArray[np.float64]
Place = tuple[str, str, float]
Fields = dict[str, Real | NDArray[np.int64]]


@dataclass
class NirNode:
    """A node of the file; a bias may still be added to a map."""

    kind: str
    fields: Fields


@dataclass(frozen=True)
class Value:
    """What a node of the program gives.

    Attributes:
        nodes: of the file; what they give is added up by who reads it.
        axes: of one step, in the order of the file.
        maps: maps among them to which a bias can be added, with the factor of what they give.
    """

    nodes: tuple[str, ...]
    axes: tuple[str, ...]
    maps: tuple[tuple[str, float], ...] = ()


@dataclass
class Draft:
    """What was put down so far.

    Attributes:
        graph: the program.
        nodes: of the file, by name.
        edges: between them.
        values: by the program's names.
        places: by node of the program and field of its op, where that constant's numbers stand:
            node and field of the file, and by what they are multiplied to be those of the program.
    """

    graph: Graph
    nodes: dict[str, NirNode] = field(default_factory=dict[str, NirNode])
    edges: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])
    values: dict[str, Value] = field(default_factory=dict[str, Value])
    places: dict[tuple[str, str], Place] = field(default_factory=dict[tuple[str, str], Place])

    def put(self, name: str, kind: str, fields: Fields, reads: Sequence[str]) -> str:
        """Puts down a node; its name in the file."""
        fresh = plain = name.replace("/", "_")
        number = 2
        while fresh in self.nodes:
            fresh, number = f"{plain}_{number}", number + 1
        self.nodes[fresh] = NirNode(kind, fields)
        self.edges += [(source, fresh) for source in reads]
        return fresh


@dataclass(frozen=True)
class At:
    """A node of the program that is to be put down."""

    draft: Draft
    node: Node

    def source(self, which: int = 0) -> Value:
        """The value of an input. Raises SnnccError (SNN040): it comes later, by a loop."""
        name = self.node.inputs[which]
        if name not in self.draft.values:
            raise self.refused("it closes a loop", "NIR has no delays that close loops")
        return self.draft.values[name]

    def sizes(self, axes: Sequence[str]) -> tuple[int, ...]:
        """Lengths of axes of the node's result."""
        return tuple(self.node.type.size(name) for name in axes)

    def over(self, param: Param, axes: tuple[str, ...]) -> Real:
        """A constant over all of a value. Raises SnnccError (SNN040) where it lies over time."""
        if TIME in param.axes:
            raise self.refused("it differs from step to step", "NIR has numbers for all steps")
        array = spread(self.draft.graph.constants[param.name], param.axes, axes)
        return np.broadcast_to(array, self.sizes(axes)).astype(np.float64)

    def keep(self, what: str, node: str, name: str, factor: float = 1.0) -> None:
        """Notes where the numbers of the op's constant stand."""
        self.draft.places[self.node.name, what] = (node, name, factor)

    def refused(self, told: str, why: str, op: Op | None = None) -> SnnccError:
        """The error for what NIR cannot say (SNN040)."""
        word = (op or self.node.op).mnemonic
        return SnnccError(
            "SNN040",
            f"NIR has no form for {word} ({self.node.name}): {told}",
            loc=self.node.loc,
            why=why,
            help="run the program with `snncc run`, or export it to another target",
        )
