"""Constants that are added to currents wait until a population or the readout takes them."""

from dataclasses import dataclass, replace
from typing import ClassVar

from snncc.diagnostics import SnnccError
from snncc.ir import SPIKING, TIME, Graph, Node, Op, Param
from snncc.ir.dialects.gates import Gate
from snncc.ir.dialects.moves import Take
from snncc.ir.dialects.neurons import Neuron
from snncc.ir.dialects.projections import Concat, Contract, Convolve, Frames, Sum
from snncc.ir.dialects.spiking import Affine, Opaque, Population, Readout
from snncc.ir.dialects.windows import Largest
from snncc.meaning import Meaning
from snncc.passes.named import Named, concatenate
from snncc.passes.neuron_constants import by_state
from snncc.passes.pipeline import PassResult
from snncc.passes.rewriter import Rewriter


@dataclass(frozen=True)
class MoveOffsetsIntoPopulations:
    """X = I + d: the current carries I alone, each of its populations adds d as a bias.

    Sums add their offsets, concats join them, a remaining scale scales them, and a readout adds
    the offset of all T steps once. The largest of windows keeps an offset that differs within a
    window; any other commutes with it. A gate lets its current's offset pass as a map of its own.
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


@MOVED.of(Take)
def taken(at: Waiting, op: Take) -> Moved:
    (offset,) = at.pending
    for place, (axis, name) in enumerate(zip(op.axes, op.out, strict=True)):
        offset = offset.gathered(axis, name, op.index(place))
    return at.emit(op), offset.compact()


@MOVED.of(Largest)
def largest(at: Waiting, op: Largest) -> Moved:
    """What differs within a window stays and is compared with."""
    offset = at.rewriter.named(op.offset, 0.0) + at.pending[0]
    if not set(offset.axes) & set(op.axes):
        return at.emit(replace(op, offset=None)), offset
    if TIME in offset.axes:
        raise _by_step(at.node)
    return at.emit(replace(op, offset=at.stored(offset, "offset"))), NONE


@MOVED.of(Gate)
def gated(at: Waiting, op: Gate) -> Moved:
    """Gives s (x + d) = s x + s d: what passes with the current is a map of the gate's spikes."""
    offset, passed = at.pending[1], at.emit(op)
    if offset.is_zero():
        return passed, NONE
    rewriter = at.rewriter
    gate = rewriter.inputs(at.node)[0]
    have = rewriter.new[gate].type.names
    shared = tuple(name for name in have if name in offset.axes)
    out = tuple(name for name in offset.axes if name not in have)
    weight = Named((*shared, *out), offset.over((*shared, *out)))
    if op.inverted:
        weight = weight * Named.scalar(-1.0)
    stored = weight.store(rewriter.new, f"{at.node.name}.offset")
    more = rewriter.emit(at.node, Contract(stored, (), out, shared), gate)
    total = rewriter.emit(at.node, Sum(), passed, more)
    return total, offset if op.inverted else NONE


@MOVED.of(Population)
def population(at: Waiting, op: Population) -> Moved:
    bias = at.rewriter.named(op.bias, 0.0) + at.pending[0]
    return at.emit(op if bias.is_zero() else replace(op, bias=at.stored(bias, "bias"))), NONE


@MOVED.of(Neuron)
def neuron(at: Waiting, op: Neuron) -> Moved:
    """Every state takes what its gain makes of the offset."""
    named = at.rewriter.named
    bias = (named(op.bias, 0.0) + named(op.gain, 0.0) * at.pending[0]).compact()
    if bias.is_zero():
        return at.emit(op), NONE
    stored = by_state(bias, op.states(at.rewriter.new.context))
    param = at.rewriter.new.constant(f"{at.node.name}.bias", stored.array, stored.axes)
    return at.emit(replace(op, bias=param)), NONE


@MOVED.of(Readout)
def readout(at: Waiting, op: Readout) -> Moved:
    (offset,), steps = at.pending, Named.scalar(at.rewriter.old.steps)
    every = offset.total([TIME]) if TIME in offset.axes else offset * steps
    return at.emit(Readout(at.stored(every + at.rewriter.named(op.offset, 0.0), "offset"))), NONE


@MOVED.each(Frames, Contract, Convolve, Opaque)
def as_it_is(at: Waiting, op: Op) -> Moved:
    """What reads no current has no offset to pass on; of what has no form the model is refused."""
    return at.emit(op), NONE


def _by_step(node: Node) -> SnnccError:
    """An offset that differs by step and within a window has no integer form."""
    return SnnccError(
        "SNN031",
        f"{node.name}: what is added before a maximum differs by step and by place",
        node.locs[0] if node.locs else None,
        why="a maximum keeps one offset for all steps",
        help="take the maximum before what differs from step to step, or of spikes",
    )
