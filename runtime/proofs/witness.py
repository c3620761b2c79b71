"""Runs a witness of the width proof through the interpreter and says how far it gets."""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from snncc.backends.cpu.plan.host import at_steps, program_of
from snncc.ir import TIME, Array, Graph, Node
from snncc.ir.arrays import spread
from snncc.ir.dialects.integer import Gain, IntegerPopulation
from snncc.runtime.interpreter import evaluate


def reach(
    graph: Graph,
    name: str,
    element: tuple[int, ...],
    inputs: Mapping[str, Array],
    before_shift: bool = False,
    state: int | None = None,
) -> tuple[int, int]:
    """The least and the largest that one number becomes when the part below it runs.

    Args:
        graph: integer dialect.
        name: a current, a readout, or a population, of which the membrane is meant: at rest, at
            the comparison and after the reset.
        element: index over the axes of one step.
        inputs: values that the number is made of, by node, [1, *axes].
        before_shift: of a gain, what stands before its shift.
        state: of neurons of several states, the one that is meant, after the reset.
    """
    node = graph[name]
    sources = [_value(graph, source, inputs) for source in node.inputs]
    half = 0
    if state is not None:
        return _reach_of_state(graph, node, sources, element, state)
    if before_shift and isinstance(node.op, Gain):
        half = (1 << node.op.shift) >> 1
        node = replace(node, op=replace(node.op, shift=0))
    value, levels, _ = evaluate(graph, node, sources)
    names = node.type.names
    if isinstance(node.op, IntegerPopulation) and levels is not None:
        threshold = graph.constants[node.op.threshold.name].astype(np.int64)
        lowered = levels - spread(threshold, node.op.threshold.axes, names)
        after = np.where(value != 0, 0 if node.op.reset == "hard" else lowered, levels)
        value = np.stack([0 * levels, levels, after], axis=-1)
    if TIME in names:
        value = np.moveaxis(value, 1 + names.index(TIME), 1)[0]
        found = value[(slice(None), *element)]
    else:
        found = value[0][element]
    return int(found.min()) + half, int(found.max()) + half


def _value(graph: Graph, name: str, inputs: Mapping[str, Array]) -> Array:
    """A value of the part below a number."""
    if name in inputs:
        return inputs[name]
    node = graph[name]
    return evaluate(graph, node, [_value(graph, n, inputs) for n in node.inputs]).value


def _reach_of_state(
    graph: Graph, node: Node, sources: list[Array], element: tuple[int, ...], state: int
) -> tuple[int, int]:
    """The least and the largest of a state of one neuron, from 0 before the first step on."""
    found, left = [0], None
    for t in range(graph.steps):
        one = at_steps(program_of(graph, node), t, t + 1)
        parts = [
            value.take([t], axis=1 + graph[name].type.names.index(TIME))
            if graph[name].type.temporal
            else value
            for name, value in zip(node.inputs, sources, strict=True)
        ]
        left = evaluate(one, one[node.name], parts, state=left).state
        if left is not None:
            found.append(int(left[(0, state, *element)]))
    return min(found), max(found)
