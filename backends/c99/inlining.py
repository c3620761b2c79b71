"""Which nodes of a program have no buffer in C: they are written where they are read."""

from snncc.ir import Graph, Kind, Node
from snncc.ir.dialects.gates import Gate
from snncc.ir.dialects.integer import Gain, IntegerPopulation, IntegerReadout
from snncc.ir.dialects.integer_neurons import IntegerNeuron
from snncc.ir.dialects.projections import Concat, Sum
from snncc.ir.dialects.sums import SumAlong

WRITTEN = (Sum, Gain, Gate)
READING = (Sum, Gain, Gate, Concat, SumAlong, IntegerPopulation, IntegerNeuron, IntegerReadout)
"""Ops that read every element of a source once."""


def inlined(graph: Graph) -> frozenset[str]:
    """Names of the nodes that have one reader, which reads every element once, or cost nothing.

    None of them reads a buffer that its reader reads too: compilers would make a product of both.
    """
    found = {node.name for node in graph.nodes if _can_be(graph, node)}
    reads: dict[str, frozenset[str]] = {}
    for node in graph.nodes:
        if node.op.looks_back:
            continue
        seen: dict[str, str] = {}
        for name in dict.fromkeys(node.inputs):
            own = reads[name] if name in found else frozenset((name,))
            for twice in own & seen.keys():
                found -= {name, seen[twice]}
            seen |= dict.fromkeys(own, name)
        parts = [reads[n] if n in found else frozenset((n,)) for n in node.inputs]
        reads[node.name] = frozenset[str]().union(*parts)
    return frozenset(found)


def _can_be(graph: Graph, node: Node) -> bool:
    readers = graph.readers.get(node.name, ())
    if not isinstance(node.op, WRITTEN) or not readers:
        return False
    if not all(isinstance(r.op, READING) and _as_large(graph, r, node) for r in readers):
        return False
    together = all(at_every_step(reader) == at_every_step(node) for reader in readers)
    if isinstance(node.op, Sum) and len(node.inputs) == 1:
        return together or node.type.kind is Kind.CURRENT  # counts may be of the image, which goes
    (first, *others) = readers
    return together and not others and first.inputs.count(node.name) == 1


def at_every_step(node: Node) -> bool:
    """Whether a node is computed at every step, and not once before the first."""
    return node.type.temporal or isinstance(node.op, IntegerReadout)


def _as_large(graph: Graph, reader: Node, node: Node) -> bool:
    """Whether a reader asks for every element once."""
    if isinstance(reader.op, Concat | SumAlong):
        return True
    return reader.type.neurons == node.type.neurons
