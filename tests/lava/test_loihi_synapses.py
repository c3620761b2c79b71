"""Synapse by synapse, and who waits for whom: a bundle of stock processes, without Lava."""

import numpy as np
import pytest
from loihi_networks import that_fit

from snncc.backends.lava_nc import registers
from snncc.backends.lava_nc.loihi.network import build_stock
from snncc.backends.lava_nc.loihi.schedule import schedule_stock, wait
from snncc.backends.lava_nc.loihi.synapses import Synapses, synapses_into
from snncc.diagnostics import SnnccError
from snncc.ir import TIME, Graph, GraphBuilder, Node
from snncc.ir.dialects.integer import IntegerPopulation, IntegerReadout
from snncc.ir.dialects.neuron_rule import Rounding
from snncc.ir.dialects.projections import Contract, Frames, Sum
from snncc.runtime.interpreter import run_nodes

NETWORKS = 40


def flat_steps(node: Node, value: np.ndarray, steps: int) -> np.ndarray:
    """[batch, t, elements]; a value without time is the same at every step."""
    if TIME not in node.type.names:
        value = np.repeat(value[:, None], steps, axis=1)
    else:
        value = np.moveaxis(value, 1 + node.type.names.index(TIME), 1)
    return value.reshape(*value.shape[:2], -1).astype(np.int64)


def added(parts: list[Synapses], values: dict[str, np.ndarray], neurons: int) -> np.ndarray:
    """What synapses add up to, one by one."""
    first = next(iter(values.values()))
    total = np.zeros((*first.shape[:2], neurons), np.int64)
    for part in parts:
        x = values[part.source][..., part.columns] * part.weights << part.shift
        np.add.at(total, (slice(None), slice(None), part.rows), x)
    return total


def test_synapses_add_up_to_every_current() -> None:
    seen = 0
    for seed, graph, images in that_fit(0, NETWORKS, 3):
        every = frozenset(node.name for node in graph.nodes)
        values, _, _ = run_nodes(graph, images, every)
        flat = {n.name: flat_steps(n, values[n.name], graph.steps) for n in graph.nodes if
                n.type.kind != "readout"}  # fmt: skip
        for node in graph.select(IntegerPopulation, IntegerReadout):
            current = graph[node.inputs[0]]
            parts = synapses_into(graph, current.name, 0)
            got = added(parts, flat, current.type.neurons)
            assert np.array_equal(got, flat[current.name]), (seed, node.name)
            for part in parts:
                assert part.weights.all()
                pairs = set(zip(part.rows.tolist(), part.columns.tolist(), strict=True))
                assert len(pairs) == len(part.rows)
                assert registers.WEIGHTS[0] <= part.weights.min(initial=0)
                assert part.weights.max(initial=0) <= registers.WEIGHTS[1]
                seen += len(part.rows)
    assert seen > 10_000


def two_maps(weight: int) -> Graph:
    """One population that reads the same spikes twice."""
    b = GraphBuilder("integer", 2, registers.PROFILE)
    image = b.add(Frames(("c",), (2,)), name="image")
    w = b.constant("w", np.full((2, 2), weight, np.int8), ("k", "c"))
    maps = [b.add(Contract(w, ("c",), ("k",)), [image]) for _ in range(2)]
    total = b.add(Sum((6, 6)), maps)
    t = b.constant("t", np.array(64))
    op = IntegerPopulation(
        t, decay=(1, 1), compare="gt", rounding=Rounding.TO_ZERO, membrane=(0, 1 << 30)
    )
    fired = b.add(op, [total], name="fire")
    answer = b.add(Contract(b.constant("h", np.ones((1, 2), np.int8), ("o", "k")), ("k",), ("o",)),
                   [fired])  # fmt: skip
    return b.finish(b.add(IntegerReadout(), [answer]))


@pytest.mark.parametrize(("weight", "count"), [(63, 1), (64, 2), (-64, 1), (-65, 2)])
def test_synapses_are_joined_where_eight_bits_hold_the_sum(weight: int, count: int) -> None:
    graph = two_maps(weight)
    parts = synapses_into(graph, graph["fire"].inputs[0], -6)
    assert len(parts) == count
    assert sum(part.weights[0] for part in parts) == 2 * weight


def test_what_reaches_a_population_has_one_age() -> None:
    """Spikes of step t, a relay's wait and the synapses' step: all arrive at listens + t."""
    relays = 0
    for _, graph, _ in that_fit(0, NETWORKS, 1):
        into = {
            node.name: synapses_into(graph, node.inputs[0], 0)
            for node in graph.select(IntegerPopulation, IntegerReadout)
        }
        schedule = schedule_stock(graph, into)
        held = {(relay.source, relay.delay) for relay in schedule.relays}
        for name, parts in into.items():
            waits = [wait(graph, schedule, part.source, name) for part in parts]
            assert not waits or min(waits) == 0  # somebody is just in time
            for part, delay in zip(parts, waits, strict=True):
                at = schedule.arrival[part.source] + delay + 1
                assert at == schedule.listens[name]
                pixels = isinstance(graph[part.source].op, Frames)
                assert pixels or delay == 0 or (part.source, delay) in held
        relays += len(schedule.relays)
    assert relays > 5


def test_only_lavas_own_processes_and_ring_buffers_are_used() -> None:
    kinds: set[str] = set()
    for encoding in ("bit-planes", "host"):
        for _, graph, _ in that_fit(0, NETWORKS, 1, encoding):
            network = build_stock(graph)
            kinds |= {process.kind for process in network.processes}
            names = [process.name for process in network.processes]
            assert len(set(names)) == len(names)
            ends = {c.source for c in network.connections} | {c.reader for c in network.connections}
            assert ends == set(names)
    assert kinds == {
        "Dense",
        "DelaySparse",
        "LIF",
        "LIFReset",
        "Sparse",
        "ring_sink",
        "ring_source",
    }


def test_a_program_that_does_not_fit_is_not_emitted() -> None:
    with pytest.raises(SnnccError) as caught:
        build_stock(two_maps(64))
    assert {finding.code for finding in caught.value.findings} == {"SNN036"}
