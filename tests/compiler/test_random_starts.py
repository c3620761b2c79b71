"""Random networks whose neurons start somewhere and differ in their thresholds."""

from dataclasses import replace

import numpy as np
import pytest
from random_networks import random_images, random_network
from test_random_networks import folded

from snncc.ir import TIME, Graph, GraphBuilder
from snncc.ir.dialects.traced import Lif
from snncc.passes.pipeline import run_passes
from snncc.quantize.calibration import round_plainly
from snncc.quantize.lower_to_integers import LowerToIntegers
from snncc.runtime import ALL, interpret
from snncc.runtime.simulator import Simulator


def started(seed: int) -> Graph:
    """A random network with starts, and thresholds over one axis or all of them."""
    graph, rng = random_network(seed), np.random.default_rng(seed)
    builder = GraphBuilder(graph.dialect, graph.steps, graph.profile)
    builder.share(graph)
    for node in graph.nodes:
        op = node.op
        if isinstance(op, Lif):
            axes = [a for a in node.type.axes if a.name != TIME]
            if rng.random() < 0.5:
                axes = [axes[int(rng.integers(len(axes)))]]
            levels = op.rest + rng.integers(1, 9, [a.size for a in axes]) * 0.25
            names = tuple(a.name for a in axes)
            level = builder.constant(f"{node.name}.level", levels, names)
            if rng.random() < 0.7:
                op = replace(op, threshold=level)
            if rng.random() < 0.7:
                op = replace(op, start=float(rng.integers(-4, 9)) * 0.25)
        builder.add(op, node.inputs, node.locs, node.name)
    return builder.finish(graph.output)


@pytest.mark.parametrize("seed", range(0, 40, 10))
def test_starts_and_thresholds_pass_through_every_fold(seed: int) -> None:
    for each in range(seed, seed + 10):
        graph = started(each)
        images = random_images(graph, each, 3)
        spiking = folded(graph, images)
        program = run_passes(spiking, [LowerToIntegers(round_plainly(spiking, 16), 16)])
        slow, fast = interpret(program, images, ALL), Simulator(program).run(images, ALL)
        assert np.array_equal(slow.readout, fast.readout), each
        for name in slow.spikes:
            assert np.array_equal(slow.spikes[name], fast.spikes[name]), (each, name)
            assert np.array_equal(slow.membranes[name], fast.membranes[name]), (each, name)
