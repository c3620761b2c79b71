"""Single nodes by the interpreter's table: from given values, from given membranes, by parts."""

import itertools
from dataclasses import replace

import numpy as np
import pytest
from executions import images_of, lowered

from snncc.ir import TIME, Array, Graph, Node, ValueType, params_of
from snncc.ir.dialects.integer import IntegerPopulation
from snncc.runtime import ALL, interpret
from snncc.runtime.interpreter import VALUE, Computed, evaluate

SEEDS = range(24)


def cut_type(kind: ValueType, steps: int) -> ValueType:
    axes = tuple(replace(a, size=steps) if a.name == TIME else a for a in kind.axes)
    return replace(kind, axes=axes)


def part_of(graph: Graph, first: int, last: int) -> Graph:
    """The steps from first to before last, as if they were all."""
    constants = dict(graph.constants)
    for param in (p for node in graph.nodes for p in params_of(node.op) if TIME in p.axes):
        steps = range(first, last)
        constants[param.name] = graph.constants[param.name].take(steps, param.axes.index(TIME))
    nodes = tuple(replace(n, type=cut_type(n.type, last - first)) for n in graph.nodes)
    return replace(graph, steps=last - first, nodes=nodes, constants=constants)


def steps_of(value: Array, node: Node, first: int, last: int) -> Array:
    if TIME not in node.type.names:
        return value
    return value.take(range(first, last), axis=1 + node.type.names.index(TIME))


@pytest.mark.parametrize("seed", SEEDS)
def test_nodes_one_by_one_are_the_program(seed: int) -> None:
    graph, images = lowered(seed), images_of(seed)[:4]
    wanted, values = interpret(graph, images, ALL), dict[str, Array]()
    for node in graph.nodes:
        found = evaluate(graph, node, [values[n] for n in node.inputs], images)
        values[node.name] = found.value
        if isinstance(node.op, IntegerPopulation):
            assert np.array_equal(found.value, wanted.spikes[node.name])
            assert found.membranes is not None
            assert np.array_equal(found.membranes, wanted.membranes[node.name])
            assert found.state is not None
            assert found.state.shape[1:] == node.type.without(TIME).shape
        else:
            assert found[1:] == (None, None)
    assert np.array_equal(values[graph.output], wanted.readout)


@pytest.mark.parametrize("seed", SEEDS)
def test_steps_in_parts_with_the_state_between_are_the_run_without_a_stop(seed: int) -> None:
    graph, images = lowered(seed), images_of(seed)[:4]
    wanted, values = interpret(graph, images, ALL), dict[str, Array]()
    for node in graph.nodes:
        values[node.name] = evaluate(graph, node, [values[n] for n in node.inputs], images).value
    cuts = sorted({0, seed % graph.steps, graph.steps})
    states: dict[str, Array] = {}
    spiked = 0
    for first, last in itertools.pairwise(cuts):
        part = part_of(graph, first, last)
        for node in part.select(IntegerPopulation):
            source = graph[node.inputs[0]]
            given = steps_of(values[source.name], source, first, last)
            found = evaluate(part, node, [given], images, states.get(node.name))
            whole = graph[node.name]
            assert np.array_equal(found.value, steps_of(values[whole.name], whole, first, last))
            levels = steps_of(wanted.membranes[whole.name], whole, first, last)
            assert found.membranes is not None
            assert np.array_equal(found.membranes, levels)
            assert found.state is not None
            states[node.name] = found.state
            spiked += int(found.value.sum())
    assert spiked == sum(wanted.spike_counts.values())


def test_another_state_gives_other_membranes() -> None:
    graph, images = lowered(3), images_of(3)[:4]
    node = graph.select(IntegerPopulation)[0]
    names = [n.name for n in graph.nodes]
    values: dict[str, Array] = {}
    for each in graph.nodes[: names.index(node.name)]:
        values[each.name] = evaluate(graph, each, [values[n] for n in each.inputs], images).value
    sources = [values[n] for n in node.inputs]
    plain = evaluate(graph, node, sources, images)
    assert plain.state is not None
    zero = evaluate(graph, node, sources, images, np.zeros_like(plain.state))
    other = evaluate(graph, node, sources, images, np.full_like(plain.state, 1 << 12))
    assert np.array_equal(plain.value, zero.value)
    assert not np.array_equal(plain.membranes, other.membranes)


def test_an_op_can_mean_something_else_for_a_while() -> None:
    graph, images = lowered(3), images_of(3)[:4]
    before = interpret(graph, images).readout
    node = graph[graph.output]
    with VALUE.replaced(type(node.op), lambda at, op: Computed(meant(at, op).value + 1)) as meant:
        assert np.array_equal(interpret(graph, images).readout, before + 1)
    assert np.array_equal(interpret(graph, images).readout, before)
