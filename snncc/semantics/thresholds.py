"""Staircases in real numbers."""

import numpy as np

from snncc.ir import Graph, Node, Param
from snncc.ir.arrays import align, spread, timed
from snncc.ir.dialects.thresholds import LEVEL, MultiThreshold
from snncc.ir.types import TIME
from snncc.semantics.arrays import Real


def staircase(graph: Graph, node: Node, op: MultiThreshold, x: Real) -> Real:
    """How many thresholds x [batch, *axes of the source] has passed, [batch, *axes of the node]."""
    names, made = graph[node.inputs[0]].type.names, node.type.names
    if TIME in made and TIME not in names:
        x, names = timed(x, names, graph.steps)
    x = align(x, names, made)

    def over(param: Param | None, axes: tuple[str, ...]) -> Real | None:
        if param is None:
            return None
        return spread(np.asarray(graph.constants[param.name], np.float64), param.axes, axes)

    polarity = over(op.polarity, made)
    driven = x if polarity is None else x * polarity
    thresholds, above = over(op.thresholds, (*made, LEVEL)), over(op.above, (*made, LEVEL))
    found = np.full(driven.shape, float(op.lowest))
    for level in range(op.levels(graph.context)):
        own = thresholds[..., level] if thresholds is not None else 0.0
        if above is None:
            found += driven >= own
        else:
            strict = above[..., min(level, above.shape[-1] - 1)] != 0.0
            found += np.where(strict, driven > own, driven >= own)
    return found
