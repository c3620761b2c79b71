"""The width proof: how large every number of a program can become, element by element.

Interval analysis from the image on. A sum of selected weights is at most the sum of the positive
ones; everything after it is monotone in it, so that the ends of an interval decide. Membranes go
through all T steps with leak and reset. Nothing is assumed about which spikes occur together.

Every sum is formed in 64 bits only where a bound says that it cannot leave them, and in Python's
integers elsewhere; what then needs more than `WIDEST` bits is an error.
"""

import math
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from snncc.ir import TIME, Array, Graph, Kind, Node
from snncc.ir.arrays import spread
from snncc.ir.integer_ops import Gain, IntegerPopulation, IntegerReadout
from snncc.ir.op import require_narrow
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
            moves = shifts or (0,) * len(node.inputs)
            pairs = [(of(n, {}), move) for n, move in zip(node.inputs, moves, strict=True)]
            reach = sum(largest(x) << move for x, move in pairs)
            value = np.zeros((), np.int64)
            for x, move in pairs:
                value = value + (exact(x, reach) << move)
        case Concat(along=along, out=out):
            parts = [of(n, {axis: out}) for n, axis in zip(node.inputs, along, strict=True)]
            steps = max(len(part) for part in parts)
            parts = [np.broadcast_to(part, (steps, *part.shape[1:])) for part in parts]
            value = np.concatenate(parts, axis=names.index(out))
        case Gain():
            before = before_shift_of(graph, node, node.op, known[node.inputs[0]])
            value = before[upper] >> node.op.shift
        case IntegerReadout(offset=offset):
            each, more = known[node.inputs[0]][upper], np.zeros((1,) * len(names), np.int64)
            if offset is not None:
                more = spread(graph.constants[offset.name], offset.axes, names)
            reach = largest(each) * graph.steps + largest(more)
            value = exact(each, reach).sum(axis=0, keepdims=True) * (graph.steps // len(each))
            value = value + exact(more, reach)
        case _:
            raise TypeError(f"{node.op.mnemonic} gives no current")
    sizes = (node.type.size(name) for name in names[1:])
    return np.broadcast_to(settled(node, value), (len(value), *sizes))


def _most(graph: Graph, node: Node) -> int:
    """How often one input can take a weight."""
    pixel = graph[node.inputs[0]].type.kind is Kind.PIXEL
    return (PIXEL_RANGE if pixel else SPIKE_RANGE)[1]


def _taken(weight: Array, upper: bool) -> Array:
    """The weights that bring a sum to this end: the others are left out."""
    return np.maximum(weight, 0) if upper else np.minimum(weight, 0)


def _contract(graph: Graph, node: Node, op: Contract, upper: bool) -> Ints:
    weight = graph.constants[op.weight.name]
    kept = (*op.shared, *op.out)
    rows = _taken(weight.reshape(*weight.shape[: len(kept)], -1), upper)
    source = graph[node.inputs[0]].type
    again = math.prod(source.size(name) for name in op.summed) * _most(graph, node)
    total = exact(rows, largest(weight) * rows.shape[-1] * again).sum(axis=-1) * again
    return spread(total, kept, (TIME, *axes_of_step(node)))


def _convolve(graph: Graph, node: Node, op: Convolve, upper: bool) -> Ints:
    """Every position by itself: a kernel that hangs over the border takes less."""
    weight = graph.constants[op.weight.name]
    reach = largest(weight) * math.prod(weight.shape[-3:]) * _most(graph, node)
    taps = exact(_taken(weight, upper), reach).sum(axis=-3)
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
