"""Projections on tensors: matrix products of rows, which convolutions lay out from windows."""

from collections.abc import Callable
from math import prod

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import pad

from snncc.backends.torch_tensors.axes import aligned, ordered, timed
from snncc.backends.torch_tensors.matrices import product
from snncc.backends.torch_tensors.table import VALUE, At, Computed
from snncc.ir import TIME, Array
from snncc.ir.dialects.products import Product
from snncc.ir.dialects.projections import Contract, Convolve


@VALUE.of(Contract)
def contract(at: At, op: Contract) -> Computed:
    x, names = at.sources[0], at.names[0]
    if TIME in op.shared:
        x, names = timed(x, names, at.graph.steps)
    for name in op.summed:
        x = x.sum(dim=1 + names.index(name), dtype=torch.int64)
        names = tuple(other for other in names if other != name)
    carried = [name for name in names if name not in (*op.shared, *op.into)]
    x = ordered(x, names, (*op.shared, *carried, *op.into))
    ends = 1 + len(op.shared), 1 + len(op.shared) + len(carried)
    sizes = x.shape
    x = x.movedim(0, len(op.shared))
    x = x.reshape(prod(sizes[1 : ends[0]]), -1, prod(sizes[ends[1] :]))
    weight = at.graph.constants[op.weight.name]
    shape = weight.shape[len(op.shared) : len(op.shared) + len(op.out)]

    def by_input() -> Array:
        return weight.reshape(len(x), prod(shape), x.shape[-1]).transpose(0, 2, 1)

    y = product(x, _matrix(at, weight, by_input), at.form)
    y = y.reshape(*sizes[1 : ends[0]], sizes[0], *sizes[ends[0] : ends[1]], *shape)
    y = y.movedim(len(op.shared), 0)
    return Computed(ordered(y, (*op.shared, *carried, *op.out), at.node.type.names))


@VALUE.of(Convolve)
def convolve(at: At, op: Convolve) -> Computed:
    """Blocks of the product are groups, and the steps where each has weights of its own."""
    x, names = at.sources[0], at.names[0]
    steps = 1
    if op.banks:
        x, names = timed(x, names, at.graph.steps)
        steps = at.graph.steps
    blocked = (TIME,) if op.banks else ()
    read = (op.channel, op.height, op.width)
    carried = [name for name in names if name not in (*read, *blocked)]
    x = ordered(x, names, (*blocked, *carried, *read))
    lead = (x.shape[0], *x.shape[1 + len(blocked) : -3])
    x = x.movedim(1, 0) if op.banks else x[None]
    x = x.reshape(steps, prod(lead), op.groups, -1, *x.shape[-2:])
    weight = at.graph.constants[op.weight.name]
    size = at.node.type.size(op.out_height), at.node.type.size(op.out_width)
    rows = _windows(x, op, (int(weight.shape[-2]), int(weight.shape[-1])), size)

    def by_input() -> Array:
        outputs = weight.shape[-4] // op.groups
        return weight.reshape(len(rows), outputs, -1).transpose(0, 2, 1)

    y = product(rows, _matrix(at, weight, by_input), at.form)
    y = y.reshape(steps, op.groups, *lead, *size, -1)
    y = y.movedim(1, -2).flatten(-2)
    y = y.movedim(0, 1) if op.banks else y[0]
    have = (*blocked, *carried, op.out_height, op.out_width, op.out_channel)
    return Computed(ordered(y, have, at.node.type.names))


@VALUE.of(Product)
def added_where_spikes(at: At, op: Product) -> Computed:
    """The gate's spikes are rows, what they select is a matrix for each block."""
    gates, values = at.names
    kept = [name for name in gates if name in values and name not in op.summed]
    left = [name for name in gates if name not in values]
    right = [name for name in values if name not in gates]
    bit = ordered(at.sources[0], gates, (*kept, *left, *op.summed)) != int(op.inverted)
    bit = bit.to(torch.uint8)
    x = ordered(at.sources[1], values, (*kept, *op.summed, *right))
    lead, ends = x.shape[: 1 + len(kept)], (1 + len(kept), 1 + len(kept) + len(left))
    sizes, places = bit.shape[ends[0] : ends[1]], prod(bit.shape[ends[1] :])
    rows = bit.reshape(prod(lead), -1, places)
    y = product(rows, x.reshape(len(rows), places, -1), at.form)
    y = y.reshape(*lead, *sizes, *x.shape[1 + len(kept) + len(op.summed) :])
    return Computed(aligned(y, (*kept, *left, *right), at.node.type.names))


def _matrix(at: At, weight: Array, by_input: Callable[[], Array]) -> Tensor:
    """[blocks, inputs, outputs] in the type of the form."""
    purpose = ("rows", at.node.op, at.form)
    return at.memory.tensor(weight, purpose, lambda: np.asarray(by_input(), at.form.value))


def _windows(x: Tensor, op: Convolve, kernel: tuple[int, int], size: tuple[int, int]) -> Tensor:
    """[steps * groups, images * places, inputs of a window], inputs in the order of weights.

    Args:
        x: [steps, images, groups, channels of a group, height, width].
        op: the convolution.
        kernel: height and width of a window.
        size: height and width of the result.
    """
    (ph, pw), (dh, dw), (sh, sw) = op.padding, op.dilation, op.stride
    x = pad(x, (pw, pw, ph, ph))
    taps = [
        x[..., i * dh :: sh, j * dw :: sw][..., : size[0], : size[1]]
        for i in range(kernel[0])
        for j in range(kernel[1])
    ]
    rows = torch.stack(taps, dim=-1)  # [steps, images, groups, channels, h, w, taps]
    rows = rows.permute(0, 2, 1, 4, 5, 3, 6)
    return rows.reshape(rows.shape[0] * rows.shape[1], -1, rows.shape[-2] * rows.shape[-1])
