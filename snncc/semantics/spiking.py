"""The spiking dialect in real numbers: a float64 executor, node by node."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from snncc.ir import TIME, Graph, Node, Param
from snncc.ir.arrays import align, at_step, concat, over_steps, timed
from snncc.ir.arrays import spread as spread_over
from snncc.ir.projections import Concat, Contract, Convolve, Pixels, Sum
from snncc.ir.spiking_ops import Affine, Population, Readout
from snncc.semantics.arrays import Real, convolve


def run_spiking(graph: Graph, images: NDArray[np.uint8]) -> dict[str, Real]:
    """Every value of a spiking graph, [batch, *axes], for images [batch, *axes of the image]."""
    values: dict[str, Real] = {}
    for node in graph.nodes:
        values[node.name] = evaluate(graph, node, [values[n] for n in node.inputs], images)
    return values


def evaluate(
    graph: Graph, node: Node, inputs: list[Real], images: NDArray[np.uint8] | None = None
) -> Real:
    """The value of one node from those of its inputs."""
    names = [graph[n].type.names for n in node.inputs]
    match node.op:
        case Pixels():
            if images is None:
                raise ValueError("an image is needed")
            return images.astype(np.float64)
        case Contract():
            return contract(node.op, constant(graph, node.op.weight), inputs[0], names[0], node)
        case Convolve():
            return convolution(node.op, constant(graph, node.op.weight), inputs[0], names[0], node)
        case Concat(along=along, out=out):
            return concat(inputs, names, along, out, node)
        case Sum():
            return add(inputs, names, node)
        case Affine(scale=scale, offset=offset):
            y = align(inputs[0], names[0], node.type.names)
            if scale is not None:
                y = y * spread(graph, scale, node)
            return y if offset is None else y + spread(graph, offset, node)
        case Population():
            return population(graph, node, node.op, inputs[0], names[0])
        case Readout(offset=offset):
            total: Real = over_steps(inputs[0], names[0], graph.steps).sum(axis=1)
            return total if offset is None else total + spread(graph, offset, node)
        case _:
            raise TypeError(f"{node.op.mnemonic} is not an op of the spiking dialect")


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
