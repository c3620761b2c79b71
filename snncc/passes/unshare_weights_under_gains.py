"""The strict alternative to a gain: one copy of the weights for every token."""

from dataclasses import dataclass
from typing import ClassVar

from snncc.ir import Graph, Node, fuse
from snncc.ir.projections import Contract
from snncc.ir.spiking_ops import Affine
from snncc.passes.dense_map import DenseMap
from snncc.passes.pipeline import Note, PassResult
from snncc.passes.rewriter import Rewriter


@dataclass(frozen=True)
class UnshareWeightsUnderGains:
    """a_n * (W s)_n = (a_n W) s for every n: the map's weight gets the scale's axes.

    It costs as many times the weights as there are tokens; hardware without weight sharing stores
    them anyway. Only for a contraction that nobody else reads.
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
    source = rewriter.old[node.inputs[0]]
    if not isinstance(source.op, Contract) or rewriter.old.sole_reader(source.name) is None:
        notes.append(Note(node.name, False, f"a {source.op.mnemonic} that others read or no map"))
        return rewriter.emit(node, node.op, *rewriter.inputs(node))
    scale = rewriter.named(node.op.scale, 1.0)
    dense = DenseMap.read(source.op, rewriter.new).scaled_result(scale)
    op = dense.op(rewriter.new, source.op.weight.name)
    notes.append(Note(node.name, True, f"weights unshared over {', '.join(scale.axes)}"))
    locs = fuse(source.locs, node.locs)
    return rewriter.new.add(op, rewriter.inputs(source), locs, source.name)
