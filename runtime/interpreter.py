"""The interpreter: what an integer program means, in plain NumPy and without a multiplication.

A synapse is a selected addition: the weight rows of the active inputs are gathered and added. A
gain is shifted additions. Nothing here multiplies, divides, or uses floating point, except for the
logits' real unit at the very end, outside the program. `run_nodes` also runs on arrays that refuse
to do so (`refusing_arrays`): every array that holds data is made from one that came in.
"""

from collections.abc import Callable, Collection
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from snncc.ir import TIME, Array, Graph, Kind, Node, Param
from snncc.ir.arrays import align, at_step, concat, count, over_steps, spread, timed
from snncc.ir.digits import signed_digits
from snncc.ir.integer_ops import Gain, IntegerPopulation, IntegerReadout
from snncc.ir.projections import Concat, Contract, Convolve, Pixels, Sum
from snncc.runtime.execution import (
    Execution,
    Images,
    Ints,
    check_images,
    readout_of,
    recorded_names,
)

CHUNK = 1 << 22
"""Gathered weights at a time: bounds memory."""
PIXEL_BITS = 8


def interpret(graph: Graph, images: Images, record: Collection[str] | None = None) -> Execution:
    """Runs a program.

    Args:
        graph: integer dialect.
        images: uint8, [batch, *axes of the image].
        record: populations whose spikes and membranes are kept; None for none, `ALL` for all.

    Raises:
        SnnccError: SNN016 when the images are not what the program takes.
    """
    images = check_images(graph, images)
    wanted = recorded_names(graph, record)
    unit = readout_of(graph).unit
    values, membranes, counts = run_nodes(graph, images, wanted)
    readout = values[graph.output]
    logits = readout.astype(np.float64) * unit
    return Execution(readout, logits, {n: values[n] for n in sorted(wanted)}, membranes, counts)


def run_nodes(
    graph: Graph,
    images: Images,
    wanted: frozenset[str],
    before: Callable[[Node], None] = lambda _: None,
) -> tuple[dict[str, Array], dict[str, Ints], dict[str, int]]:
    """The values that remain at the end (output, wanted populations), membranes, spike counts.

    Args:
        graph: integer dialect.
        images: what `check_images` gives.
        wanted: populations whose spikes and membranes are kept.
        before: called before each node is computed.
    """
    values: dict[str, Array] = {}
    membranes: dict[str, Ints] = {}
    counts: dict[str, int] = {}
    for node in graph.nodes:
        before(node)
        sources = [values[name] for name in node.inputs]
        if isinstance(node.op, IntegerPopulation):
            spikes, levels = _population(graph, node, node.op, sources[0])
            values[node.name] = spikes
            counts[node.name] = int(np.count_nonzero(spikes))
            if node.name in wanted:
                membranes[node.name] = levels
        else:
            values[node.name] = _value(graph, node, sources, images)
        for name in set(graph.last_uses.get(node.name, ())) - wanted:
            del values[name]
    return values, membranes, counts


def evaluate(graph: Graph, node: Node, sources: list[Array]) -> tuple[Array, Ints | None]:
    """One node by itself, on given inputs: its value, and for a population its membranes."""
    if isinstance(node.op, IntegerPopulation):
        return _population(graph, node, node.op, sources[0])
    return _value(graph, node, sources, np.zeros(0, np.uint8)), None


def value_of(graph: Graph, node: Node, sources: list[Array], images: Images) -> Array:
    """The value of one node from its sources' values, for every op but a population."""
    return _value(graph, node, sources, images)


def _value(graph: Graph, node: Node, sources: list[Array], images: Images) -> Array:
    names = [graph[n].type.names for n in node.inputs]
    match node.op:
        case Pixels():
            return images
        case Contract() | Convolve():
            return _projection(graph, node, node.op, sources[0])
        case Concat(along=along, out=out):
            return concat(sources, names, along, out, node)
        case Sum(shifts=shifts):
            total: Array = np.zeros((), np.int64)
            for x, axes, shift in zip(sources, names, shifts or (0,) * len(sources), strict=True):
                total = total + (align(x, axes, node.type.names) << shift)
            return total
        case Gain(mantissa=mantissa, shift=shift):
            digits = signed_digits(graph.constants[mantissa.name].astype(np.int64))
            half = (1 << shift) >> 1
            over = [spread(d, mantissa.axes, node.type.names) for d in digits]
            x = sources[0]
            if TIME in mantissa.axes:
                x = align(*timed(x, names[0], graph.steps), node.type.names)
            scaled: Array = (_times(x, over) + half) >> shift
            return scaled
        case IntegerReadout(offset=offset):
            total = over_steps(sources[0], names[0], graph.steps).sum(axis=1)
            return total if offset is None else total + _constant(graph, offset, node.type.names)
        case _:
            raise TypeError(f"{node.op.mnemonic} is not an op of the integer dialect")


def _constant(graph: Graph, param: Param, target: tuple[str, ...]) -> Ints:
    """A constant over the axes of a value, without the batch."""
    return spread(graph.constants[param.name].astype(np.int64), param.axes, target)


def _times(x: Ints, digits: list[NDArray[np.int8]]) -> Ints:
    """The product with a constant as shifted additions."""
    total = np.zeros_like(x)
    for shift, digit in enumerate(digits):
        moved = x << shift
        total = total + np.where(digit == 0, 0, np.where(digit > 0, moved, -moved))
    return total


# Projections: bring the source to rows of inputs, select and add weight rows, put axes back.


def _projection(graph: Graph, node: Node, op: Contract | Convolve, source: Array) -> Ints:
    """Bit planes of pixels are projected one by one and shifted; spikes are one plane."""
    weight = graph.constants[op.weight.name].astype(np.int64)
    kind = graph[node.inputs[0]].type

    def apply(plane: NDArray[np.bool_]) -> Ints:
        names = kind.names
        if isinstance(op, Contract):
            if TIME in op.shared:
                plane, names = timed(plane, names, graph.steps)
            return _contract(op, weight, plane, names, node)
        if op.banks:
            return _banks(op, weight, *timed(plane, names, graph.steps), node)
        return _convolve(op, weight, plane, names, node)

    if kind.kind is not Kind.PIXEL:
        return apply(source != 0)
    total: Ints | None = None
    for bit in range(PIXEL_BITS):
        current = apply((source >> bit) & 1 != 0) << bit
        total = current if total is None else total + current
    return total if total is not None else np.zeros((), np.int64)


def _contract(
    op: Contract, weight: Ints, bits: NDArray[np.bool_], names: tuple[str, ...], node: Node
) -> Ints:
    gone = {*op.into, *op.summed, *op.shared}
    carried = [n for n in names if n not in gone]
    order = [*op.shared, *carried, *op.summed, *op.into]
    x = bits.transpose([0, *(1 + names.index(n) for n in order)])
    split = [len(op.shared), len(op.shared) + len(carried), len(order) - len(op.into)]
    sizes = x.shape[1:]
    lead, rows, inner = sizes[: split[0]], sizes[split[0] : split[1]], sizes[split[2] :]
    out = weight.shape[len(op.shared) : len(op.shared) + len(op.out)]
    blocks, inputs = count(lead), count(inner)
    again = count(sizes[split[1] : split[2]])
    flat = x.reshape(x.shape[0], blocks, count(rows), again, inputs)
    by_input = weight.reshape(blocks, count(out), inputs).transpose(0, 2, 1)
    parts = [
        _select_and_add(flat[:, b].reshape(-1, again, inputs), by_input[b]) for b in range(blocks)
    ]
    y = np.stack([p.reshape(x.shape[0], *rows, *out) for p in parts], axis=1)
    y = y.reshape(x.shape[0], *lead, *rows, *out)
    have = [*op.shared, *carried, *op.out]
    return y.transpose([0, *(1 + have.index(n) for n in node.type.names)])


def _banks(
    op: Convolve, banks: Ints, bits: NDArray[np.bool_], names: tuple[str, ...], node: Node
) -> Ints:
    """A convolution with weights of its own for every step."""
    single = replace(node, type=node.type.without(TIME))
    rest = tuple(n for n in names if n != TIME)
    steps = np.moveaxis(bits, 1 + names.index(TIME), 0)
    parts = [
        _convolve(op, bank, step, rest, single) for step, bank in zip(steps, banks, strict=True)
    ]
    return np.stack(parts, axis=1 + node.type.names.index(TIME))


def _convolve(
    op: Convolve, weight: Ints, bits: NDArray[np.bool_], names: tuple[str, ...], node: Node
) -> Ints:
    carried = [n for n in names if n not in (op.channel, op.height, op.width)]
    order = [*carried, op.height, op.width, op.channel]
    x = bits.transpose([0, *(1 + names.index(n) for n in order)])
    lead, image = x.shape[: 1 + len(carried)], x.reshape(-1, *x.shape[-3:])
    outputs, inputs, kh, kw = weight.shape
    (ph, pw), (dh, dw), (sh, sw) = op.padding, op.dilation, op.stride
    padded = np.pad(image, ((0, 0), (ph, ph), (pw, pw), (0, 0)))
    height, width = node.type.size(op.out_height), node.type.size(op.out_width)
    taps = [
        padded[:, i * dh :, j * dw :][:, ::sh, ::sw][:, :height, :width]
        for i in range(kh)
        for j in range(kw)
    ]
    patches = np.stack(taps, axis=3)
    per_group, parts = outputs // op.groups, list[Ints]()
    for g in range(op.groups):
        chosen = patches[..., g * inputs : (g + 1) * inputs]
        rows = chosen.reshape(-1, 1, kh * kw * inputs)
        kernel = weight[g * per_group : (g + 1) * per_group].transpose(2, 3, 1, 0)
        parts.append(_select_and_add(rows, kernel.reshape(-1, per_group)))
    y = np.concatenate(parts, axis=1).reshape(*lead, height, width, outputs)
    have = [*carried, op.out_height, op.out_width, op.out_channel]
    return y.transpose([0, *(1 + have.index(n) for n in node.type.names)])


def _select_and_add(bits: NDArray[np.bool_], weight: Ints) -> Ints:
    """For every row the sum of the weight rows that its active inputs select.

    Args:
        bits: [rows, again, inputs]; the same weights are used for each of `again`.
        weight: [inputs, outputs].
    """
    rows, again, inputs = bits.shape
    result = np.zeros_like(weight, order="C", shape=(rows, weight.shape[1]))
    active = bits.reshape(rows, again * inputs)
    busiest = max(1, again * inputs * max(1, weight.shape[1]))
    step = max(1, CHUNK // busiest)
    for start in range(0, rows, step):
        row, column = np.nonzero(active[start : start + step])
        if row.size == 0:
            continue
        first = np.flatnonzero(np.diff(row, prepend=-1))
        gathered = weight[column % inputs if again > 1 else column]
        result[start + row[first]] = np.add.reduceat(gathered, first, axis=0)
    return result


def _population(
    graph: Graph, node: Node, op: IntegerPopulation, current: Array
) -> tuple[NDArray[np.uint8], Ints]:
    """Spikes and membranes, both in the axes of the node's type; see `IntegerPopulation`."""
    names = graph[node.inputs[0]].type.names
    rest = (TIME, *(n for n in names if n != TIME))
    x = over_steps(current, names, graph.steps)
    if op.offset is not None:
        x = x + _constant(graph, op.offset, rest)
    if op.polarity is not None:
        sign = _constant(graph, op.polarity, rest)
        x = np.where(sign == 0, 0, np.where(sign > 0, x, -x))
    thresholds = _constant(graph, op.threshold, rest)
    none = np.zeros_like(thresholds)
    biases = _constant(graph, op.bias, rest) if op.bias is not None else none
    (factor, shift), offset = op.decay, op.decay_offset
    digits = [d.reshape(()) for d in signed_digits(np.array(factor))]
    state = np.zeros_like(x[:, 0], order="C")
    spikes, levels = np.empty_like(x, np.uint8, order="C"), np.empty_like(x, order="C")
    for t in range(graph.steps):
        threshold = at_step(thresholds, t)
        if op.rounding == "zero":
            down = (_times(state, digits) + offset) >> shift
            up = -((_times(-state, digits) + offset) >> shift)
            leaked = np.where(state < 0, up, down)
        elif op.compare == "ge":
            leaked = (_times(state, digits) + offset) >> shift
        else:
            leaked = -((_times(-state, digits) + offset) >> shift)
        level = leaked + x[:, t] + at_step(biases, t)
        spike = level >= threshold if op.compare == "ge" else level > threshold
        after = np.zeros_like(level) if op.reset == "hard" else level - threshold
        state = np.where(spike, after, level)
        spikes[:, t], levels[:, t] = spike, level
    place = 1 + node.type.names.index(TIME)
    return np.moveaxis(spikes, 1, place), np.moveaxis(levels, 1, place)
