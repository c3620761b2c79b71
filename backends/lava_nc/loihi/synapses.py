"""Every synapse of a projection by itself: which input, which neuron, which weight.

Hardware without weight sharing holds a synapse for every pair; so do Lava's Dense and Sparse.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from snncc.backends.lava_nc.registers import WEIGHTS
from snncc.backends.lava_nc.terms import step_axes
from snncc.ir import INTEGER, Graph, Node
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
from snncc.meaning import Meaning

Ints = NDArray[np.int64]
Axes = dict[str, int]


@dataclass(frozen=True)
class Synapses:
    """Synapses from one value to one current, at one weight exponent.

    Attributes:
        node: projection that they come from; the first, where several are joined.
        source: node whose spikes or pixels they read.
        shift: what they add is shifted left by so much.
        rows, columns: index of the neuron and of the input, in the order of their axes at a step.
        weights: none is 0, no pair occurs twice.
    """

    node: str
    source: str
    shift: int
    rows: Ints
    columns: Ints
    weights: Ints


def synapses_into(graph: Graph, name: str, shift: int) -> list[Synapses]:
    """Everything that a current is made of; few as can be: joined where 8 bits hold the sums.

    Args:
        graph: integer program whose currents are sums, concats and projections.
        name: of the current.
        shift: of what it adds.
    """
    found: dict[tuple[str, int], list[Synapses]] = {}
    for part in _parts(graph, graph[name], shift):
        group = found.setdefault((part.source, part.shift), [])
        for i, other in enumerate(group):
            joined = _join(other, part)
            if joined is not None:
                group[i] = joined
                break
        else:
            group.append(part)
    return [part for group in found.values() for part in group]


@dataclass(frozen=True)
class At:
    """A current whose synapses are asked for, shifted left by so much."""

    graph: Graph
    node: Node
    shift: int

    def of(self, name: str, more: int = 0) -> list[Synapses]:
        """The synapses of an input, shifted further."""
        return _parts(self.graph, self.graph[name], self.shift + more)


SYNAPSES: Meaning[At, list[Synapses]] = Meaning("stock Lava", INTEGER)


def _parts(graph: Graph, node: Node, shift: int) -> list[Synapses]:
    return SYNAPSES(At(graph, node, shift), node)


@SYNAPSES.of(Contract)
def contract(at: At, op: Contract) -> list[Synapses]:
    return [_made(at.node, at.shift, *_contract(at.graph, at.node, op))]


@SYNAPSES.of(Convolve)
def convolve(at: At, op: Convolve) -> list[Synapses]:
    return [_made(at.node, at.shift, *_convolve(at.graph, at.node, op))]


@SYNAPSES.of(Sum)
def added(at: At, op: Sum) -> list[Synapses]:
    found: list[Synapses] = []
    for name, more in op.terms(at.node.inputs):
        own = step_axes(at.graph[name].type)
        found += [_placed(part, own, step_axes(at.node.type), {}) for part in at.of(name, more)]
    return found


@SYNAPSES.of(Concat)
def side_by_side(at: At, op: Concat) -> list[Synapses]:
    found, start = list[Synapses](), 0
    for name, axis in zip(at.node.inputs, op.along, strict=True):
        own = step_axes(at.graph[name].type)
        renamed = {op.out if n == axis else n: size for n, size in own.items()}
        place = {op.out: start}
        found += [_placed(p, renamed, step_axes(at.node.type), place) for p in at.of(name)]
        start += own[axis]
    return found


SYNAPSES.refuses(
    Take,
    why="no process moves elements along an axis yet",
    help="choose the parts in the weights of the layer that reads them",
)
SYNAPSES.refuses(
    Delay,
    why="its processes hold no spikes or currents back for later steps yet",
    help="run the program with `snncc run`, which does",
)
SYNAPSES.refuses(
    Product,
    why="no process adds up what spikes select yet",
    help="run the program with `snncc run`, which has every step at hand",
)
SYNAPSES.refuses(
    IntegerNeuron,
    why="no process has neurons of several states, or whose reset comes a step late, yet",
    help="use a neuron of one state whose reset is hard, or takes off its threshold, for Lava",
)
SYNAPSES.refuses(
    SumAlong,
    why="no process adds currents along an axis yet",
    help="run the program with `snncc run`, which has every step at hand",
)
SYNAPSES.refuses(
    MultiThreshold,
    why="no process counts how many thresholds a current has passed yet",
    help="run the program with `snncc run`, or put neurons in its place for Lava",
)
SYNAPSES.refuses(
    Gate,
    why="no process lets spikes gate others yet",
    help="add the two, or concatenate them, in place of the product",
)
SYNAPSES.refuses(
    Largest,
    why="no process takes the largest of spikes or currents yet",
    help="use average pooling or a strided convolution in its place for Lava",
)
SYNAPSES.refuses(
    Gain,
    why="synapses add weights: nothing scales what has been added up",
    help="compile with --profile loihi-lava, which gives every synapse a weight of its own",
)
SYNAPSES.refuses(
    Frames,
    IntegerPopulation,
    IntegerReadout,
    why="it is no current, so that nothing adds it up",
    help="this is a fault of snncc: please report it with the program",
)


def _made(node: Node, shift: int, rows: Ints, columns: Ints, weights: Ints) -> Synapses:
    some = np.flatnonzero(weights)
    return Synapses(node.name, node.inputs[0], shift, rows[some], columns[some], weights[some])


def _placed(part: Synapses, own: Axes, axes: Axes, start: Mapping[str, int]) -> Synapses:
    """The synapses with the neurons' index in a current over other axes.

    An axis that the part lacks is broadcast: every synapse stands once for each index.
    """
    missing = {name: size for name, size in axes.items() if name not in own}
    again = math.prod(missing.values())
    at = {
        name: np.tile(index + start.get(name, 0), again)
        for name, index in _unflat(part.rows, own).items()
    }
    for name, index in _unflat(np.arange(again), missing).items():
        at[name] = np.repeat(index, len(part.rows))
    rows = np.zeros(len(part.rows) * again, np.int64)
    for name, size in axes.items():
        rows = rows * size + at[name]
    return replace(
        part,
        rows=rows,
        columns=np.tile(part.columns, again),
        weights=np.tile(part.weights, again),
    )


def _unflat(flat: Ints, axes: Axes) -> dict[str, Ints]:
    """Index along every axis of elements that are numbered in the axes' order."""
    found: dict[str, Ints] = {}
    for name, size in reversed(axes.items()):
        found[name], flat = flat % size, flat // size
    return found


def _join(left: Synapses, right: Synapses) -> Synapses | None:
    """Both as one, or None where a sum of two weights needs more than 8 bits."""
    rows, columns, weights = (
        np.concatenate([getattr(left, key), getattr(right, key)])
        for key in ("rows", "columns", "weights")
    )
    width = int(columns.max(initial=0)) + 1
    pairs, which = np.unique(rows * width + columns, return_inverse=True)
    total = np.zeros(len(pairs), np.int64)
    np.add.at(total, which.reshape(-1), weights)
    if total.size and not WEIGHTS[0] <= total.min() <= total.max() <= WEIGHTS[1]:
        return None
    some = np.flatnonzero(total)
    return replace(
        left, rows=pairs[some] // width, columns=pairs[some] % width, weights=total[some]
    )


def _contract(graph: Graph, node: Node, op: Contract) -> tuple[Ints, Ints, Ints]:
    source, result = step_axes(graph[node.inputs[0]].type), step_axes(node.type)
    weight = graph.constants[op.weight.name].astype(np.int64)
    carried = [n for n in source if n not in (*op.into, *op.summed, *op.shared)]
    rest = (*carried, *op.summed)
    sizes = (*weight.shape, *(source[n] for n in rest))
    place = np.indices(sizes, sparse=True)
    kept = len(op.shared)
    roles = dict(zip((*op.shared, *(f">{n}" for n in op.out), *op.into), place, strict=False))
    roles |= dict(zip(rest, place[weight.ndim :], strict=True))
    made = {n: roles[f">{n}"] if n in op.out else roles[n] for n in result}
    rows = _flat(made, result, sizes)
    columns = _flat({n: roles[n] for n in source}, source, sizes)
    values = weight.reshape(*weight.shape, *(1,) * len(rest))
    if kept + len(op.out) + len(op.into) != weight.ndim:
        raise TypeError(f"{node.name}: roles do not fit the weight")
    return rows, columns, np.broadcast_to(values, sizes).reshape(-1)


def _flat(index: Mapping[str, Ints], axes: Axes, sizes: tuple[int, ...]) -> Ints:
    """Index of an element of a value at every place of a table of synapses."""
    total = np.zeros(sizes, np.int64)
    stride = 1
    for name, size in reversed(axes.items()):
        total = total + index[name] * stride
        stride *= size
    return total.reshape(-1)


def _convolve(graph: Graph, node: Node, op: Convolve) -> tuple[Ints, Ints, Ints]:
    source, result = step_axes(graph[node.inputs[0]].type), step_axes(node.type)
    weight = graph.constants[op.weight.name].astype(np.int64)
    outputs, per_group, kernel_height, kernel_width = weight.shape
    carried = [n for n in source if n not in (op.channel, op.height, op.width)]
    sizes = (
        *(outputs, per_group, kernel_height, kernel_width),
        *(result[op.out_height], result[op.out_width]),
        *(source[n] for n in carried),
    )
    o, c, p, q, i, j, *others = np.indices(sizes, sparse=True)
    y = i * op.stride[0] + p * op.dilation[0] - op.padding[0]
    x = j * op.stride[1] + q * op.dilation[1] - op.padding[1]
    inside = (y >= 0) & (y < source[op.height]) & (x >= 0) & (x < source[op.width])
    channel = c + o // (outputs // op.groups) * per_group
    plain = dict(zip(carried, others, strict=True))
    made = {**plain, op.out_height: i, op.out_width: j, op.out_channel: o}
    rows = _flat(made, result, sizes)
    columns = _flat({**plain, op.height: y, op.width: x, op.channel: channel}, source, sizes)
    values = weight.reshape(*weight.shape, *(1,) * (len(sizes) - 4)) * inside
    return rows, columns, np.broadcast_to(values, sizes).reshape(-1)
