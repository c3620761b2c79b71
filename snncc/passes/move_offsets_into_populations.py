"""Constants that are added to currents wait until a population or the readout takes them."""

import math
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from snncc.diagnostics import SnnccError
from snncc.ir import SPIKING, TIME, Graph, Kind, Node, Op, Param
from snncc.ir.dialects.delays import Delay
from snncc.ir.dialects.gates import Gate
from snncc.ir.dialects.moves import Take
from snncc.ir.dialects.neurons import Neuron
from snncc.ir.dialects.products import Product
from snncc.ir.dialects.projections import Concat, Contract, Convolve, Frames, Sum
from snncc.ir.dialects.spiking import Affine, Opaque, Population, Readout
from snncc.ir.dialects.step_windows import mask_of, steps_in
from snncc.ir.dialects.sums import SumAlong
from snncc.ir.dialects.thresholds import MultiThreshold
from snncc.ir.dialects.windows import Largest
from snncc.meaning import Meaning
from snncc.passes.levels import by_level
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
            pending = [offsets[name] for name in node.inputs if name in offsets]
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


@MOVED.of(SumAlong)
def added_along(at: Waiting, op: SumAlong) -> Moved:
    """Every place along the axes adds its offset."""
    (offset,) = at.pending
    source = at.rewriter.old[at.node.inputs[0]].type
    varying = [name for name in op.summed if name in offset.axes]
    alike = math.prod(source.size(name) for name in op.summed if name not in varying)
    return at.emit(op), (offset.total(varying) * Named.scalar(alike)).compact()


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


@MOVED.of(Delay)
def delayed(at: Waiting, op: Delay) -> Moved:
    """An offset comes with its current, not before it."""
    source = at.rewriter.old[at.node.inputs[0]]
    if source.type.kind is Kind.SPIKE:
        return at.emit(op), NONE
    if not at.pending:
        raise _around_a_loop(at.node)
    offset, steps = at.pending[0], at.rewriter.old.steps
    if offset.is_zero():
        return at.emit(op), NONE
    rest = tuple(name for name in offset.axes if name != TIME)
    whole = offset.over((TIME, *rest))
    whole = np.broadcast_to(whole, (steps, *whole.shape[1:]))
    first = np.zeros((min(op.steps, steps), *whole.shape[1:]))
    then = np.concatenate([first, whole[: max(0, steps - op.steps)]])
    return at.emit(op), Named((TIME, *rest), then).compact()


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


@MOVED.of(Product)
def multiplied(at: Waiting, op: Product) -> Moved:
    """As of a gate: the sum of s d over the summed axes is a map of the gate's spikes."""
    offset, passed = at.pending[1], at.emit(op)
    if offset.is_zero():
        return passed, NONE
    rewriter = at.rewriter
    gate = rewriter.inputs(at.node)[0]
    have = rewriter.new[gate].type
    shared = tuple(n for n in have.names if n in offset.axes and n not in op.summed)
    into = tuple(n for n in have.names if n in offset.axes and n in op.summed)
    out = tuple(name for name in offset.axes if name not in have.names)
    alike = tuple(name for name in op.summed if name not in offset.axes)
    weight = Named((*shared, *out, *into), offset.over((*shared, *out, *into)))
    if op.inverted:
        weight = weight * Named.scalar(-1.0)
    stored = weight.store(rewriter.new, f"{at.node.name}.offset")
    more = rewriter.emit(at.node, Contract(stored, into, out, shared, alike), gate)
    total = rewriter.emit(at.node, Sum(), passed, more)
    if not op.inverted:
        return total, NONE
    count = Named.scalar(math.prod(have.size(name) for name in alike))
    return total, (offset.total(into) * count).compact()


@MOVED.of(Population)
def population(at: Waiting, op: Population) -> Moved:
    bias = at.rewriter.named(op.bias, 0.0) + at.pending[0]
    return at.emit(op if bias.is_zero() else replace(op, bias=at.stored(bias, "bias"))), NONE


@MOVED.of(MultiThreshold)
def staircase(at: Waiting, op: MultiThreshold) -> Moved:
    """An offset d moves every threshold k to k - p d: p (x + d) >= k is p x >= k - p d."""
    named = at.rewriter.named
    offset = named(op.polarity, 1.0) * at.pending[0]
    if offset.is_zero():
        return at.emit(op), NONE
    levels = named(op.thresholds, 0.0) + Named.scalar(-1.0) * offset
    stored = by_level(levels, at.node, at.rewriter.new, f"{at.node.name}.thresholds")
    return at.emit(replace(op, thresholds=stored)), NONE


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
    (offset,), steps = at.pending, at.rewriter.old.steps
    every = offset * Named.scalar(steps_in(op.window, steps))
    if TIME in offset.axes:
        every = (offset * Named((TIME,), mask_of(op.window, steps).astype(float))).total([TIME])
    whole = every + at.rewriter.named(op.offset, 0.0)
    return at.emit(replace(op, offset=at.stored(whole, "offset"))), NONE


@MOVED.each(Frames, Contract, Convolve, Opaque)
def as_it_is(at: Waiting, op: Op) -> Moved:
    """What reads no current has no offset to pass on; of what has no form the model is refused."""
    return at.emit(op), NONE


def _around_a_loop(node: Node) -> SnnccError:
    """A current that is delayed before it exists: what is added to it is not known yet."""
    return SnnccError(
        "SNN040",
        f"{node.name}: a current is fed back, not spikes",
        node.loc,
        why="what is added to a current has to be known before it is delayed",
        help="delay the spikes before the linear map: the current is the same",
    )


def _by_step(node: Node) -> SnnccError:
    """An offset that differs by step and within a window has no integer form."""
    return SnnccError(
        "SNN031",
        f"{node.name}: what is added before a maximum differs by step and by place",
        node.locs[0] if node.locs else None,
        why="a maximum keeps one offset for all steps",
        help="take the maximum before what differs from step to step, or of spikes",
    )
