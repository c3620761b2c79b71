"""300 random networks: the model, the folded graph, both executors of the integer program."""

import numpy as np
import pytest
from random_networks import random_images, random_network

from snncc.compiler.folding import spiking_passes
from snncc.compiler.options import CompileOptions
from snncc.ir import Graph
from snncc.ir.dialects.integer import IntegerPopulation
from snncc.ir.dialects.traced import Lif
from snncc.passes.pipeline import PassEvent, run_passes
from snncc.quantize.calibration import round_plainly, round_with_images
from snncc.quantize.lower_to_integers import LowerToIntegers
from snncc.runtime import ALL, interpret
from snncc.runtime.simulator import Simulator
from snncc.semantics.spiking import run_spiking
from snncc.semantics.traced import run_traced

RAW = CompileOptions(normalize=((0.0,), (1.0 / 255.0,)))
NETWORKS = 300
BATCH = 3


def folded(graph: Graph, images: np.ndarray, options: CompileOptions = RAW) -> Graph:
    """The spiking graph; after every pass each spike of each neuron must be the model's."""
    inputs = np.repeat(images.astype(np.float64)[:, None], graph.steps, axis=1)
    wanted = run_traced(graph, inputs)
    answer = wanted[graph.output]
    if graph[graph.output].type.temporal:
        answer = answer.mean(axis=1)

    def check(event: PassEvent) -> None:
        values = run_spiking(event.graph, images)
        for node in graph.select(Lif):
            names = event.graph[node.name].type.names
            order = [0, *(1 + names.index(n) for n in node.type.names)]
            got = values[node.name].transpose(order)
            assert np.array_equal(got, wanted[node.name]), (event.name, node.name)
        np.testing.assert_allclose(
            values[event.graph.output], answer, rtol=0, atol=1e-9, err_msg=event.name
        )

    return run_passes(graph, spiking_passes(options), check)


@pytest.mark.parametrize("seed", range(0, NETWORKS, 10))
def test_every_pass_keeps_every_spike_and_both_executors_agree(seed: int) -> None:
    for each in range(seed, seed + 10):
        graph = random_network(each)
        images = random_images(graph, each, BATCH)
        gain = "unshared" if each % 3 == 0 else "shift-add"
        options = CompileOptions(normalize=RAW.normalize, gain=gain)
        spiking = folded(graph, images, options)
        bits = (4, 8, 16)[each % 3]
        rounded = (
            round_plainly(spiking, bits)
            if each % 2
            else round_with_images(spiking, bits, random_images(graph, each + 1, 8))
        )
        program = run_passes(spiking, [LowerToIntegers(rounded, bits)])
        slow = interpret(program, images, ALL)
        fast = Simulator(program).run(images, ALL)
        assert np.array_equal(slow.readout, fast.readout), each
        assert slow.spike_counts == fast.spike_counts, each
        for name in slow.spikes:
            assert np.array_equal(slow.spikes[name], fast.spikes[name]), (each, name)
            assert np.array_equal(slow.membranes[name], fast.membranes[name]), (each, name)
        for node in program.select(IntegerPopulation):
            assert isinstance(node.op, IntegerPopulation)
            low, high = node.op.membrane
            seen = slow.membranes[node.name]
            assert low <= seen.min(), (each, node.name)
            assert seen.max() <= high, (each, node.name)


def test_the_networks_are_not_silent() -> None:
    """Silent layers would hide bugs."""
    rates = []
    for seed in range(40):
        graph = random_network(seed)
        images = random_images(graph, seed, BATCH)
        inputs = np.repeat(images.astype(np.float64)[:, None], graph.steps, axis=1)
        values = run_traced(graph, inputs)
        rates += [values[node.name].mean() for node in graph.select(Lif)]
    assert 0.05 < np.mean(rates) < 0.6
    assert np.mean(np.array(rates) > 0.01) > 0.8
