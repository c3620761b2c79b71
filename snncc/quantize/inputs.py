"""What a projection's synapses see: the rows of its matrix product, from a recorded value."""

import numpy as np
from numpy.typing import NDArray

from snncc.ir import Node, ValueType
from snncc.ir.dialects.projections import Contract, Convolve
from snncc.semantics.arrays import windows

Real = NDArray[np.float32]
ROWS = 1 << 16
WORK = 1 << 33
"""A Gram matrix is made of at most so many rows and products; more rows are thinned out evenly."""


def synapse_inputs(
    node: Node, source: ValueType, value: NDArray[np.float64], kernel: tuple[int, ...]
) -> Real | None:
    """Inputs [rows, synapses of one output], in the order of the weight's flattened columns.

    `kernel` is a convolution's kernel size.

    Weights that differ from token to token or from step to step are taken to see what all of them
    see together: one block alone would have too few samples. None for a grouped convolution.
    """
    op, names = node.op, source.names
    if isinstance(op, Convolve):
        if op.groups > 1:
            return None
        order = [n for n in names if n not in (op.channel, op.height, op.width)] + [
            op.height,
            op.width,
            op.channel,
        ]
        x = value.transpose([0, *(1 + names.index(n) for n in order)])
        image = x.reshape(-1, *x.shape[-3:])
        synapses = kernel[0] * kernel[1] * source.size(op.channel)
        image = image[:: max(1, image.shape[0] * _positions(node) // _most_rows(synapses))]
        patches = windows(image, (kernel[0], kernel[1]), op.stride, op.padding, op.dilation)
        patches = patches.transpose(0, 1, 2, 5, 3, 4)
        return patches.reshape(-1, int(np.prod(patches.shape[3:]))).astype(np.float32)
    if not isinstance(op, Contract):
        return None
    x = value.sum(axis=tuple(1 + names.index(n) for n in op.summed)) if op.summed else value
    left = [n for n in names if n not in op.summed]
    order = [n for n in left if n not in op.into] + list(op.into)
    x = x.transpose([0, *(1 + left.index(n) for n in order)])
    inner = int(np.prod([source.size(n) for n in op.into], dtype=np.int64))
    rows = x.reshape(-1, inner)
    return rows[:: max(1, rows.shape[0] // _most_rows(inner))].astype(np.float32)


def _most_rows(synapses: int) -> int:
    return min(ROWS, max(1, WORK // synapses**2))


def _positions(node: Node) -> int:
    op = node.op
    if not isinstance(op, Convolve):
        return 1
    return node.type.size(op.out_height) * node.type.size(op.out_width)
