"""The spiking dialect in real numbers: a float64 executor, node by node."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from snncc.ir import SPIKING, TIME, Graph, Node, Param
from snncc.ir.arrays import align, at_step, concat, over_steps, timed
from snncc.ir.arrays import spread as spread_over
from snncc.ir.cycles import arranged, components
from snncc.ir.dialects.delays import Delay
from snncc.ir.dialects.gates import Gate
from snncc.ir.dialects.moves import Take
from snncc.ir.dialects.neurons import Neuron
from snncc.ir.dialects.products import Product
from snncc.ir.dialects.projections import Concat, Contract, Convolve, Frames, Sum
from snncc.ir.dialects.spiking import Affine, Opaque, Population, Readout
from snncc.ir.dialects.sums import SumAlong
from snncc.ir.dialects.thresholds import MultiThreshold
from snncc.ir.dialects.windows import Largest
from snncc.meaning import Meaning
from snncc.semantics import neurons
from snncc.semantics.arrays import Real, convolve, largest, take
from snncc.semantics.delays import delayed, settled
from snncc.semantics.products import product
from snncc.semantics.thresholds import staircase


@dataclass(frozen=True)
class At:
    """A node whose value is asked for.

    Attributes:
        graph: spiking dialect.
        node: one of it.
        inputs: values of what it reads, [batch, *axes of their types].
        images: uint8, [batch, *axes of the image]; None where no image is read.
    """

    graph: Graph
    node: Node
    inputs: list[Real]
    images: NDArray[np.uint8] | None

    @property
    def names(self) -> list[tuple[str, ...]]:
        """Axes of every input."""
        return [self.graph[name].type.names for name in self.node.inputs]


VALUE: Meaning[At, Real] = Meaning("the spiking dialect in real numbers", SPIKING)


def run_spiking(graph: Graph, images: NDArray[np.uint8]) -> dict[str, Real]:
    """Every value of a spiking graph, [batch, *axes], for images [batch, *axes of the image]."""
    graph, values = arranged(graph), dict[str, Real]()
    for part in components(graph):
        if part.cyclic:
            values |= settled(
                graph, part, values, len(images), lambda node, x: evaluate(graph, node, x)
            )
            continue
        (node,) = part.nodes
        values[node.name] = evaluate(graph, node, [values[n] for n in node.inputs], images)
    return values


def evaluate(
    graph: Graph, node: Node, inputs: list[Real], images: NDArray[np.uint8] | None = None
) -> Real:
    """The value of one node from those of its inputs. Raises SnnccError (SNN040): none is known."""
    return VALUE(At(graph, node, inputs, images), node)


@VALUE.of(Frames)
def frames(at: At, op: Frames) -> Real:
    if at.images is None:
        raise ValueError("an image is needed")
    return at.images.astype(np.float64)


@VALUE.of(Contract)
def contracted(at: At, op: Contract) -> Real:
    return contract(op, constant(at.graph, op.weight), at.inputs[0], at.names[0], at.node)


@VALUE.of(Convolve)
def convolved(at: At, op: Convolve) -> Real:
    return convolution(op, constant(at.graph, op.weight), at.inputs[0], at.names[0], at.node)


@VALUE.of(Concat)
def side_by_side(at: At, op: Concat) -> Real:
    return concat(at.inputs, at.names, op.along, op.out, at.node)


@VALUE.of(Sum)
def added(at: At, op: Sum) -> Real:
    return add(at.inputs, at.names, at.node)


@VALUE.of(SumAlong)
def added_along(at: At, op: SumAlong) -> Real:
    names = at.names[0]
    total: Real = at.inputs[0].sum(axis=tuple(1 + names.index(n) for n in op.summed))
    return total


@VALUE.of(Largest)
def largest_of(at: At, op: Largest) -> Real:
    names = at.names[0]
    more = 0.0 if op.offset is None else spread_constant(at.graph, op.offset, names)
    return largest(op, at.inputs[0], names, more)


@VALUE.of(Take)
def taken(at: At, op: Take) -> Real:
    return take(op, at.inputs[0], at.names[0])


@VALUE.of(Gate)
def gated(at: At, op: Gate) -> Real:
    return gate(op, at.inputs, at.names, at.node)


@VALUE.of(Delay)
def delay(at: At, op: Delay) -> Real:
    return delayed(at.graph, op, at.inputs[0], at.names[0])


@VALUE.of(Product)
def multiplied(at: At, op: Product) -> Real:
    return product(op, at.inputs, at.names, at.node)


@VALUE.of(MultiThreshold)
def counted(at: At, op: MultiThreshold) -> Real:
    return staircase(at.graph, at.node, op, at.inputs[0])


@VALUE.of(Affine)
def affine(at: At, op: Affine) -> Real:
    y = align(at.inputs[0], at.names[0], at.node.type.names)
    if op.scale is not None:
        y = y * spread(at.graph, op.scale, at.node)
    return y if op.offset is None else y + spread(at.graph, op.offset, at.node)


@VALUE.of(Population)
def spikes(at: At, op: Population) -> Real:
    return population(at.graph, at.node, op, at.inputs[0], at.names[0])


@VALUE.of(Neuron)
def general_neuron(at: At, op: Neuron) -> Real:
    return neurons.value(at.graph, op, at.inputs[0], at.names[0], at.node.type.names)


@VALUE.of(Readout)
def readout(at: At, op: Readout) -> Real:
    x = over_steps(at.inputs[0], at.names[0], at.graph.steps)
    total: Real = x[:, slice(*op.window) if op.window else slice(None)].sum(axis=1)
    return total if op.offset is None else total + spread(at.graph, op.offset, at.node)


VALUE.refuses(
    Opaque,
    why="it stands for a function that no pass lowers, so that nothing says what it computes",
    help="`snncc verify --model` names the function and what to do instead",
)


def constant(graph: Graph, param: Param) -> Real:
    return np.asarray(graph.constants[param.name], np.float64)


def spread(graph: Graph, param: Param, node: Node) -> Real:
    """A constant over the axes of a node's value, without the batch."""
    return spread_constant(graph, param, node.type.names)


def spread_constant(graph: Graph, param: Param, names: tuple[str, ...]) -> Real:
    """A constant over axes in this order, with length 1 where it lacks one."""
    return spread_over(constant(graph, param), param.axes, names)


def contract(op: Contract, weight: Real, x: Real, names: tuple[str, ...], node: Node) -> Real:
    """Contracts by a matrix product over flattened rows; see `Contract` for the equation."""
    if TIME in op.shared:
        x, names = timed(x, names, node.type.size(TIME))
    gone = {*op.into, *op.summed}
    carried = [n for n in names if n not in gone and n not in op.shared]
    if op.summed:
        x = x.sum(axis=tuple(1 + names.index(n) for n in op.summed))
        names = tuple(n for n in names if n not in op.summed)
    order = [*op.shared, *carried, *op.into]
    x = x.transpose([0, *(1 + names.index(n) for n in order)])
    shared, middle = len(op.shared), len(op.shared) + len(carried)
    lead, rows = x.shape[1 : 1 + shared], x.shape[1 + shared : 1 + middle]
    inner = int(np.prod(x.shape[1 + middle :], dtype=np.int64))
    blocks = int(np.prod(lead, dtype=np.int64))
    left = x.reshape(x.shape[0], blocks, -1, inner)
    out = weight.shape[shared : shared + len(op.out)]
    right = weight.reshape(blocks, -1, inner)
    if blocks == 1:
        y = left.reshape(-1, inner) @ right[0].T
    else:
        y = np.matmul(left, right.transpose(0, 2, 1)[None])
    y = y.reshape(x.shape[0], *lead, *rows, *out)
    return _to_axes(y, [*op.shared, *carried], op.out, node)


def _to_axes(y: Real, kept: list[str], out: tuple[str, ...], node: Node) -> Real:
    """Puts [batch, *kept, *out] into the order of the node's type."""
    have = [*kept, *out]
    return y.transpose([0, *(1 + have.index(n) for n in node.type.names)])


def convolution(op: Convolve, weight: Real, x: Real, names: tuple[str, ...], node: Node) -> Real:
    if op.banks:
        x, names = timed(x, names, node.type.size(TIME))
        steps = np.moveaxis(x, 1 + names.index(TIME), 0)
        rest = tuple(n for n in names if n != TIME)
        one = replace(op, weight=replace(op.weight, axes=op.weight.axes[1:]))
        single = replace(node, op=one, type=node.type.without(TIME))
        parts = [
            convolution(one, bank, step, rest, single)
            for step, bank in zip(steps, weight, strict=True)
        ]
        return np.stack(parts, axis=1 + node.type.names.index(TIME))
    carried = [n for n in names if n not in (op.channel, op.height, op.width)]
    order = [*carried, op.height, op.width, op.channel]
    x = x.transpose([0, *(1 + names.index(n) for n in order)])
    lead = x.shape[: 1 + len(carried)]
    y = convolve(
        x.reshape(-1, *x.shape[-3:]), weight, op.stride, op.padding, op.dilation, op.groups
    )
    have = [*carried, op.out_height, op.out_width, op.out_channel]
    return y.reshape(*lead, *y.shape[1:]).transpose(
        [0, *(1 + have.index(n) for n in node.type.names)]
    )


def add(inputs: list[Real], names: list[tuple[str, ...]], node: Node) -> Real:
    total = align(inputs[0], names[0], node.type.names)
    for x, axes in zip(inputs[1:], names[1:], strict=True):
        total = total + align(x, axes, node.type.names)
    return total


def gate(op: Gate, inputs: list[Real], names: list[tuple[str, ...]], node: Node) -> Real:
    bit, x = (
        align(value, axes, node.type.names) for value, axes in zip(inputs, names, strict=True)
    )
    passes: Real = (1.0 - bit if op.inverted else bit) * x
    return passes


def membranes(
    graph: Graph, op: Population, current: Real, names: tuple[str, ...]
) -> tuple[Real, Real]:
    """Spikes and membranes Y at the comparison, both [batch, t, *axes without time]."""
    rest = tuple(n for n in names if n != TIME)

    def value(param: Param | None, default: float) -> Real:
        if param is None:
            return np.full([1] * (1 + len(rest)), default)
        return spread_constant(graph, param, (TIME, *rest))

    thresholds, biases = value(op.threshold, 0.0), value(op.bias, 0.0)
    signs = value(op.polarity, 1.0)
    x = over_steps(current, names, graph.steps)
    state = np.zeros((x.shape[0], *x.shape[2:]))
    spikes, levels = np.empty(x.shape), np.empty(x.shape)
    for t in range(graph.steps):
        threshold = at_step(thresholds, t)
        y = op.decay * state + at_step(signs, t) * x[:, t] + at_step(biases, t)
        spike = y >= threshold if op.compare == "ge" else y > threshold
        state = np.where(spike, 0.0 if op.reset == "hard" else y - threshold, y)
        spikes[:, t], levels[:, t] = spike, y
    return spikes, levels


def population(
    graph: Graph, node: Node, op: Population, current: Real, names: tuple[str, ...]
) -> Real:
    spikes, _ = membranes(graph, op, current, names)
    return np.moveaxis(spikes, 1, 1 + node.type.names.index(TIME))
