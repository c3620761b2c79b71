"""Units of a plan that the host computes, in the plan's memory, between compiled ones."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from snncc.backends.cpu.plan.places import Place
from snncc.ir import TIME, Graph, Node, Op, ValueType, params_of
from snncc.ir.dialects.integer import Gain, IntegerPopulation
from snncc.ir.dialects.integer_neurons import IntegerNeuron
from snncc.ir.dialects.projections import Concat


@dataclass(frozen=True)
class HostUnit:
    """One node that the host computes by its own meaning.

    Attributes:
        program: the node, what it reads, and its own constants; nothing else of the program.
        node: what is computed.
        reads: where its inputs lie, in order.
        writes: where its value goes.
        record: where a population's membranes are recorded, or None.
        state: where they stay between calls, or None.
        scratch: bytes that computing it takes for a moment, about.
        reason: why it is not compiled.
    """

    program: Graph
    node: Node
    reads: tuple[Place, ...]
    writes: Place
    record: Place | None
    state: Place | None
    scratch: int
    reason: str


@dataclass(frozen=True)
class Relay:
    """Spikes that the host copies into other lanes.

    Attributes:
        reads, writes: the same value twice.
        scratch: bytes that copying takes for a moment, about.
    """

    reads: Place
    writes: Place
    scratch: int


def program_of(graph: Graph, node: Node) -> Graph:
    """A node by itself, with the types of what it reads."""
    names = dict.fromkeys((*node.inputs, node.name))
    own = {param.name: graph.constants[param.name] for param in params_of(node.op)}
    nodes = tuple(graph[name] for name in names)
    return replace(graph, nodes=nodes, output=node.name, constants=own)


def at_steps(program: Graph, first: int, last: int) -> Graph:
    """A program as if some of its steps were all: types and constants over time are cut."""
    if (first, last) == (0, program.steps):
        return program
    constants = dict(program.constants)
    for node in program.nodes:
        for param in params_of(node.op):
            if TIME in param.axes and param.name in constants:
                axis = param.axes.index(TIME)
                constants[param.name] = constants[param.name].take(range(first, last), axis=axis)
    nodes = tuple(replace(node, type=_cut(node.type, last - first)) for node in program.nodes)
    return replace(program, steps=last - first, nodes=nodes, constants=constants)


def _cut(kind: ValueType, steps: int) -> ValueType:
    axes = tuple(replace(a, size=steps) if a.name == TIME else a for a in kind.axes)
    return replace(kind, axes=axes)


BYTES: Mapping[type[Op], int] = {IntegerPopulation: 72, IntegerNeuron: 400, Gain: 72, Concat: 8}
"""Bytes of NumPy arrays that live at once for every element of a node's value, at most."""
MOST_BYTES = 48
"""Likewise for every other op."""


def scratch_of(graph: Graph, node: Node, steps: int) -> int:
    """Bytes that computing a node takes for a moment."""
    each = 8 if isinstance(node.op, Concat) else 16
    inputs = sum(elements(graph[name].type, steps) for name in node.inputs)
    bytes_each = BYTES.get(type(node.op), MOST_BYTES)
    if isinstance(node.op, Concat) and node.type.range not in ((0, 0), (0, 1)):
        bytes_each, each = 24, 16
    own = 64 * sum(graph.constants[p.name].size for p in params_of(node.op))
    return bytes_each * elements(node.type, steps) + each * inputs + own


def elements(kind: ValueType, steps: int) -> int:
    """How many elements of a value lie in a memory of so many steps."""
    return kind.neurons * (steps if kind.temporal else 1)
