"""Leaks that round toward zero, as Lava's do: every executor, both provers, and what is exact."""

from dataclasses import replace

import numpy as np
import pytest
from programs import lowered_from_unit_pixels as lowered
from random_networks import random_images, random_network
from test_executors import dense

from snncc.ir import Graph, Node, Param, verify
from snncc.ir.dialects.integer import IntegerPopulation
from snncc.ir.dialects.neuron_rule import Rounding
from snncc.mfi.widths.proof import prove_widths
from snncc.runtime import ALL, interpret
from snncc.runtime.compare.layer_inputs import inputs_of
from snncc.runtime.compare.neuron_rules import replay
from snncc.runtime.simulator import Simulator


def toward_zero(graph: Graph) -> Graph:
    """The program with every leak rounded toward zero, and its types worked out again."""
    nodes: dict[str, Node] = {}
    for node in graph.nodes:
        inputs = tuple(nodes[name].type for name in node.inputs)
        op = node.op
        if isinstance(op, IntegerPopulation):
            op = replace(op, rounding=Rounding.TO_ZERO)
            op = replace(op, membrane=op.membrane_range(inputs[0], graph.context))
        nodes[node.name] = replace(node, op=op, type=op.infer(inputs, graph.context))
    return replace(graph, nodes=tuple(nodes.values()))


@pytest.mark.parametrize("seed", range(30))
def test_executors_agree(seed: int) -> None:
    graph = toward_zero(lowered(seed))
    verify(graph)
    images = random_images(random_network(seed), seed, 4)
    wanted = dense(graph, images)
    for done in (interpret(graph, images, ALL), Simulator(graph).run(images, ALL)):
        assert np.array_equal(done.readout, wanted[graph.output])
        for name in done.spikes:
            assert np.array_equal(done.spikes[name], wanted[name]), name
            assert np.array_equal(done.membranes[name], wanted[f"{name}/z"]), name
    for width in prove_widths(graph):
        assert width.holds, width.node
    replays(graph, interpret(graph, images, ALL).spikes, images)


def replays(graph: Graph, spikes: dict[str, np.ndarray], images: np.ndarray) -> None:
    for node in graph.select(IntegerPopulation):
        assert isinstance(node.op, IntegerPopulation)
        rule = node.op.rule
        assert rule.rounding is Rounding.TO_ZERO
        inputs = inputs_of(graph, node, spikes, images)
        found = replay(inputs.drive, inputs.thresholds, rule)
        steps = np.moveaxis(spikes[node.name], 1 + node.type.names.index("t"), 1)
        assert np.array_equal(found.spikes, steps), node.name


def test_it_matters() -> None:
    """In many of these networks membranes are others with a floor."""
    differ = 0
    for seed in range(60):  # weights on a grid lose nothing to a leak, and many lie on one
        graph = lowered(seed)
        images = random_images(random_network(seed), seed, 4)
        done = [interpret(each, images, ALL).membranes for each in (graph, toward_zero(graph))]
        differ += any(not np.array_equal(done[0][name], done[1][name]) for name in done[0])
    assert differ > 10


def test_six_fractional_bits_are_exact_for_seven_steps() -> None:
    """All drives multiples of 64 and decay 1/2: nothing is shifted out before the eighth step."""
    op = IntegerPopulation(Param("t"), rounding=Rounding.TO_ZERO)
    rng = np.random.default_rng(0)
    first_wrong = []
    for _ in range(2000):
        drives = rng.integers(-9, 10, 9) * 64
        v, real = 0, 0.0
        for t, drive in enumerate(drives):
            v, real = int(op.rule.leak(np.array(v))) + int(drive), real / 2 + int(drive)
            if v != real:
                first_wrong.append(t + 1)
                break
    assert min(first_wrong) == 8
    assert len(first_wrong) > 1000
