"""A scale before a population can be measured away: its membrane takes |a| as its unit."""

from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from snncc.ir import TIME, Graph, Node, Op, fuse
from snncc.ir.dialects.neurons import Neuron
from snncc.ir.dialects.spiking import Affine, Population
from snncc.ir.dialects.thresholds import MultiThreshold
from snncc.passes.levels import by_level
from snncc.passes.named import Named
from snncc.passes.pipeline import Note, PassResult
from snncc.passes.rewriter import Rewriter, rewrite


@dataclass(frozen=True)
class FoldBatchnormIntoThresholds:
    """X = a*I + d into threshold K/|a|, bias d/|a|, polarity sign(a), weights as they are.

    Y = |a| Y' gives Y'[t] = decay * V'[t-1] + sign(a) * I[t] + d/|a| and Y >= K iff Y' >= K/|a|,
    for either reset. Legal when the population receives this one current; other readers of I keep
    it unscaled. Where a = 0 the polarity is 0 and threshold and bias stay: the neuron's spikes do
    not depend on the input. The axis of a does not matter: this is what folds a norm over tokens
    behind a map over channels.
    """

    name: ClassVar[str] = "fold_batchnorm_into_thresholds"

    def run(self, graph: Graph) -> PassResult:
        """Folds every scale that stands directly before a population."""
        return rewrite(graph, _visit)


def _visit(rewriter: Rewriter, node: Node, notes: list[Note]) -> str:
    if isinstance(node.op, Affine) and node.op.scale is not None:
        readers = rewriter.old.readers.get(node.name, ())
        other = [
            r.op.mnemonic
            for r in readers
            if not isinstance(r.op, Population | Neuron | MultiThreshold)
        ]
        if other:
            reason = f"the scaled current meets others in a {other[0]}"
            notes.append(Note(node.name, False, reason))
        elif TIME in node.op.scale.axes:
            reason = (
                "it differs from step to step: the membrane would change its unit while it leaks"
            )
            notes.append(Note(node.name, False, reason))
    source = rewriter.old[node.inputs[0]] if node.inputs else None
    foldable = (
        isinstance(node.op, Population | MultiThreshold)
        and source is not None
        and isinstance(source.op, Affine)
        and source.op.offset is None
        and source.op.scale is not None
        and TIME not in source.op.scale.axes
    )
    if not foldable:
        return rewriter.emit(node, node.op, *rewriter.inputs(node))
    return _fold(rewriter, node, source, notes)


def _fold(rewriter: Rewriter, node: Node, source: Node | None, notes: list[Note]) -> str:
    op = node.op
    if source is None or not isinstance(source.op, Affine):
        return rewriter.emit(node, node.op, *rewriter.inputs(node))
    if not isinstance(op, Population | MultiThreshold):
        return rewriter.emit(node, node.op, *rewriter.inputs(node))
    scale = rewriter.named(source.op.scale, 1.0)
    polarity = Named(scale.axes, np.sign(scale.array)) * rewriter.named(op.polarity, 1.0)
    unit = Named(scale.axes, np.where(scale.array == 0.0, 1.0, np.abs(scale.array)))
    new = rewriter.new
    signs = None
    if not (polarity.array == 1.0).all():
        signs = polarity.store(new, f"{node.name}.polarity")
    folded: Op
    if isinstance(op, MultiThreshold):
        levels = rewriter.named(op.thresholds, 0.0) / unit
        stored = by_level(levels, node, new, f"{node.name}.thresholds")
        folded = replace(op, thresholds=stored, polarity=signs)
    else:
        threshold = rewriter.named(op.threshold, 0.0) / unit
        bias = rewriter.named(op.bias, 0.0) / unit
        folded = replace(
            op,
            threshold=threshold.store(new, f"{node.name}.threshold"),
            bias=None if bias.is_zero() else bias.store(new, f"{node.name}.bias"),
            polarity=signs,
        )
    text = f"{source.name} folded into thresholds over {', '.join(scale.axes) or 'all neurons'}"
    notes.append(Note(node.name, True, text))
    return new.add(
        folded, [rewriter.value[source.inputs[0]]], fuse(source.locs, node.locs), node.name
    )
