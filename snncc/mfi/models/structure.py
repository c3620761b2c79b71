"""A real-numbered graph with its domains, and what its affine ops hold."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from snncc.ir import Array, Graph, Node, Op, Param
from snncc.ir.dialects import traced
from snncc.ir.dialects.gates import Gate
from snncc.ir.dialects.moves import Take
from snncc.ir.dialects.neurons import Neuron, TracedNeuron
from snncc.ir.dialects.projections import Concat, Contract, Convolve, Sum
from snncc.ir.dialects.spiking import Affine, Opaque, Population
from snncc.ir.dialects.windows import Largest
from snncc.mfi.models.domains import Domain, Values
from snncc.mfi.outcome import Outcome

MAPS = (traced.Linear, traced.Mean, traced.Total, traced.Conv, Contract, Convolve)
AFFINES = (traced.BatchNorm, traced.Scale, Affine)
SUMS = (traced.Add, Sum)
CONCATS = (traced.TracedConcat, Concat)
MOVES = (traced.Rearrange, traced.Repeat, Largest, Take, Gate)
NEURONS = (traced.Lif, Population, Neuron, TracedNeuron)


@dataclass(frozen=True)
class Structure:
    """A graph, the domains of its values, and what the passes make of it.

    Attributes:
        graph: traced or spiking.
        domains: by value name.
        outcome: of the passes on a traced graph; of a spiking graph what stands there is left.
    """

    graph: Graph
    domains: Mapping[str, Domain]
    outcome: Outcome

    def activation(self, name: str) -> Node:
        """The nearest node that made a value real, going back from a reader of it."""
        node = self.graph[name]
        while isinstance(node.op, (*MAPS, *AFFINES, *SUMS, *CONCATS, *MOVES)):
            real = [n for n in node.inputs if self.domains[n].values is Values.REAL]
            if not real:
                return node
            node = self.graph[real[-1]]
        return node


@dataclass(frozen=True)
class Judged:
    """A node of a graph whose need is asked for."""

    structure: Structure
    node: Node


@dataclass(frozen=True)
class Read:
    """A node of a graph whose domain is asked for, with those of all earlier values."""

    graph: Graph
    node: Node
    known: Mapping[str, Domain]

    @property
    def inputs(self) -> tuple[Domain, ...]:
        """Domains of what it reads."""
        return tuple(self.known[name] for name in self.node.inputs)


def factor_of(graph: Graph, node: Node) -> tuple[tuple[str, ...], Array]:
    """The factor of an affine op: the axes along which it varies, and its values, flat."""
    match node.op:
        case traced.BatchNorm(var=var, weight=weight, eps=eps):
            gamma = 1.0 if weight is None else graph.constants[weight.name]
            values: Array = np.asarray(gamma / np.sqrt(graph.constants[var.name] + eps))
            return _varying(var, values)
        case traced.Scale(scale=Param() as scale) | Affine(scale=Param() as scale):
            return _varying(scale, graph.constants[scale.name])
        case _:
            return (), np.ones(1)


def offset_of(graph: Graph, node: Node) -> Array:
    """The offset of an affine op, flat; of a BatchNorm as long as its factor."""
    match node.op:
        case traced.BatchNorm(mean=mean, bias=bias):
            _, factor = factor_of(graph, node)
            beta = 0.0 if bias is None else graph.constants[bias.name].reshape(-1)
            values: Array = beta - factor * graph.constants[mean.name].reshape(-1)
            return values
        case traced.Scale(offset=Param() as offset) | Affine(offset=Param() as offset):
            return graph.constants[offset.name].reshape(-1)
        case _:
            return np.zeros(1)


def aligned(op: Op) -> bool:
    """Whether factor and offset of an affine op lie over the same axes in the same order."""
    match op:
        case traced.BatchNorm():
            return True
        case traced.Scale(scale=Param() as scale, offset=Param() as offset):
            return scale.axes == offset.axes
        case Affine(scale=Param() as scale, offset=Param() as offset):
            return scale.axes == offset.axes
        case _:
            return False


def _varying(param: Param, values: Array) -> tuple[tuple[str, ...], Array]:
    axes = tuple(
        name
        for at, name in enumerate(param.axes)
        if not (values == values.take([0], axis=at)).all()
    )
    return axes, values.reshape(-1)


def display_name(node: Node) -> str:
    """The op's mnemonic, or the name of a function that no pass lowers."""
    op = node.op
    return op.function.partition(":")[0] if isinstance(op, traced.Foreign | Opaque) else op.word
