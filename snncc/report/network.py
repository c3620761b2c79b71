"""The program node by node: what each is, needs, holds, and where it comes from."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from snncc.ir import Graph, Node, Op, params_of
from snncc.ir.dialects.integer import IntegerPopulation, IntegerReadout
from snncc.ir.dialects.integer_neurons import IntegerNeuron
from snncc.ir.dialects.projections import Contract, Convolve, Frames
from snncc.ir.populations import is_population, membrane_of
from snncc.mfi import OpVerdict, Verdict
from snncc.mfi.prover import bits
from snncc.report.origin import Fold, folds_of

SHAPES: Mapping[type[Op], str] = {
    Frames: "image",
    IntegerPopulation: "population",
    IntegerNeuron: "population",
    IntegerReadout: "readout",
    Contract: "projection",
    Convolve: "projection",
}
"""What a node is drawn as; all else is "current": what is added, scaled or chosen between them."""


@dataclass(frozen=True)
class NodeFacts:
    """One node.

    Attributes:
        name: in the program.
        shape: "image", "population", "projection", "current" or "readout".
        op: its mnemonic.
        axes: names and lengths, time among them.
        neurons: elements at one step.
        span: the declared closed interval of its numbers; a population's is its membrane's.
        bits: that hold the span; None where nothing is declared.
        level: on the ladder.
        reason, help: why it is there, and what would lower it.
        module_path: in the user's model.
        sources: places in the user's model: call, file, line and its text.
        folds: what passes did to the modules that it stands for.
        constants: name, type, shape, least and largest of each array.
        inputs, readers: names of its neighbours.
    """

    name: str
    shape: str
    op: str
    axes: tuple[tuple[str, int], ...]
    neurons: int
    span: tuple[int, int] | None
    bits: int | None
    level: str
    reason: str
    help: str
    module_path: str
    sources: tuple[str, ...]
    folds: tuple[str, ...]
    constants: tuple[str, ...]
    inputs: tuple[str, ...]
    readers: tuple[str, ...]


def nodes_of(
    graph: Graph, proof: Verdict, report: Mapping[str, Any] | None = None
) -> tuple[NodeFacts, ...]:
    """Every node, in the program's order.

    Args:
        graph: integer dialect.
        proof: of this graph.
        report: what the program's file says of its origin.
    """
    needs = {op.name: op for op in proof.ops}
    by_site: dict[str, list[Fold]] = {}
    for fold in folds_of(report or {}):
        by_site.setdefault(fold.site, []).append(fold)
    return tuple(_node(graph, node, needs.get(node.name), by_site) for node in graph.nodes)


def _node(
    graph: Graph, node: Node, op: OpVerdict | None, by_site: Mapping[str, list[Fold]]
) -> NodeFacts:
    span = membrane_of(node.op) or node.type.range
    sites = dict.fromkeys([node.name, *(loc.module_path for loc in node.locs)])
    return NodeFacts(
        node.name,
        SHAPES.get(type(node.op), "current"),
        node.op.word,
        tuple((axis.name, axis.size) for axis in node.type.axes),
        node.type.neurons,
        span,
        _bits(node, span),
        "none" if op is None else op.need.level.label,
        "" if op is None else op.need.reason,
        "" if op is None else op.need.help,
        node.module_path,
        tuple(_place(loc.call, str(loc), loc.source) for loc in node.locs),
        tuple(_told(fold) for site in sites for fold in by_site.get(site, ())),
        tuple(_constant(graph, param.name) for param in params_of(node.op)),
        node.inputs,
        tuple(reader.name for reader in graph.readers.get(node.name, ())),
    )


def _bits(node: Node, span: tuple[int, int] | None) -> int | None:
    """Of a signed integer; of pixels, counts and spikes, as many as they have planes."""
    if node.type.domain is not None and not is_population(node.op):
        return len(node.type.planes)
    return None if span is None else bits(span)


def _place(call: str, where: str, source: str) -> str:
    return "   ".join(part for part in (where, call, source.strip()) if part)


def _told(fold: Fold) -> str:
    return f"{fold.rule}{'' if fold.fired else ', not here'}: {fold.text}"


def _constant(graph: Graph, name: str) -> str:
    array = graph.constants[name]
    span = f", {array.min()}..{array.max()}" if array.size else ""
    return f"{name}: {array.dtype} {list(array.shape)}{span}"
