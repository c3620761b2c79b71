"""One threshold for a whole population: what differs between neurons moves into their weights."""

from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from snncc.ir import TIME, Graph, Node
from snncc.ir.dialects.spiking import Population
from snncc.passes.named import Named
from snncc.passes.pipeline import Note, PassResult
from snncc.passes.rewriter import Rewriter, rewrite
from snncc.passes.unshare_weights_under_gains import Shared, scaled_current


@dataclass(frozen=True)
class FoldThresholdsIntoWeights:
    """X >= K_n is (K / K_n) X >= K: the currents and biases of every neuron are scaled to one K.

    Legal for thresholds above 0 that do not differ from step to step, with hard reset: the membrane
    of neuron n is measured in K_n / K. K is the largest threshold, so that no weight grows.
    """

    name: ClassVar[str] = "fold_thresholds_into_weights"

    def run(self, graph: Graph) -> PassResult:
        """Folds; a population that keeps its thresholds says why."""
        return rewrite(graph, _visit)


def _visit(rewriter: Rewriter, node: Node, notes: list[Note]) -> str:
    op, sources = node.op, rewriter.inputs(node)
    if not isinstance(op, Population):
        return rewriter.emit(node, op, *sources)
    threshold = rewriter.named(op.threshold, 0.0).compact()
    if not threshold.axes:
        return rewriter.emit(node, op, *sources)
    reason = _obstacle(op, threshold)
    try:
        if reason:
            raise Shared(reason)
        most = float(threshold.array.max())
        scale = Named.scalar(most) / threshold
        current = scaled_current(rewriter, node, node.inputs[0], scale)
    except Shared as why:
        notes.append(Note(node.name, False, str(why)))
        return rewriter.emit(node, op, *sources)
    bias = rewriter.named(op.bias, 0.0) * scale
    folded = replace(
        op,
        threshold=rewriter.new.constant(op.threshold.name, np.asarray(most)),
        bias=None if bias.is_zero() else bias.store(rewriter.new, f"{node.name}.bias"),
    )
    notes.append(Note(node.name, True, f"thresholds over {', '.join(threshold.axes)} became one"))
    return rewriter.emit(node, folded, current)


def _obstacle(op: Population, threshold: Named) -> str:
    if TIME in threshold.axes:
        return "its threshold differs from step to step"
    if float(threshold.array.min()) <= 0.0:
        return "a threshold is not above 0"
    return "" if op.reset == "hard" else "a soft reset subtracts the threshold"
