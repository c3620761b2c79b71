"""Every population gets its own copy of the maps that feed it: currents stop being shared."""

from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from snncc.ir import Graph, Kind, Node
from snncc.ir.dialects.neurons import Neuron
from snncc.ir.dialects.projections import Contract, Convolve, Sum
from snncc.ir.dialects.spiking import Population, Readout
from snncc.ir.dialects.thresholds import MultiThreshold
from snncc.passes.pipeline import Note, PassResult
from snncc.passes.rewriter import Rewriter


@dataclass(frozen=True)
class ReplicateCurrents:
    """A current that n populations read becomes n currents, each with weights of its own.

    On hardware where a current is what arrives at one neuron's dendrite there is nothing to share:
    the synapses stand once for each neuron that they end at. It costs as many times the weights,
    and lets every population choose its own unit. Sums of sums become one sum, and maps of one sum
    that read the same spikes alike become one map with the sum of their weights.
    """

    name: ClassVar[str] = "replicate_currents"

    def run(self, graph: Graph) -> PassResult:
        """Replicates; what stands between maps and populations is rebuilt for each reader."""
        rewriter, notes = Rewriter(graph), list[Note]()
        for node in graph.nodes:
            if node.type.kind is Kind.CURRENT:
                readers = len(graph.readers.get(node.name, ()))
                if readers > 1:
                    notes.append(Note(node.name, True, f"one copy for each of {readers} readers"))
                continue
            if isinstance(node.op, Population | Neuron | MultiThreshold | Readout):
                sources: tuple[str, ...] = (_copy(rewriter, node.inputs[0]),)
            else:
                sources = rewriter.inputs(node)
            rewriter.value[node.name] = rewriter.emit(node, node.op, *sources)
        return PassResult(rewriter.finish(), tuple(notes))


def _copy(rewriter: Rewriter, name: str) -> str:
    """A new copy of a current, down to the spikes."""
    node = rewriter.old[name]
    if isinstance(node.op, Contract | Convolve):
        return rewriter.emit(node, node.op, rewriter.value[node.inputs[0]])
    if isinstance(node.op, Sum):
        terms = _joined(rewriter, _terms(rewriter.old, node))
        parts = [_emit_term(rewriter, term) for term in terms]
        return parts[0] if len(parts) == 1 else rewriter.emit(node, Sum(), *parts)
    return rewriter.emit(node, node.op, *[_copy(rewriter, each) for each in node.inputs])


def _terms(graph: Graph, node: Node) -> list[Node]:
    """What a sum adds up, through sums in it."""
    found: list[Node] = []
    for each in (graph[name] for name in node.inputs):
        found += _terms(graph, each) if isinstance(each.op, Sum) else [each]
    return found


def _joined(rewriter: Rewriter, terms: list[Node]) -> list[list[Node]]:
    """Terms that read the same spikes alike, together."""
    groups: dict[object, list[Node]] = {}
    for i, term in enumerate(terms):
        key: object = i
        if isinstance(term.op, Contract | Convolve):
            shape = rewriter.array(term.op.weight).shape
            like = replace(term.op, weight=replace(term.op.weight, name=""))
            key = (term.inputs, like, shape)
        groups.setdefault(key, []).append(term)
    return list(groups.values())


def _emit_term(rewriter: Rewriter, terms: list[Node]) -> str:
    first = terms[0]
    if len(terms) == 1 or not isinstance(first.op, Contract | Convolve):
        return _copy(rewriter, first.name)
    weights = [rewriter.array(t.op.weight) for t in terms if isinstance(t.op, Contract | Convolve)]
    total = np.sum([np.asarray(w, np.float64) for w in weights], axis=0)
    param = rewriter.new.constant(first.op.weight.name, total, first.op.weight.axes)
    locs = tuple(dict.fromkeys(loc for term in terms for loc in term.locs))
    source = rewriter.value[first.inputs[0]]
    return rewriter.new.add(replace(first.op, weight=param), [source], locs, first.name)
