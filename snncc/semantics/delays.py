"""Delays in real numbers, and the loops that they close."""

from collections.abc import Callable, Mapping

import numpy as np

from snncc.ir import TIME, Graph, Node
from snncc.ir.arrays import align, spread, timed
from snncc.ir.cycles import Component
from snncc.ir.dialects.delays import Delay
from snncc.semantics.arrays import Real


def delayed(graph: Graph, op: Delay, x: Real, names: tuple[str, ...]) -> Real:
    """A value as it was, [batch, t, *axes of one step]; before the first step the start."""
    whole = align(*timed(x, names, graph.steps), (TIME, *op.axes))
    start = start_of(graph, op, len(whole))
    return np.concatenate([start, whole], axis=1)[:, : graph.steps]


def start_of(graph: Graph, op: Delay, batch: int) -> Real:
    """What stands for the steps before the first, [batch, steps of the delay, *axes]."""
    start = np.zeros((1,) * len(op.axes))
    if op.start is not None:
        start = spread(np.asarray(graph.constants[op.start.name], float), op.start.axes, op.axes)
    return np.broadcast_to(start, (batch, op.steps, *op.shape))


def settled(
    graph: Graph,
    part: Component,
    values: Mapping[str, Real],
    batch: int,
    compute: Callable[[Node, list[Real]], Real],
) -> dict[str, Real]:
    """The values of a loop's nodes, over all steps.

    All steps are computed again until no delay gives anything else. Every way around the loop takes
    a step, so that after k times the first k steps are right.

    Args:
        graph: real dialect.
        part: one of its loops.
        values: of what lies before it, [batch, *axes].
        batch: how many samples.
        compute: the value of a node from those of its inputs.
    """
    found: dict[str, Real] = {}
    for node in part.nodes:
        if isinstance(node.op, Delay):
            whole = (batch, graph.steps, *node.op.shape)
            found[node.name] = np.zeros(whole)
            known = start_of(graph, node.op, batch)[:, : graph.steps]
            found[node.name][:, : known.shape[1]] = known
    for _ in range(graph.steps + 1):
        for node in part.nodes:
            if not isinstance(node.op, Delay):
                sources = [found[n] if n in found else values[n] for n in node.inputs]
                found[node.name] = compute(node, sources)
        changed = False
        for node in part.nodes:
            if isinstance(node.op, Delay):
                read = node.inputs[0]
                new = delayed(graph, node.op, found[read], graph[read].type.names)
                changed = changed or not np.array_equal(new, found[node.name])
                found[node.name] = new
        if not changed:
            return found
    return found
