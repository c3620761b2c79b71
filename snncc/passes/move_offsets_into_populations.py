"""Constants that are added to currents wait until a population or the readout takes them."""

from dataclasses import dataclass, replace
from typing import ClassVar

from snncc.ir import SPIKING, TIME, Graph, Node, Op, Param
from snncc.ir.projections import Concat, Contract, Convolve, Frames, Sum
from snncc.ir.spiking_ops import Affine, Opaque, Population, Readout
from snncc.meaning import Meaning
from snncc.passes.named import Named, concatenate
from snncc.passes.pipeline import PassResult
from snncc.passes.rewriter import Rewriter


@dataclass(frozen=True)
class MoveOffsetsIntoPopulations:
    """X = I + d: the current carries I alone, each of its populations adds d as a bias.

    Sums add their offsets, concats join them, a remaining scale scales them, and a readout adds
    the offset of all T steps once.
    """

    name: ClassVar[str] = "move_offsets_into_populations"

    def run(self, graph: Graph) -> PassResult:
        """Moves every offset; afterwards affines only scale.

        Raises:
            SnnccError: SNN040 for an op of which it is not known what becomes of an offset.
        """
        rewriter = Rewriter(graph)
        offsets: dict[str, Named] = {}
        for node in graph.nodes:
            pending = [offsets[name] for name in node.inputs]
            moved = MOVED(Waiting(rewriter, node, pending), node)
            rewriter.value[node.name], offsets[node.name] = moved
        return PassResult(rewriter.finish())


@dataclass(frozen=True)
class Waiting:
    """A node whose value is to be without an offset.

    Attributes:
        rewriter: to which it is added.
        node: of the old graph.
        pending: what its inputs were without, in order; 0 for none.
    """

    rewriter: Rewriter
    node: Node
    pending: list[Named]

    def emit(self, op: Op) -> str:
        """Adds a node that reads the same values."""
        return self.rewriter.emit(self.node, op, *self.rewriter.inputs(self.node))

    def stored(self, value: Named, what: str) -> Param | None:
        """A constant, or None for zeros."""
        name = f"{self.node.name}.{what}"
        return None if value.is_zero() else value.store(self.rewriter.new, name)


Moved = tuple[str, Named]
"""New name of a value without its offset, and the offset."""
NONE = Named.scalar(0.0)
MOVED: Meaning[Waiting, Moved] = Meaning("the pass that moves offsets into populations", SPIKING)


@MOVED.of(Affine)
def affine(at: Waiting, op: Affine) -> Moved:
    named = at.rewriter.named
    offset = (named(op.scale, 1.0) * at.pending[0] + named(op.offset, 0.0)).compact()
    if op.scale is None:
        return at.rewriter.inputs(at.node)[0], offset
    return at.emit(Affine(scale=op.scale)), offset


@MOVED.of(Sum)
def added(at: Waiting, op: Sum) -> Moved:
    total = NONE
    for part in at.pending:
        total = total + part
    return at.emit(op), total.compact()


@MOVED.of(Concat)
def side_by_side(at: Waiting, op: Concat) -> Moved:
    sizes = (
        at.rewriter.old[name].type.size(axis)
        for name, axis in zip(at.node.inputs, op.along, strict=True)
    )
    return at.emit(op), concatenate([*zip(at.pending, op.along, sizes, strict=True)], op.out)


@MOVED.of(Population)
def population(at: Waiting, op: Population) -> Moved:
    bias = at.rewriter.named(op.bias, 0.0) + at.pending[0]
    return at.emit(op if bias.is_zero() else replace(op, bias=at.stored(bias, "bias"))), NONE


@MOVED.of(Readout)
def readout(at: Waiting, op: Readout) -> Moved:
    (offset,), steps = at.pending, Named.scalar(at.rewriter.old.steps)
    every = offset.total([TIME]) if TIME in offset.axes else offset * steps
    return at.emit(Readout(at.stored(every + at.rewriter.named(op.offset, 0.0), "offset"))), NONE


@MOVED.each(Frames, Contract, Convolve, Opaque)
def as_it_is(at: Waiting, op: Op) -> Moved:
    """What reads no current has no offset to pass on; of what has no form the model is refused."""
    return at.emit(op), NONE
