"""Runs a program from its unrolled synapses, and compares with the interpreter."""

import numpy as np

from snncc.chips.unrolling import Layer, Unrolled
from snncc.execution import ALL, Execution
from snncc.ir import Graph
from snncc.ir.arrays import over_steps
from snncc.runtime.interpreter import evaluate, interpret


def wrong_values(unrolled: Unrolled, images: np.ndarray) -> tuple[int, int]:
    """How many spikes and answers differ from the interpreter's, and how many there are."""
    graph = unrolled.graph
    run = interpret(graph, images, ALL)
    wrong = seen = 0
    for layer in unrolled.layers:
        if layer.parts is None:
            continue
        wanted = run.readout if layer.name == graph.output else run.spikes[layer.name]
        got = evaluate(graph, layer.node, [current_of(graph, layer, run, images)]).value
        wrong += int((got != wanted).sum())
        seen += wanted.size
    return wrong, seen


def current_of(graph: Graph, layer: Layer, run: Execution, images: np.ndarray) -> np.ndarray:
    """What a layer receives: synapses times spikes, in the axes of the program's own current."""
    current, steps = graph[layer.node.inputs[0]].type, graph.steps
    total = np.zeros((len(images) * steps, current.neurons), np.int64)
    for name, part in (layer.parts or {}).items():
        node = graph[name]
        values = run.spikes[name] if node.inputs else images
        x = over_steps(values.astype(np.int64), node.type.names, steps)
        total += part.applied(x.reshape(len(images) * steps, -1))
    shape = [axis.size for axis in current.axes if axis.name != "t"]
    by_step = total.reshape(len(images), steps, *shape)
    if current.temporal:
        return np.moveaxis(by_step, 1, 1 + current.names.index("t"))
    assert (by_step == by_step[:, :1]).all()
    return by_step[:, 0]
