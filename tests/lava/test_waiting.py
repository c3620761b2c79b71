"""The schedule holds as little as any schedule can, and is no later."""

import itertools

import numpy as np
import pytest
from generators.programs import program

from snncc.backends.lava_nc.schedule import balance_delays, costs_a_step
from snncc.backends.lava_nc.waiting import times_of_least_waiting
from snncc.ir.dialects.projections import Frames

Reads = dict[str, list[str]]


def random_reads(rng: np.random.Generator, count: int) -> Reads:
    """A graph whose only source is the first node and whose last node depends on all."""
    reads: Reads = {"0": []}
    for number in range(1, count):
        sources = rng.choice(number, size=int(rng.integers(1, min(number, 3) + 1)), replace=False)
        reads[str(number)] = sorted(map(str, sources))
    read = {source for sources in reads.values() for source in sources}
    reads["last"] = [node for node in reads if node not in read]
    return reads


def waiting(reads: Reads, costs: dict[str, int], widths: dict[str, int], at: dict[str, int]) -> int:
    """Width times the steps for which each value is held, summed; -1 for no schedule."""
    held = 0
    for node in reads:
        sent = at[node] + costs[node]
        taken = [at[reader] for reader, sources in reads.items() if node in sources]
        if any(step < sent for step in taken):
            return -1
        held += widths[node] * (max(taken, default=sent) - sent)
    return held


@pytest.mark.parametrize("seed", range(25))
def test_no_schedule_holds_less(seed: int) -> None:
    """All schedules of small graphs, one by one."""
    rng = np.random.default_rng(seed)
    reads = random_reads(rng, int(rng.integers(3, 7)))
    costs = {node: int(rng.integers(0, 2)) for node in reads} | {"0": 1}
    widths = {node: int(rng.integers(1, 6)) for node in reads}
    found = times_of_least_waiting(reads, costs, widths)
    earliest: dict[str, int] = {}
    for node, sources in reads.items():
        earliest[node] = max((earliest[name] + costs[name] for name in sources), default=0)
    assert found["0"] == 0
    assert found["last"] == earliest["last"] == max(found.values())
    inner = [node for node in reads if node not in ("0", "last")]
    choices = itertools.product(*(range(earliest[n], earliest["last"] + 1) for n in inner))
    ends = {"0": 0, "last": earliest["last"]}
    all_costs = [
        (waiting(reads, costs, widths, at), at)
        for at in (ends | dict(zip(inner, steps, strict=True)) for steps in choices)
    ]
    least = min(cost for cost, _ in all_costs if cost >= 0)
    assert waiting(reads, costs, widths, found) == least
    best = [at for cost, at in all_costs if cost == least]
    assert all(found[node] == min(at[node] for at in best) for node in reads)


def test_programs_hold_less_than_when_everything_listens_as_soon_as_it_can() -> None:
    held = soon = 0
    for seed in range(60):
        graph = program(seed)
        reads = {node.name: list(node.inputs) for node in graph.nodes}
        costs = {node.name: int(costs_a_step(graph, node)) for node in graph.nodes}
        widths = {
            n.name: n.type.neurons * (8 if isinstance(n.op, Frames) else 1) for n in graph.nodes
        }
        earliest: dict[str, int] = {}
        for node, sources in reads.items():
            earliest[node] = max((earliest[name] + costs[name] for name in sources), default=0)
        schedule = balance_delays(graph)
        assert schedule.listens[graph.output] == earliest[graph.output]
        a = waiting(reads, costs, widths, dict(schedule.listens))
        b = waiting(reads, costs, widths, earliest)
        assert 0 <= a <= b
        held, soon = held + a, soon + b
    assert held < soon


def test_what_the_host_computes_is_sent_at_once() -> None:
    """The host has the image at the first step; currents can wait, an image in it cannot."""
    seen = 0
    for seed in range(60):
        graph = program(seed)
        schedule = balance_delays(graph)
        for image in graph.select(Frames):
            for reader in graph.readers[image.name] if image.op.encoding == "host" else ():
                seen += 1
                assert schedule.listens[reader.name] == schedule.arrival[reader.name] == 0
    assert seen > 10
