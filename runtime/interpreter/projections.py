"""The interpreter's projections: the weight rows of the active inputs are gathered and added.

The source is brought to rows of inputs, rows are selected and added, axes are put back.
"""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from snncc.execution import Ints
from snncc.ir import TIME, Node
from snncc.ir.arrays import count, timed
from snncc.ir.dialects.projections import Contract, Convolve
from snncc.ir.types import BIT
from snncc.runtime.interpreter.table import VALUE, At, Computed

CHUNK = 1 << 22
"""Gathered weights at a time: bounds memory."""


@VALUE.of(Contract)
def contract(at: At, op: Contract) -> Computed:
    return Computed(_projection(at, op))


@VALUE.of(Convolve)
def convolve(at: At, op: Convolve) -> Computed:
    return Computed(_projection(at, op))


def _projection(at: At, op: Contract | Convolve) -> Ints:
    """The planes of a value are projected one by one, shifted, and added or subtracted."""
    graph, node, source = at.graph, at.node, at.sources[0]
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

    if kind.domain == BIT:
        return apply(source != 0)
    total: Ints | None = None
    for bit, negative in kind.planes:
        current = apply((source >> bit) & 1 != 0) << bit
        current = -current if negative else current
        total = current if total is None else total + current
    if total is None:
        raise TypeError(f"{node.name} reads {kind}, which selects nothing")
    return total


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
