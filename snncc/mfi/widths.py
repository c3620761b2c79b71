"""The width proof: how large every number of a program can become, element by element.

Interval analysis from the image on. A sum of selected weights is at most the sum of the positive
ones; everything after it is monotone in it, so that the ends of an interval decide. Membranes go
through all T steps with leak and reset. Nothing is assumed about which spikes occur together.
"""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from snncc.ir import TIME, Graph, Kind, Node
from snncc.ir.arrays import spread
from snncc.ir.integer_ops import Gain, IntegerPopulation, IntegerReadout
from snncc.ir.projections import PIXEL_RANGE, SPIKE_RANGE, Concat, Contract, Convolve, Sum

Ints = NDArray[np.int64]
Bounds = tuple[Ints, Ints]
"""Least and largest of each element, [t, *axes of one step]; t is 1 where all steps are alike."""


def axes_of_step(node: Node) -> tuple[str, ...]:
    """Names of a value's axes without time."""
    return tuple(name for name in node.type.names if name != TIME)


def bounds_of(graph: Graph) -> dict[str, Bounds]:
    """Bounds of every current and readout, by node."""
    found: dict[str, Bounds] = {}
    for node in graph.nodes:
        if node.type.kind in (Kind.CURRENT, Kind.READOUT):
            low, high = (_end(graph, node, found, upper) for upper in (False, True))
            found[node.name] = low, high
    return found


def before_shift_of(graph: Graph, node: Node, op: Gain, source: Bounds) -> Bounds:
    """Bounds of mantissa * x + 2^(shift-1), the widest number on the way through a gain."""
    names = (TIME, *axes_of_step(node))
    mantissa = spread(graph.constants[op.mantissa.name].astype(np.int64), op.mantissa.axes, names)
    half = (1 << op.shift) >> 1
    ends = [mantissa * x + half for x in source]
    return np.minimum(*ends), np.maximum(*ends)


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


def _end(graph: Graph, node: Node, known: Mapping[str, Bounds], upper: bool) -> Ints:
    names = (TIME, *axes_of_step(node))

    def of(source: str, renamed: Mapping[str, str]) -> Ints:
        axes = (TIME, *(renamed.get(n, n) for n in axes_of_step(graph[source])))
        return spread(known[source][upper], axes, names)

    match node.op:
        case Contract():
            value = _contract(graph, node, node.op, upper)
        case Convolve():
            value = _convolve(graph, node, node.op, upper)
        case Sum(shifts=shifts):
            value = np.zeros((), np.int64)
            for source, shift in zip(node.inputs, shifts or (0,) * len(node.inputs), strict=True):
                value = value + (of(source, {}) << shift)
        case Concat(along=along, out=out):
            parts = [of(n, {axis: out}) for n, axis in zip(node.inputs, along, strict=True)]
            steps = max(len(part) for part in parts)
            parts = [np.broadcast_to(part, (steps, *part.shape[1:])) for part in parts]
            value = np.concatenate(parts, axis=names.index(out))
        case Gain():
            before = before_shift_of(graph, node, node.op, known[node.inputs[0]])
            value = before[upper] >> node.op.shift
        case IntegerReadout(offset=offset):
            each = known[node.inputs[0]][upper]
            value = each.sum(axis=0, keepdims=True) * (graph.steps // len(each))
            if offset is not None:
                value = value + spread(
                    graph.constants[offset.name].astype(np.int64), offset.axes, names
                )
        case _:
            raise TypeError(f"{node.op.mnemonic} gives no current")
    sizes = (node.type.size(name) for name in names[1:])
    return np.broadcast_to(value, (len(value), *sizes))


def _most(graph: Graph, node: Node) -> int:
    """How often one input can take a weight."""
    pixel = graph[node.inputs[0]].type.kind is Kind.PIXEL
    return (PIXEL_RANGE if pixel else SPIKE_RANGE)[1]


def _taken(weight: Ints, upper: bool) -> Ints:
    """The weights that bring a sum to this end: the others are left out."""
    return np.maximum(weight, 0) if upper else np.minimum(weight, 0)


def _contract(graph: Graph, node: Node, op: Contract, upper: bool) -> Ints:
    weight = _taken(graph.constants[op.weight.name].astype(np.int64), upper)
    kept = (*op.shared, *op.out)
    total = weight.reshape(*weight.shape[: len(kept)], -1).sum(axis=-1)
    source = graph[node.inputs[0]].type
    for name in op.summed:
        total = total * source.size(name)
    return spread(total * _most(graph, node), kept, (TIME, *axes_of_step(node)))


def _convolve(graph: Graph, node: Node, op: Convolve, upper: bool) -> Ints:
    """Every position by itself: a kernel that hangs over the border takes less."""
    taps = _taken(graph.constants[op.weight.name].astype(np.int64), upper).sum(axis=-3)
    taps = taps if op.banks else taps[None]
    source = graph[node.inputs[0]].type
    rows = _meets(op, 0, source.size(op.height), node.type.size(op.out_height), taps.shape[2])
    columns = _meets(op, 1, source.size(op.width), node.type.size(op.out_width), taps.shape[3])
    total = np.einsum("topq,pi,qj->tijo", taps, rows, columns) * _most(graph, node)
    names = (TIME, op.out_height, op.out_width, op.out_channel)
    return spread(total, names, (TIME, *axes_of_step(node)))


def _meets(op: Convolve, axis: int, size: int, places: int, kernel: int) -> Ints:
    """[kernel, places]: 1 where this tap of the kernel lies inside the image."""
    place = np.arange(places) * op.stride[axis] - op.padding[axis]
    at = place + np.arange(kernel)[:, None] * op.dilation[axis]
    return ((at >= 0) & (at < size)).astype(np.int64)
