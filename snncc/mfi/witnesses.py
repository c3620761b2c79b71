"""Inputs that drive a number of a program to the end of its proved interval.

A witness is given in what the number is made of: the pixels or spikes that its current selects
with, or, for a membrane, the population's currents over T steps. It claims nothing: a bound counts
as attained only when running the witness reaches it (`snncc.runtime.witness`). Where several
currents read the same spikes with opposite signs, interval analysis bounds more than any spikes can
do; there the best spikes that are known stop short of the bound.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from snncc.ir import TIME, Array, Graph, Kind, Node
from snncc.ir.arrays import spread
from snncc.ir.integer_ops import Gain, IntegerPopulation
from snncc.ir.projections import PIXEL_RANGE, Concat, Contract, Convolve, Sum
from snncc.mfi.drives import Neuron, drive
from snncc.mfi.widths import Bounds, axes_of_step

Index = dict[str, int]
Shares = dict[str, NDArray[np.float64]]


@dataclass(frozen=True)
class Witness:
    """Inputs, and the number that they drive.

    Attributes:
        node: whose number it is.
        what: "current", "before shift", "membrane" or "readout".
        element: its index over the axes of one step.
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
    graph: Graph, node: Node, what: str, element: tuple[int, ...], upper: bool, bound: int
) -> Witness:
    """Pixels and spikes that push a current, a gain or a readout to one end.

    Every input gets its share in the number, over all ways that lead there; the inputs whose share
    has the right sign are taken.
    """
    shares: Shares = {}
    index = dict(zip(axes_of_step(node), map(int, element), strict=True))
    current = node.inputs[0] if node.type.kind is Kind.READOUT else node.name
    _follow(graph, current, index, 1.0, shares)
    inputs: dict[str, Array] = {}
    for name, share in shares.items():
        source = graph[name].type
        most = PIXEL_RANGE[1] if source.kind is Kind.PIXEL else 1
        taken = np.where(share > 0.0 if upper else share < 0.0, most, 0).astype(np.uint8)
        inputs[name] = over_time(graph[name], taken)
    return Witness(node.name, what, element, upper, bound, inputs)


def over_time(node: Node, value: Array) -> Array:
    """A value of one step as the interpreter takes it: [1, *axes], the same at every step."""
    if not node.type.temporal:
        return value[None]
    at = node.type.names.index(TIME)
    return np.repeat(np.expand_dims(value, at), node.type.size(TIME), axis=at)[None]


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
    names = axes_of_step(source)

    def value(which: str, default: int) -> int:
        param = getattr(op, which)
        if param is None:
            return default
        array = spread(graph.constants[param.name].astype(np.int64), param.axes, names)
        shape = tuple(source.type.size(name) for name in names)
        return int(np.broadcast_to(array, shape)[element])

    neuron = Neuron(
        value("threshold", 0),
        value("bias", 0),
        value("polarity", 1),
        op.decay,
        op.reset == "hard",
        op.compare == "ge",
        (int(current[0][element]), int(current[1][element])),
    )
    resting = np.clip(0, *current)
    moments = drive(neuron, graph.steps, upper, source.type.temporal)
    if not source.type.temporal:
        given = resting.copy()
        given[element] = moments[0]
        return Witness(node.name, "membrane", element, upper, bound, {source.name: given[None]})
    given = over_time(source, resting).copy()
    steps = np.moveaxis(given[0], source.type.names.index(TIME), 0)
    for t, x in enumerate(moments):
        steps[(t, *element)] = x
    return Witness(node.name, "membrane", element, upper, bound, {source.name: given})


def _follow(graph: Graph, name: str, index: Index, factor: float, shares: Shares) -> None:
    """Adds to the shares of all pixels and spikes what they have in factor * (one element)."""
    node = graph[name]
    match node.op:
        case Contract():
            _contract(graph, node, node.op, index, factor, shares)
        case Convolve():
            _convolve(graph, node, node.op, index, factor, shares)
        case Sum(shifts=shifts):
            for source, shift in zip(node.inputs, shifts or (0,) * len(node.inputs), strict=True):
                part = {axis: index[axis] for axis in axes_of_step(graph[source])}
                _follow(graph, source, part, factor * 2.0**shift, shares)
        case Gain(mantissa=mantissa, shift=shift):
            at = tuple(index[axis] for axis in mantissa.axes)
            gain = float(graph.constants[mantissa.name][at]) * 2.0**-shift
            _follow(graph, node.inputs[0], index, factor * gain, shares)
        case Concat(along=along, out=out):
            place = index[out]
            for source, axis in zip(node.inputs, along, strict=True):
                size = graph[source].type.size(axis)
                if 0 <= place < size:
                    rest = {k: v for k, v in index.items() if k != out}
                    _follow(graph, source, {**rest, axis: place}, factor, shares)
                place -= size
        case _:
            raise TypeError(f"{node.op.mnemonic} gives no current")


def _contract(
    graph: Graph, node: Node, op: Contract, index: Index, factor: float, shares: Shares
) -> None:
    source = graph[node.inputs[0]]
    names = axes_of_step(source)
    gone = (*op.into, *op.summed)
    row = graph.constants[op.weight.name][tuple(index[n] for n in (*op.shared, *op.out))]
    free = tuple(n for n in names if n in gone)
    share = np.zeros([source.type.size(n) for n in names])
    place = tuple(slice(None) if n in gone else index[n] for n in names)
    share[place] = factor * spread(row.astype(np.float64), op.into, free)
    _give(graph, source, share, shares)


def _convolve(
    graph: Graph, node: Node, op: Convolve, index: Index, factor: float, shares: Shares
) -> None:
    source = graph[node.inputs[0]]
    names = axes_of_step(source)
    weight = graph.constants[op.weight.name].astype(np.float64)
    outputs, inputs, height, width = weight.shape
    out = index[op.out_channel]
    first = out // (outputs // op.groups) * inputs
    share = np.zeros([source.type.size(n) for n in names])
    for p in range(height):
        for q in range(width):
            y = index[op.out_height] * op.stride[0] - op.padding[0] + p * op.dilation[0]
            x = index[op.out_width] * op.stride[1] - op.padding[1] + q * op.dilation[1]
            if 0 <= y < source.type.size(op.height) and 0 <= x < source.type.size(op.width):
                at = {**index, op.height: y, op.width: x}
                place = tuple(
                    slice(first, first + inputs) if n == op.channel else at[n] for n in names
                )
                share[place] += factor * weight[out, :, p, q]
    _give(graph, source, share, shares)


def _give(graph: Graph, node: Node, share: NDArray[np.float64], shares: Shares) -> None:
    """Adds shares to a value's own; those of values side by side go to each of them."""
    if not isinstance(node.op, Concat):
        shares[node.name] = shares.get(node.name, 0.0) + share
        return
    names, start = axes_of_step(node), 0
    for name, axis in zip(node.inputs, node.op.along, strict=True):
        source = graph[name]
        stop = start + source.type.size(axis)
        part = share.take(range(start, stop), axis=names.index(node.op.out))
        renamed = tuple(axis if n == node.op.out else n for n in names)
        order = [renamed.index(n) for n in axes_of_step(source)]
        _give(graph, source, part.transpose(order), shares)
        start = stop
