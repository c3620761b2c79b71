"""Inputs that drive a number of a program to the end of its proved interval.

A witness is given in what the number is made of: the counts or spikes that its current selects
with, or, for a membrane, the population's currents over T steps. It claims nothing: a bound counts
as attained only when running the witness reaches it (`snncc.runtime.proofs.witness`). Where several
currents read the same spikes with opposite signs, interval analysis bounds more than any spikes can
do; there the best spikes that are known stop short of the bound.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from snncc.ir import INTEGER, TIME, Array, Graph, Kind, Node, Param
from snncc.ir.arrays import spread
from snncc.ir.dialects.delays import Delay
from snncc.ir.dialects.gates import Gate
from snncc.ir.dialects.integer import Gain, IntegerPopulation, IntegerReadout
from snncc.ir.dialects.integer_neurons import IntegerNeuron
from snncc.ir.dialects.moves import Take
from snncc.ir.dialects.products import Product
from snncc.ir.dialects.projections import Concat, Contract, Convolve, Frames, Sum
from snncc.ir.dialects.sums import SumAlong
from snncc.ir.dialects.thresholds import MultiThreshold
from snncc.ir.dialects.windows import Largest
from snncc.ir.types import BIT
from snncc.meaning import Meaning
from snncc.mfi.widths.bounds import Bounds, axes_of_step
from snncc.mfi.widths.drives import Moment, drive
from snncc.mfi.widths.responses import response

Index = dict[str, int]
Shares = dict[str, NDArray[np.float64]]
"""[t, *axes of one step] by value; t is 1 for a value without time."""


@dataclass(frozen=True)
class Witness:
    """Inputs, and the number that they drive.

    Attributes:
        node: whose number it is.
        what: "current", "before shift", "membrane", "state 0" (1, ...) or "readout".
        element: its index over the axes of one step; where steps differ one of them reaches most.
        upper: which end of the interval.
        bound: that end.
        inputs: values by node, [1, *axes], as the interpreter takes them.
    """

    node: str
    what: str
    element: tuple[int, ...]
    upper: bool
    bound: int
    inputs: Mapping[str, Array]


def sum_witness(
    graph: Graph, node: Node, what: str, at: tuple[int, ...], upper: bool, bound: int
) -> Witness:
    """Counts and spikes that push a current, a gain or a readout to one end.

    Every input gets its share in the number, over all ways that lead there; the inputs whose share
    has the right sign are taken. A readout adds up what every step gives.

    Args:
        graph: integer dialect.
        node: whose number it is.
        what: see `Witness`.
        at: step and index over the axes of one step, as in `Bounds`.
        upper: which end.
        bound: that end.
    """
    shares: Shares = {}
    index = dict(zip(axes_of_step(node), at[1:], strict=True))
    if node.type.kind is Kind.READOUT:
        for t in range(graph.steps):
            _follow(graph, node.inputs[0], {**index, TIME: t}, 1.0, shares)
    else:
        _follow(graph, node.name, {**index, TIME: at[0]}, 1.0, shares)
    for source in _selectors(graph, node):
        shares.setdefault(source.name, _nothing(source))  # beside this element, not in it
    inputs: dict[str, Array] = {}
    for name, share in shares.items():
        kind = graph[name].type
        low, high = kind.domain or BIT
        taken = np.where(share > 0.0 if upper else share < 0.0, high, low)
        inputs[name] = in_place(graph[name], taken.astype(kind.dtype))
    return Witness(node.name, what, at[1:], upper, bound, inputs)


def _selectors(graph: Graph, node: Node) -> list[Node]:
    """The pixels and spikes that select what a number is made of, whichever of its elements."""
    found: dict[str, Node] = {}
    seen, pending = {node.name}, [node]
    while pending:
        reader = pending.pop()
        for name in reader.inputs:
            if name in seen:
                continue
            seen.add(name)
            gates = isinstance(reader.op, Gate | Product) and name == reader.inputs[0]
            if gates or isinstance(reader.op, Contract | Convolve):
                found |= {each.name: each for each in _side_by_side(graph, graph[name])}
            else:
                pending.append(graph[name])
    return list(found.values())


def _side_by_side(graph: Graph, node: Node) -> list[Node]:
    """The values that a concat of spikes consists of, as `_give` divides it."""
    if not isinstance(node.op, Concat):
        return [node]
    return [each for name in node.inputs for each in _side_by_side(graph, graph[name])]


def _nothing(node: Node) -> NDArray[np.float64]:
    steps = node.type.size(TIME) if node.type.temporal else 1
    return np.zeros((steps, *(node.type.size(name) for name in axes_of_step(node))))


def in_place(node: Node, value: Array) -> Array:
    """[t, *axes of one step] as the interpreter takes it; without time there is one step."""
    if not node.type.temporal:
        return value
    return np.moveaxis(value, 0, node.type.names.index(TIME))[None]


def membrane_witness(
    graph: Graph,
    node: Node,
    op: IntegerPopulation,
    current: Bounds,
    element: tuple[int, ...],
    upper: bool,
    bound: int,
) -> Witness:
    """Currents over T steps that push one membrane to one end; the others rest near 0."""
    source = graph[node.inputs[0]]
    names = (TIME, *axes_of_step(source))
    shape = (graph.steps, *(source.type.size(name) for name in names[1:]))

    def each(param: Param | None, default: int) -> list[int]:
        """A constant of this neuron at every step."""
        if param is None:
            return [default] * graph.steps
        array = spread(graph.constants[param.name].astype(np.int64), param.axes, names)
        full = np.broadcast_to(array, shape)
        return [int(full[(t, *element)]) for t in range(graph.steps)]

    low, high = (np.broadcast_to(end, shape) for end in current)
    constants = zip(
        each(op.threshold, 0),
        each(op.bias, 0),
        each(op.polarity, 1),
        each(op.offset, 0),
        strict=True,
    )
    neuron = [
        Moment(
            threshold,
            bias + sign * offset,
            sign,
            (int(low[(t, *element)]), int(high[(t, *element)])),
        )
        for t, (threshold, bias, sign, offset) in enumerate(constants)
    ]
    moments = drive(op.rule, neuron, upper, source.type.temporal)
    given = np.clip(0, low, high)
    for t, x in enumerate(moments):
        given[(t, *element)] = x
    if not source.type.temporal:
        given = given[:1]
    return Witness(
        node.name, "membrane", element, upper, bound, {source.name: in_place(source, given)}
    )


@dataclass(frozen=True)
class Share:
    """What one element of a node has in a number.

    Attributes:
        graph: integer dialect.
        node: one of it.
        index: of the element, with the step; what has no time axis is the same at every step.
        factor: how often the number counts it.
        shares: of counts and spikes, to which those behind this element are added.
    """

    graph: Graph
    node: Node
    index: Index
    factor: float
    shares: Shares

    def to(self, source: str, index: Index, factor: float) -> None:
        """Adds what one element of an input has."""
        _follow(self.graph, source, index, factor, self.shares)

    def give(self, share: NDArray[np.float64]) -> None:
        """Adds the shares of the first input's elements at this step."""
        _give(self.graph, self.graph[self.node.inputs[0]], share, self.index[TIME], self.shares)


SHARE: Meaning[Share, None] = Meaning("what leads back from a current", INTEGER)


def _follow(graph: Graph, name: str, index: Index, factor: float, shares: Shares) -> None:
    """Adds to the shares of all counts and spikes what they have in factor * (one element)."""
    SHARE(Share(graph, graph[name], index, factor, shares), graph[name])


@SHARE.of(Sum)
def total(at: Share, op: Sum) -> None:
    for source, shift in op.terms(at.node.inputs):
        part = {axis: at.index[axis] for axis in (TIME, *axes_of_step(at.graph[source]))}
        at.to(source, part, at.factor * 2.0**shift)


@SHARE.of(SumAlong)
def total_along(at: Share, op: SumAlong) -> None:
    source = at.graph[at.node.inputs[0]].type
    for place in np.ndindex(*(source.size(name) for name in op.summed)):
        index = {**at.index, **dict(zip(op.summed, place, strict=True))}
        at.to(at.node.inputs[0], index, at.factor)


@SHARE.of(Gain)
def gain(at: Share, op: Gain) -> None:
    place = tuple(at.index[axis] for axis in op.mantissa.axes)
    scale = float(at.graph.constants[op.mantissa.name][place]) * 2.0**-op.shift
    at.to(at.node.inputs[0], at.index, at.factor * scale)


@SHARE.of(IntegerNeuron)
def read_out(at: Share, op: IntegerNeuron) -> None:
    """From a readout of membranes back to the currents of all steps before, with their weights."""
    place = {name: at.index[name] for name in at.index if name != TIME}
    for t, weight in enumerate(response(at.graph, op, at.index)):
        at.to(at.node.inputs[0], {**place, TIME: t}, at.factor * weight)


@SHARE.of(Gate)
def gated(at: Share, op: Gate) -> None:
    """Through what passes, and an open gate: its spike has a share unless spikes close it."""
    gate, passing = (at.graph[name] for name in at.node.inputs)
    own = {name: at.index[name] for name in (TIME, *axes_of_step(passing))}
    at.to(passing.name, own, at.factor)
    share = np.zeros([gate.type.size(name) for name in axes_of_step(gate)])
    share[tuple(at.index[name] for name in axes_of_step(gate))] = 0.0 if op.inverted else at.factor
    _give(at.graph, gate, share, at.index[TIME], at.shares)


@SHARE.of(Delay)
def delayed(at: Share, op: Delay) -> None:
    """A current of an earlier step; what stands before the first has nothing behind it."""
    step, own = at.index[TIME] - op.steps, {name: at.index[name] for name in op.axes}
    at.to(at.node.inputs[0], {**own, TIME: max(step, 0)}, at.factor if step >= 0 else 0.0)


@SHARE.of(Product)
def multiplied(at: Share, op: Product) -> None:
    """Through all that is added up, and an open gate, unless spikes close it."""
    gate, passing = (at.graph[name] for name in at.node.inputs)
    share = np.zeros([gate.type.size(name) for name in axes_of_step(gate)])
    for place in np.ndindex(*(gate.type.size(name) for name in op.summed)):
        index = {**at.index, **dict(zip(op.summed, place, strict=True))}
        own = {name: index[name] for name in (TIME, *axes_of_step(passing))}
        at.to(passing.name, own, at.factor)
        opens = 0.0 if op.inverted else at.factor
        share[tuple(index[name] for name in axes_of_step(gate))] = opens
    _give(at.graph, gate, share, at.index[TIME], at.shares)


@SHARE.of(Take)
def taken(at: Share, op: Take) -> None:
    """A zero has nothing behind it; what it is put beside still has a value."""
    index = {name: at.index[name] for name in at.index if name not in op.out}
    factor = at.factor
    for i, (name, out) in enumerate(zip(op.axes, op.out, strict=True)):
        place = int(op.index(i)[at.index[out]])
        index[name], factor = max(place, 0), factor if place >= 0 else 0.0
    at.to(at.node.inputs[0], index, factor)


@SHARE.of(Largest)
def largest(at: Share, op: Largest) -> None:
    """Through one element of the window: that drives a maximum up; all others stay where they are.

    What drives it down has to move every element: its bound is not claimed to be reached.
    """
    source = at.graph[at.node.inputs[0]]
    index = {name: at.index[name] for name in at.index if name not in op.out}
    for i, (name, out) in enumerate(zip(op.axes, op.out, strict=True)):
        index[name] = int(op.places(i, source.type.size(name))[0, at.index[out]])
    at.to(source.name, index, at.factor)


@SHARE.of(Concat)
def side_by_side(at: Share, op: Concat) -> None:
    place = at.index[op.out]
    for source, axis in zip(at.node.inputs, op.along, strict=True):
        size = at.graph[source].type.size(axis)
        if 0 <= place < size:
            rest = {k: v for k, v in at.index.items() if k != op.out}
            at.to(source, {**rest, axis: place}, at.factor)
        place -= size


@SHARE.of(Contract)
def contract(at: Share, op: Contract) -> None:
    source = at.graph[at.node.inputs[0]]
    names = axes_of_step(source)
    gone = (*op.into, *op.summed)
    row = at.graph.constants[op.weight.name][tuple(at.index[n] for n in (*op.shared, *op.out))]
    free = tuple(n for n in names if n in gone)
    share = np.zeros([source.type.size(n) for n in names])
    place = tuple(slice(None) if n in gone else at.index[n] for n in names)
    share[place] = at.factor * spread(row.astype(np.float64), op.into, free)
    at.give(share)


@SHARE.of(Convolve)
def convolve(at: Share, op: Convolve) -> None:
    source, index = at.graph[at.node.inputs[0]], at.index
    names = axes_of_step(source)
    weight = at.graph.constants[op.weight.name].astype(np.float64)
    weight = weight[index[TIME]] if op.banks else weight
    outputs, inputs, height, width = weight.shape
    out = index[op.out_channel]
    first = out // (outputs // op.groups) * inputs
    share = np.zeros([source.type.size(n) for n in names])
    for p in range(height):
        for q in range(width):
            y = index[op.out_height] * op.stride[0] - op.padding[0] + p * op.dilation[0]
            x = index[op.out_width] * op.stride[1] - op.padding[1] + q * op.dilation[1]
            if 0 <= y < source.type.size(op.height) and 0 <= x < source.type.size(op.width):
                tap = {**index, op.height: y, op.width: x}
                place = tuple(
                    slice(first, first + inputs) if n == op.channel else tap[n] for n in names
                )
                share[place] += at.factor * weight[out, :, p, q]
    at.give(share)


SHARE.refuses(
    Frames,
    IntegerPopulation,
    MultiThreshold,
    IntegerReadout,
    why="a current is followed back to spikes and pixels, and no further",
    help="this is a fault of snncc: please report it with the program",
)


def _give(graph: Graph, node: Node, share: NDArray[np.float64], step: int, shares: Shares) -> None:
    """Adds shares of one step to a value's own; those of values side by side go to each."""
    if not isinstance(node.op, Concat):
        steps = node.type.size(TIME) if node.type.temporal else 1
        own = shares.setdefault(node.name, np.zeros((steps, *share.shape)))
        own[min(step, steps - 1)] += share
        return
    names, start = axes_of_step(node), 0
    for name, axis in zip(node.inputs, node.op.along, strict=True):
        source = graph[name]
        stop = start + source.type.size(axis)
        part = share.take(range(start, stop), axis=names.index(node.op.out))
        renamed = tuple(axis if n == node.op.out else n for n in names)
        order = [renamed.index(n) for n in axes_of_step(source)]
        _give(graph, source, part.transpose(order), step, shares)
        start = stop
