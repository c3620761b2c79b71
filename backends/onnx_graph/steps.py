"""For how many steps the integers of a graph are proved, where a run says how many there are."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

from snncc.backends.onnx_graph.integers import type_for
from snncc.ir import TIME, Context, Graph, Node, TooWide, params_of
from snncc.ir.dialects.integer import IntegerPopulation

MOST_TIMES, MOST_STEPS = 16, 256
"""Times T, and steps in all, that are looked at beyond T."""
MOST_WORK = 1 << 23
"""Neurons that constants tell apart, times steps, for which intervals are found beyond T."""
Interval = tuple[int, int]


@dataclass(frozen=True)
class Proved:
    """Bounds on which the types of a graph rest.

    Attributes:
        steps: from the start, for which they hold; at least T.
        membranes: the interval of Z and V of each population.
    """

    steps: int
    membranes: Mapping[str, Interval]


def fixes_steps(graph: Graph) -> bool:
    """Whether constants differ from step to step: then T is the program's and no other."""
    return any(TIME in param.axes for node in graph.nodes for param in params_of(node.op))


def prove_steps(graph: Graph) -> Proved:
    """T steps with the declared intervals; more, with wider ones, where that needs no wider type.

    Answers have 64 bits and are no limit: a program holds sums over T steps in 62 bits with its
    sign, and `MOST_TIMES` of them are summed here only where that is below 2^63 as well.
    """
    populations = graph.select(IntegerPopulation)
    declared = {n.name: n.op.membrane for n in populations if isinstance(n.op, IntegerPopulation)}
    found = Proved(graph.steps, declared)
    if fixes_steps(graph) or not _room_for_answers(graph):
        return found
    most = min(MOST_TIMES * graph.steps, MOST_STEPS, MOST_WORK // max(1, _told_apart(graph)))
    while 2 * found.steps <= most:
        steps = 2 * found.steps
        wider = {node.name: _interval(graph, node, steps) for node in populations}
        kept = {name: interval for name, interval in wider.items() if interval is not None}
        if len(kept) < len(wider):
            break
        found = Proved(steps, kept)
    return found


def _interval(graph: Graph, node: Node, steps: int) -> Interval | None:
    """Of Z and V over so many steps; None where the declared one needs a narrower type."""
    (current,), op = graph.input_types(node), node.op
    if not isinstance(op, IntegerPopulation):
        return None
    try:
        low, high = op.membrane_range(current, Context(steps, graph.constants))
    except TooWide:
        return None
    low, high = min(low, op.membrane[0]), max(high, op.membrane[1])
    factor = max(1, op.decay[0])
    same = type_for(low * factor, high * factor) == type_for(*(e * factor for e in op.membrane))
    return (low, high) if same else None


def _told_apart(graph: Graph) -> int:
    """How many neurons may have constants of their own, over all populations."""
    found = 0
    for node in graph.select(IntegerPopulation):
        axes = {axis for param in params_of(node.op) for axis in param.axes if axis != TIME}
        found += math.prod(node.type.size(axis) for axis in axes)
    return found


def _room_for_answers(graph: Graph) -> bool:
    low, high = graph[graph.output].type.range or (0, 0)
    return MOST_TIMES * max(-low, high) < 1 << 62
