"""Thresholds of staircases as named arrays: the axis of levels stays, and stays last."""

import numpy as np

from snncc.ir import TIME, GraphBuilder, Node, Param
from snncc.ir.dialects.thresholds import LEVEL
from snncc.passes.named import Named


def by_level(levels: Named, node: Node, builder: GraphBuilder, stem: str) -> Param:
    """Stores thresholds over those axes along which they vary, and levels.

    Args:
        levels: over axes of the staircase's value and `LEVEL`.
        node: the staircase.
        builder: where the constant goes.
        stem: its name.
    """
    small = levels.compact()
    names = (*(() if TIME in node.type.names else (TIME,)), *node.type.names)
    order = (*(n for n in names if n in small.axes), LEVEL)
    count = levels.array.shape[levels.axes.index(LEVEL)]
    array = small.over(order)
    return builder.constant(stem, np.broadcast_to(array, (*array.shape[:-1], count)), order)
