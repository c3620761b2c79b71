"""Constants that are added to currents wait until a population or the readout takes them."""

from dataclasses import dataclass, replace
from typing import ClassVar

from snncc.diagnostics import SnnccError
from snncc.ir import TIME, Graph, Node
from snncc.ir.moves import Take
from snncc.ir.projections import Concat, Sum
from snncc.ir.spiking_ops import Affine, Population, Readout
from snncc.ir.windows import Largest
from snncc.passes.named import Named, concatenate
from snncc.passes.pipeline import PassResult
from snncc.passes.rewriter import Rewriter


@dataclass(frozen=True)
class MoveOffsetsIntoPopulations:
    """X = I + d: the current carries I alone, each of its populations adds d as a bias.

    Sums add their offsets, concats join them, a remaining scale scales them, and a readout adds
    the offset of all T steps once. The largest of windows keeps an offset that differs within a
    window; any other commutes with it.
    """

    name: ClassVar[str] = "move_offsets_into_populations"

    def run(self, graph: Graph) -> PassResult:
        """Moves every offset; afterwards affines only scale."""
        rewriter = Rewriter(graph)
        offsets: dict[str, Named] = {}
        for node in graph.nodes:
            pending = [offsets.get(name, Named.scalar(0.0)) for name in node.inputs]
            rewriter.value[node.name], offsets[node.name] = _visit(rewriter, node, pending)
        return PassResult(rewriter.finish())


def _visit(rewriter: Rewriter, node: Node, pending: list[Named]) -> tuple[str, Named]:
    """New name of the value without its offset, and the offset."""
    new, sources, steps = rewriter.new, rewriter.inputs(node), Named.scalar(rewriter.old.steps)
    match node.op:
        case Affine(scale=scale, offset=offset):
            factor = rewriter.named(scale, 1.0)
            shifted = factor * pending[0] + rewriter.named(offset, 0.0)
            if scale is None:
                return sources[0], shifted.compact()
            return rewriter.emit(node, Affine(scale=scale), sources[0]), shifted.compact()
        case Sum():
            total = Named.scalar(0.0)
            for part in pending:
                total = total + part
            return rewriter.emit(node, node.op, *sources), total.compact()
        case Concat(along=along, out=out):
            parts = [
                (part, axis, rewriter.old[name].type.size(axis))
                for part, axis, name in zip(pending, along, node.inputs, strict=True)
            ]
            return rewriter.emit(node, node.op, *sources), concatenate(parts, out)
        case Take(axes=over, out=made):
            total = pending[0]
            for at, (axis, name) in enumerate(zip(over, made, strict=True)):
                total = total.gathered(axis, name, node.op.index(at))
            return rewriter.emit(node, node.op, *sources), total.compact()
        case Largest(axes=over):
            total = rewriter.named(node.op.offset, 0.0) + pending[0]
            if not set(total.axes) & set(over):
                return rewriter.emit(node, replace(node.op, offset=None), *sources), total
            if TIME in total.axes:
                raise _by_step(node)
            own = total.store(new, f"{node.name}.offset")
            kept = replace(node.op, offset=own)
            return rewriter.emit(node, kept, *sources), Named.scalar(0.0)
        case Population(bias=bias):
            total = rewriter.named(bias, 0.0) + pending[0]
            op = node.op
            if not total.is_zero():
                op = replace(op, bias=total.store(new, f"{node.name}.bias"))
            return rewriter.emit(node, op, *sources), Named.scalar(0.0)
        case Readout(offset=offset):
            every = pending[0].total([TIME]) if TIME in pending[0].axes else pending[0] * steps
            total = every + rewriter.named(offset, 0.0)
            stored = None if total.is_zero() else total.store(new, f"{node.name}.offset")
            return rewriter.emit(node, Readout(stored), *sources), Named.scalar(0.0)
        case _:
            return rewriter.emit(node, node.op, *sources), Named.scalar(0.0)


def _by_step(node: Node) -> SnnccError:
    """An offset that differs by step and within a window has no integer form."""
    return SnnccError(
        "SNN031",
        f"{node.name}: what is added before a maximum differs by step and by place",
        node.locs[0] if node.locs else None,
        why="a maximum keeps one offset for all steps",
        help="take the maximum before what differs from step to step, or of spikes",
    )
