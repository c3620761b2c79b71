"""The width proof of a program: every number's interval, and witnesses for both ends."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from snncc.diagnostics import SnnccError
from snncc.ir import Graph, Kind, Node
from snncc.ir.dialects.integer import Gain, IntegerPopulation
from snncc.ir.dialects.integer_neurons import IntegerNeuron
from snncc.mfi.prover import bits
from snncc.mfi.widths.bounds import Bounds, before_shift, before_shift_of, bounds_of, membrane_of
from snncc.mfi.widths.states import reach_of_states
from snncc.mfi.widths.witnesses import Witness, membrane_witness, sum_witness

BEFORE_SHIFT = "before shift"
MOST_PROVED = 1 << 28
"""Of all values at one step; 8 times those of the largest network that we know."""


@dataclass(frozen=True)
class Width:
    """One kind of number of one node.

    Attributes:
        node: its name.
        module_path: where it comes from in the user's model.
        what: "current", "before shift", "membrane", "state 0" (1, ...) or "readout".
        declared: the interval that the program provides for; its bits are the width.
        proved: the interval that the elements can reach at most.
        low, high: witnesses for both ends of `proved`.
    """

    node: str
    module_path: str
    what: str
    declared: tuple[int, int]
    proved: tuple[int, int]
    low: Witness
    high: Witness

    @property
    def holds(self) -> bool:
        """Whether no input can leave the declared interval."""
        return self.declared[0] <= self.proved[0] and self.proved[1] <= self.declared[1]

    @property
    def bits(self) -> tuple[int, int]:
        """Declared and proved."""
        return bits(self.declared), bits(self.proved)


def prove_widths(graph: Graph) -> Iterator[Width]:
    """Every current, gain before its shift, membrane and readout, in the order of the program.

    Raises:
        SnnccError: SNN004 when the bounds of all elements would not fit into memory; SNN040 for
            ops that have no bounds.
    """
    elements = sum(node.type.neurons for node in graph.nodes)
    if elements > MOST_PROVED:
        raise SnnccError(
            "SNN004",
            f"bounds of {elements:,} elements, one by one, are too many",
            why=f"each takes 16 bytes; {MOST_PROVED:,} elements are the most",
            help="leave --widths out: the verdict's widths hold for all elements together",
        )
    bounds = bounds_of(graph)
    for node in graph.nodes:
        if isinstance(node.op, Gain):
            before = before_shift_of(graph, node, node.op, bounds[node.inputs[0]])
            yield _of_sum(graph, node, BEFORE_SHIFT, before_shift(graph, node, node.op), before)
        if isinstance(node.op, IntegerNeuron):
            for found in reach_of_states(graph, node, node.op, bounds[node.inputs[0]]):
                yield _width(node, found.what, found.declared, found.low, found.high)
        elif isinstance(node.op, IntegerPopulation):
            yield _of_membrane(graph, node, node.op, bounds[node.inputs[0]])
        elif node.type.kind in (Kind.CURRENT, Kind.READOUT):
            declared = node.type.range or (0, 0)
            yield _of_sum(graph, node, node.type.kind.value, declared, bounds[node.name])


def _ends(found: Bounds) -> Iterator[tuple[tuple[int, ...], bool, int]]:
    """The element that is least and the one that is largest: index, which end, how much."""
    for values, upper in zip(found, (False, True), strict=True):
        flat = int(values.argmax() if upper else values.argmin())
        element = tuple(map(int, np.unravel_index(flat, values.shape)))
        yield element, upper, int(values[element])


def _of_sum(graph: Graph, node: Node, what: str, declared: tuple[int, int], found: Bounds) -> Width:
    low, high = (sum_witness(graph, node, what, *end) for end in _ends(found))
    return _width(node, what, declared, low, high)


def _of_membrane(graph: Graph, node: Node, op: IntegerPopulation, current: Bounds) -> Width:
    found = membrane_of(graph, node, op, current)
    low, high = (membrane_witness(graph, node, op, current, *end) for end in _ends(found))
    return _width(node, "membrane", op.membrane, low, high)


def _width(node: Node, what: str, declared: tuple[int, int], low: Witness, high: Witness) -> Width:
    path = node.module_path
    return Width(node.name, path, what, declared, (low.bound, high.bound), low, high)
