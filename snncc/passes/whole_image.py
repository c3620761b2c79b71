"""A convolution that gives one position is a linear map of the whole image."""

import numpy as np

from snncc.ir import GraphBuilder, Node
from snncc.ir.projections import Contract, Convolve


def as_contract(op: Convolve, node: Node, builder: GraphBuilder) -> Contract | None:
    """The convolution without the two axes of its only position; None if it has more or banks.

    Args:
        op: of the node.
        node: in the builder.
        builder: stores the weight, [out channel, channel, height, width] of the image.
    """
    height, width = (node.type.size(name) for name in (op.out_height, op.out_width))
    if op.banks or (height, width) != (1, 1):
        return None
    source = builder[node.inputs[0]].type
    weight = np.asarray(builder.context.array(op.weight), np.float64)
    outputs, inputs = weight.shape[:2]
    full = np.zeros((outputs, *(source.size(n) for n in (op.channel, op.height, op.width))))
    each = outputs // op.groups
    for p, q in np.ndindex(weight.shape[2:]):
        row, column = (
            dilation * at - pad
            for dilation, at, pad in zip(op.dilation, (p, q), op.padding, strict=True)
        )
        if not (0 <= row < full.shape[2] and 0 <= column < full.shape[3]):
            continue
        for group in range(op.groups):
            rows = slice(group * each, (group + 1) * each)
            channels = slice(group * inputs, (group + 1) * inputs)
            full[rows, channels, row, column] = weight[rows, :, p, q]
    into = (op.channel, op.height, op.width)
    param = builder.constant(op.weight.name, full, (op.out_channel, *into))
    return Contract(param, into, (op.out_channel,))
