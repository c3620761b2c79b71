"""Random programs, run, changed and compared by hand."""

import itertools
from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np
import pytest
from programs import lowered
from random_networks import random_images, random_network

from snncc.artifact import Program, program_digest
from snncc.ir import TIME, Graph
from snncc.ir.dialects.integer import IntegerPopulation
from snncc.ir.dialects.neuron_rule import Rounding
from snncc.runtime import ALL
from snncc.runtime.compare.comparison import Comparison, Side
from snncc.runtime.executors import executor_of
from snncc.runtime.recording import (
    run_recorded,
)

IMAGES = 24


def images_of(seed: int) -> np.ndarray:
    return random_images(random_network(seed), seed, IMAGES)


def ran(label: str, graph: Graph, images: np.ndarray, executor: str = "interpreter") -> Side:
    sha = program_digest(Program(graph, {}))
    _, recording = run_recorded(graph, images, executor_of(graph, executor), ALL, sha)
    return Side(label, recording, graph)


def populations(graph: Graph) -> list[str]:
    return [node.name for node in graph.select(IntegerPopulation)]


def with_neurons(graph: Graph, name: str, **changes: object) -> Graph:
    """The program with other neurons in one population, its membrane's interval proved again."""
    node = graph[name]
    op = replace(node.op, **changes)
    if op.compare != node.op.compare and op.rounding is not Rounding.TO_ZERO:
        op = replace(op, rounding=Rounding.exact_for(op.compare))
    interval = op.membrane_range(graph[node.inputs[0]].type, graph.context)
    node = replace(node, op=replace(op, membrane=interval))
    return replace(graph, nodes=tuple(node if n.name == name else n for n in graph.nodes))


def with_constant(graph: Graph, name: str, index: tuple[int, ...], value: int) -> Graph:
    array = graph.constants[name].astype(np.int64)
    array[index] = value
    return replace(graph, constants={**graph.constants, name: array})


def first_by_hand(a: Side, b: Side, membranes: bool) -> tuple[str, int, int, dict[str, int]] | None:
    """Layer, step, image, neuron, found with loops over the arrays as executors hold them."""
    for name in populations(a.graph):
        axes = a.graph[name].type.names
        t = 1 + axes.index(TIME)
        pairs = [(a.recording.spikes[name], b.recording.spikes[name])]
        if membranes:
            pairs.append((a.recording.membranes[name], b.recording.membranes[name]))
        wrong = [np.moveaxis(x != y, t, 0) for x, y in pairs]
        rest = [n for n in axes if n != TIME]
        for place in itertools.product(*map(range, wrong[0].shape)):
            if any(w[place] for w in wrong):
                return name, place[0], place[1], dict(zip(rest, place[2:], strict=True))
    return None


def check_place(result: Comparison, a: Side, b: Side, membranes: bool = False) -> None:
    wanted = first_by_hand(a, b, membranes)
    first = result.first
    assert first is not None
    assert wanted == (first.layer, first.step, first.image, dict(first.neuron))


def planted(
    change: Callable[[Graph, str, Side], Graph | None], count: int
) -> Iterator[tuple[Side, Side, str]]:
    """Programs beside their changed selves, on layers where the change is seen."""
    found = 0
    for seed in range(200):
        graph, images = lowered(seed), images_of(seed)
        a = ran("A", graph, images)
        for name in populations(graph):
            other = change(graph, name, a)
            if other is None:
                continue
            b = ran("B", other, images)
            if np.array_equal(a.recording.spikes[name], b.recording.spikes[name]):
                continue
            found += 1
            yield a, b, name
            break
        if found == count:
            return
    pytest.fail(f"only {found} networks show the change")


def ran_b(side: Side) -> Side:
    return replace(side, label="B")


def spikes_of(side: Side) -> list[tuple[str, np.ndarray]]:
    return list(side.recording.spikes.items())
