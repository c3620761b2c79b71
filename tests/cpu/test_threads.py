"""Threads share images or rows; whatever they do, the bits are those of one."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from executions import images_of
from programs import lowered

from snncc.backends.cpu.vm.runner import Memory, run_together
from snncc.ir import TIME
from snncc.ir.dialects.integer import IntegerPopulation
from snncc.runtime import ALL
from snncc.runtime.simulator import Simulator

SEEDS = (0, 1, 2, 5, 8)


@pytest.mark.parametrize("threads", [2, 3, 7])
@pytest.mark.parametrize("seed", SEEDS)
def test_rows_are_shared_by_more_threads_than_there_are_rows_and_cores(
    seed: int, threads: int
) -> None:
    """The barrier between units, hundreds of times; a unit of one row leaves the others waiting."""
    graph = lowered(seed)
    simulator = Simulator(graph, 1)
    assert simulator.host_units == {}, "choose another seed"
    everything = frozenset(node.name for node in graph.select(IntegerPopulation))
    runner = simulator.runner(everything)
    assert int(runner.plan.units[:, 0].min()) < threads
    images = np.concatenate([images_of(seed)] * 8)
    whole = simulator.run(images, ALL)
    memory = Memory(runner.plan, threads)
    with ThreadPoolExecutor(threads) as pool:
        for place, image in enumerate(images):
            run_together(runner, pool, memory, image)
            for name in everything:
                assert np.array_equal(runner.spikes(memory, name), whole.spikes[name][place])
                assert np.array_equal(runner.membranes(memory, name), whole.membranes[name][place])
    counts = dict(zip(runner.plan.names, memory.counts.sum(axis=0), strict=True))
    assert {name: int(counts[name]) for name in everything} == whole.spike_counts


@pytest.mark.parametrize("seed", SEEDS)
def test_a_step_at_a_time_rows_can_be_shared_too(seed: int) -> None:
    graph, images = lowered(seed), images_of(seed)[:6]
    whole = Simulator(graph, 1).run(images, ALL)
    simulator = Simulator(graph, 2)
    for place, image in enumerate(images):
        for t, answer in enumerate(simulator.stream(image, ALL)):
            for name, spikes in answer.spikes.items():
                axis = graph[name].type.names.index(TIME)
                assert np.array_equal(spikes, whole.spikes[name][place].take(t, axis))


def test_images_are_shared_when_there_are_enough() -> None:
    graph = lowered(5)
    images = np.concatenate([images_of(5)] * 20)
    one, two = Simulator(graph, 1).run(images, ALL), Simulator(graph, 2).run(images, ALL)
    assert np.array_equal(one.readout, two.readout)
    assert one.spike_counts == two.spike_counts
    for name in one.spikes:
        assert np.array_equal(one.spikes[name], two.spikes[name])
        assert np.array_equal(one.membranes[name], two.membranes[name])


def test_no_more_threads_than_cores_are_used() -> None:
    graph = lowered(1)
    assert Simulator(graph, 10_000).threads == Simulator(graph).threads
    assert Simulator(graph, 1).threads == 1


def test_one_simulator_serves_several_callers_at_once() -> None:
    graph, images = lowered(2), images_of(2)
    simulator = Simulator(graph, 1)
    whole = simulator.run(images).readout
    with ThreadPoolExecutor(4) as pool:
        parts = list(pool.map(lambda i: simulator.run(images[i : i + 1]).readout[0], range(24)))
    assert np.array_equal(np.stack(parts), whole)
