"""The width proof: how large every number of a program can become, element by element.

Interval analysis from the image on. A sum of selected weights is at most the sum of the positive
ones; everything after it is monotone in it, so that the ends of an interval decide. Membranes go
through all T steps with leak and reset. Nothing is assumed about which spikes occur together.

Every sum is formed in 64 bits only where a bound says that it cannot leave them, and in Python's
integers elsewhere; what then needs more than `WIDEST` bits is an error.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from snncc.ir import INTEGER, TIME, Array, Graph, Node, ValueType
from snncc.ir.arrays import spread
from snncc.ir.cycles import between_neurons
from snncc.ir.dialects.delays import Delay
from snncc.ir.dialects.gates import Gate
from snncc.ir.dialects.integer import Gain, IntegerPopulation, IntegerReadout
from snncc.ir.dialects.integer_neurons import IntegerNeuron
from snncc.ir.dialects.moves import Take
from snncc.ir.dialects.products import Product
from snncc.ir.dialects.projections import (
    Concat,
    Contract,
    Convolve,
    Frames,
    Sum,
)
from snncc.ir.dialects.state_bounds import Reached
from snncc.ir.dialects.sums import SumAlong
from snncc.ir.dialects.thresholds import MultiThreshold
from snncc.ir.dialects.windows import Largest
from snncc.ir.op import require_narrow
from snncc.ir.types import BIT
from snncc.meaning import Meaning

Ints = NDArray[np.int64]
Bounds = tuple[Ints, Ints]
"""Least and largest of each element, [t, *axes of one step]; t is 1 where all steps are alike."""


def axes_of_step(node: Node) -> tuple[str, ...]:
    """Names of a value's axes without time."""
    return tuple(name for name in node.type.names if name != TIME)


@dataclass(frozen=True)
class End:
    """One end of what a node's value can be.

    Attributes:
        graph: integer dialect.
        node: one of it.
        known: bounds of all earlier values.
        upper: whether the largest is asked for.
    """

    graph: Graph
    node: Node
    known: Mapping[str, Bounds]
    upper: bool

    @property
    def names(self) -> tuple[str, ...]:
        """Axes of the answer: time, then those of one step."""
        return (TIME, *axes_of_step(self.node))

    @property
    def source(self) -> ValueType:
        """Type of the first input."""
        return self.graph[self.node.inputs[0]].type

    def of(self, source: str, renamed: Mapping[str, str]) -> Ints:
        """The same end of an input, over the axes of the answer."""
        axes = (TIME, *(renamed.get(n, n) for n in axes_of_step(self.graph[source])))
        return spread(self.known[source][self.upper], axes, self.names)


END: Meaning[End, Array] = Meaning("the width proof", INTEGER)


def bounds_of(graph: Graph) -> dict[str, Bounds]:
    """Bounds of every value, by node. Raises SnnccError (SNN040) for ops that have none."""
    END.require(graph)
    found: dict[str, Bounds] = {}
    for node in between_neurons(graph):  # what a delay reads is known before it
        low, high = (_end(End(graph, node, found, upper)) for upper in (False, True))
        found[node.name] = low, high
    return found


def _end(at: End) -> Ints:
    value = settled(at.node, END(at, at.node))
    sizes = (at.node.type.size(name) for name in at.names[1:])
    return np.broadcast_to(value, (len(value), *sizes))


def before_shift_of(graph: Graph, node: Node, op: Gain, source: Bounds) -> Bounds:
    """Bounds of mantissa * x + 2^(shift-1), the widest number on the way through a gain."""
    names = (TIME, *axes_of_step(node))
    mantissa = spread(graph.constants[op.mantissa.name], op.mantissa.axes, names)
    half = (1 << op.shift) >> 1
    reach = largest(mantissa) * max(map(largest, source)) + half
    ends = [exact(mantissa, reach) * exact(x, reach) + half for x in source]
    return settled(node, np.minimum(*ends)), settled(node, np.maximum(*ends))


def largest(array: Ints) -> int:
    """The largest size of an element."""
    return max(-int(array.min(initial=0)), int(array.max(initial=0)))


def exact(array: Array, reach: int) -> Array:
    """In 64 bits, or as Python's integers where numbers up to `reach` could overflow them."""
    return array.astype(np.int64 if reach < 1 << 62 else object)


def settled(node: Node, array: Array) -> Ints:
    """In 64 bits. Raises TooWide where an element needs more than a program may hold."""
    ends = int(array.min(initial=0)), int(array.max(initial=0))
    require_narrow(f"%{node.name}", *ends)
    return array.astype(np.int64)


def before_shift(graph: Graph, node: Node, op: Gain) -> tuple[int, int]:
    """The same as one interval, over the whole declared range of the current and mantissa 0."""
    mantissa = graph.constants[op.mantissa.name]
    half = (1 << op.shift) >> 1
    ends = [
        int(m) * x + half
        for m in (mantissa.min(initial=0), mantissa.max(initial=0))
        for x in graph[node.inputs[0]].type.range or (0, 0)
    ]
    return min(ends), max(ends)


def membrane_of(graph: Graph, node: Node, op: IntegerPopulation, current: Bounds) -> Bounds:
    """Bounds of a population's membranes before and after the reset, at any step: [*axes]."""
    names = axes_of_step(graph[node.inputs[0]])
    shape = tuple(node.type.size(name) for name in names)
    low, high = op.membrane_bounds(*current, names, graph.context)
    return np.broadcast_to(low, shape), np.broadcast_to(high, shape)


@END.of(Frames)
def frames(at: End, op: Frames) -> Array:
    return _same(at, op.domain)


@END.of(IntegerPopulation)
def spikes(at: End, op: IntegerPopulation) -> Array:
    return _same(at, BIT)


@END.of(IntegerNeuron)
def states(at: End, op: IntegerNeuron) -> Array:
    """Bits or counts; where it never fires, how far what it gives can go at any step."""
    if op.fires:
        return _same(at, op.counts)
    if op.read is not None:
        return _same(at, at.node.type.range or (0, 0))
    form = reach_of(at.graph, at.node, op, at.known[at.node.inputs[0]]).form
    return np.asarray(form[at.upper])[None]


def reach_of(graph: Graph, node: Node, op: IntegerNeuron, current: Bounds) -> Reached:
    """Bounds of what is compared and of every state, at any step: [*axes] of each neuron."""
    names = axes_of_step(graph[node.inputs[0]])
    return op.bounds_by_neuron(*current, names, graph.context)


@END.of(Sum)
def total(at: End, op: Sum) -> Array:
    pairs = [(at.of(n, {}), move) for n, move in op.terms(at.node.inputs)]
    reach = sum(largest(x) << move for x, move in pairs)
    value: Array = np.zeros((), np.int64)
    for x, move in pairs:
        value = value + (exact(x, reach) << move)
    return value


@END.of(SumAlong)
def total_along(at: End, op: SumAlong) -> Array:
    source = at.graph[at.node.inputs[0]]
    names = (TIME, *axes_of_step(source))
    known = at.known[source.name][at.upper]
    value = np.broadcast_to(known, (len(known), *(source.type.size(n) for n in names[1:])))
    wide = exact(value, largest(value) * op.places(source.type))
    total: Array = wide.sum(axis=tuple(names.index(n) for n in op.summed))
    return total


@END.of(Concat)
def side_by_side(at: End, op: Concat) -> Array:
    parts = [at.of(n, {axis: op.out}) for n, axis in zip(at.node.inputs, op.along, strict=True)]
    steps = max(len(part) for part in parts)
    parts = [np.broadcast_to(part, (steps, *part.shape[1:])) for part in parts]
    return np.concatenate(parts, axis=at.names.index(op.out))


@END.of(Gate)
def gated(at: End, op: Gate) -> Array:
    """What passes, or 0; whether it passes is not asked."""
    value = at.of(at.node.inputs[1], {})
    steps = at.graph.steps if at.node.type.temporal else 1
    value = np.broadcast_to(value, (steps, *value.shape[1:]))
    return np.maximum(value, 0) if at.upper else np.minimum(value, 0)


@END.of(Delay)
def delayed(at: End, op: Delay) -> Array:
    """Spikes are bits at any step; of currents the start, then what they were."""
    if at.node.type.domain is not None:
        return _same(at, BIT)
    known, steps = at.of(at.node.inputs[0], {}), at.graph.steps
    start: Array = np.zeros((1,) * len(at.names), np.int64)
    if op.start is not None:
        start = spread(at.graph.constants[op.start.name], op.start.axes, at.names)
    shape = np.broadcast_shapes(known.shape[1:], start.shape[1:])
    first = np.broadcast_to(start, (min(op.steps, steps), *shape))
    then = np.broadcast_to(known, (steps, *shape))[: max(0, steps - op.steps)]
    return np.concatenate([first, then])


@END.of(Product)
def multiplied(at: End, op: Product) -> Array:
    """Every element that lowers it, or raises it, is selected; what the gate does is not asked."""
    made, gate = at.node.type, at.graph[at.node.inputs[0]].type
    target = (*at.names, *op.summed)
    axes = (TIME, *axes_of_step(at.graph[at.node.inputs[1]]))
    value = spread(at.known[at.node.inputs[1]][at.upper], axes, target)
    reach = largest(value) * math.prod(gate.size(name) for name in op.summed)
    wide = exact(value, reach)
    chosen = np.maximum(wide, 0) if at.upper else np.minimum(wide, 0)
    sizes = (*chosen.shape[: len(at.names)], *(gate.size(name) for name in op.summed))
    whole = np.broadcast_to(chosen, sizes).sum(axis=tuple(range(len(at.names), len(target))))
    steps = at.graph.steps if made.temporal else 1
    ends: Array = np.broadcast_to(whole, (steps, *whole.shape[1:]))
    return ends


@END.of(Take)
def taken(at: End, op: Take) -> Array:
    source = at.graph[at.node.inputs[0]]
    names = (TIME, *axes_of_step(source))
    value: Array = at.known[source.name][at.upper]
    for i, name in enumerate(op.axes):
        axis, index = names.index(name), op.index(i)
        moved = np.moveaxis(value, axis, 0)[index]
        moved[index < 0] = 0
        value = np.moveaxis(moved, 0, axis)
    return value


@END.of(MultiThreshold)
def passed(at: End, op: MultiThreshold) -> Array:
    """All thresholds or none, whatever the current can be."""
    return _same(at, at.node.type.range or (0, 0))


@END.of(Largest)
def largest_of(at: End, op: Largest) -> Array:
    """A maximum grows with each of its elements, so that ends of a window decide."""
    source = at.graph[at.node.inputs[0]]
    names = (TIME, *axes_of_step(source))
    known = at.known[source.name][at.upper]
    shape = (len(known), *(source.type.size(n) for n in names[1:]))
    value: Array = np.broadcast_to(known, shape)
    if op.offset is not None:
        more = spread(at.graph.constants[op.offset.name], op.offset.axes, names)
        reach = largest(value) + largest(more)
        value = exact(value, reach) + exact(more, reach)
    for i, name in enumerate(op.axes):
        axis = names.index(name)
        value = _largest_along(value, op.places(i, source.type.size(name)), axis)
    return value


def _largest_along(value: Array, places: Ints, axis: int) -> Array:
    """Of the elements at places [kernel, size] along an axis, one place after another."""
    found: Array = np.take(value, places[0], axis=axis)
    for row in range(1, len(places)):
        other: Array = np.take(value, places[row], axis=axis)
        np.maximum(found, other, out=found)
    return found


@END.of(Gain)
def gain(at: End, op: Gain) -> Array:
    before = before_shift_of(at.graph, at.node, op, at.known[at.node.inputs[0]])
    return before[at.upper] >> op.shift


@END.of(IntegerReadout)
def readout(at: End, op: IntegerReadout) -> Array:
    steps = at.graph.steps
    each, more = at.known[at.node.inputs[0]][at.upper], np.zeros((1,) * len(at.names), np.int64)
    if op.offset is not None:
        more = spread(at.graph.constants[op.offset.name], op.offset.axes, at.names)
    reach = largest(each) * steps + largest(more)
    value: Array = exact(each, reach).sum(axis=0, keepdims=True) * (steps // len(each))
    return value + exact(more, reach)


@END.of(Contract)
def contract(at: End, op: Contract) -> Array:
    weight = at.graph.constants[op.weight.name]
    kept = (*op.shared, *op.out)
    rows = weight.reshape(*weight.shape[: len(kept)], -1)
    again = math.prod(at.source.size(name) for name in op.summed)
    total = _taken(at, rows, rows.shape[-1] * again).sum(axis=-1) * again
    return spread(total, kept, at.names)


@END.of(Convolve)
def convolve(at: End, op: Convolve) -> Array:
    """Every position by itself: a kernel that hangs over the border takes less."""
    weight, source, made = at.graph.constants[op.weight.name], at.source, at.node.type
    taps = _taken(at, weight, math.prod(weight.shape[-3:])).sum(axis=-3)
    taps = taps if op.banks else taps[None]
    rows = _meets(op, 0, source.size(op.height), made.size(op.out_height), taps.shape[2])
    columns = _meets(op, 1, source.size(op.width), made.size(op.out_width), taps.shape[3])
    total = np.einsum("topq,pi,qj->tijo", taps, rows, columns)
    return spread(total, (TIME, op.out_height, op.out_width, op.out_channel), at.names)


def _same(at: End, interval: tuple[int, int]) -> Ints:
    """The same end for every element and step."""
    return np.full((1,) * len(at.names), interval[at.upper], np.int64)


def _taken(at: End, weight: Array, terms: int) -> Array:
    """What each weight adds where a sum of so many terms is at this end.

    A positive weight is taken as often as the source's domain allows, or as seldom; a negative one
    the other way round.
    """
    low, high = at.source.domain or BIT
    wide = exact(weight, largest(weight) * max(-low, high) * terms)
    most, least = (high, low) if at.upper else (low, high)
    taken: Array
    if low == 0:
        taken = (np.maximum(wide, 0) if at.upper else np.minimum(wide, 0)) * high
    else:
        taken = np.maximum(wide, 0) * most + np.minimum(wide, 0) * least
    return taken


def _meets(op: Convolve, axis: int, size: int, places: int, kernel: int) -> Ints:
    """[kernel, places]: 1 where this tap of the kernel lies inside the image."""
    place = np.arange(places) * op.stride[axis] - op.padding[axis]
    at = place + np.arange(kernel)[:, None] * op.dilation[axis]
    return ((at >= 0) & (at < size)).astype(np.int64)
