"""The strict alternative to a gain: one copy of the weights for every token, or every step."""

from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from snncc.ir import TIME, Graph, Node, fuse
from snncc.ir.projections import Contract, Convolve
from snncc.ir.spiking_ops import Affine
from snncc.passes.dense_map import DenseMap
from snncc.passes.named import Named
from snncc.passes.pipeline import Note, PassResult
from snncc.passes.rewriter import Rewriter


@dataclass(frozen=True)
class UnshareWeightsUnderGains:
    """a_n * (W s)_n = (a_n W) s for every n: the map's weight gets the scale's axes.

    It costs as many times the weights as there are tokens; hardware without weight sharing stores
    them anyway. A scale over the time axis gives a bank of weights for every step. Only for a map
    that nobody else reads; a convolution can be unshared over steps alone.
    """

    name: ClassVar[str] = "unshare_weights_under_gains"

    def run(self, graph: Graph) -> PassResult:
        """Unshares; a site that keeps its gain says why."""
        rewriter = Rewriter(graph)
        notes: list[Note] = []
        for node in graph.nodes:
            rewriter.value[node.name] = _visit(rewriter, node, notes)
        return PassResult(rewriter.finish(), tuple(notes))


def _visit(rewriter: Rewriter, node: Node, notes: list[Note]) -> str:
    if not isinstance(node.op, Affine) or node.op.scale is None:
        return rewriter.emit(node, node.op, *rewriter.inputs(node))
    old, new = rewriter.old[node.inputs[0]], rewriter.new
    source = new[rewriter.value[old.name]]
    scale = rewriter.named(node.op.scale, 1.0)
    op: Contract | Convolve | None = None
    if rewriter.old.sole_reader(old.name) is None:
        reason = "others read the same current"
    elif isinstance(source.op, Contract):
        reason = ""
        op = DenseMap.read(source.op, new).scaled_result(scale).op(new, source.op.weight.name)
    elif isinstance(source.op, Convolve) and set(scale.axes) <= {TIME, source.op.out_channel}:
        reason = ""
        op = _banks(rewriter, source.op, scale)
    else:
        reason = f"a {source.op.mnemonic} cannot be unshared over {', '.join(scale.axes)}"
    if op is None:
        notes.append(Note(node.name, False, reason))
        return rewriter.emit(node, node.op, source.name)
    notes.append(Note(node.name, True, f"weights unshared over {', '.join(scale.axes)}"))
    return new.add(op, source.inputs, fuse(source.locs, node.locs), old.name)


def _banks(rewriter: Rewriter, op: Convolve, scale: Named) -> Convolve:
    """The convolution with one scaled bank of weights for every step."""
    weight = np.asarray(rewriter.array(op.weight), np.float64)
    rows = scale.over((TIME, op.out_channel))[..., None, None, None]
    axes = op.weight.axes if op.banks else (TIME, *op.weight.axes)
    return replace(op, weight=rewriter.new.constant(op.weight.name, weight * rows, axes))
