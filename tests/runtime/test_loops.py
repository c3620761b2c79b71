"""Loops through delays: the interpreter is held against histories kept by hand, step by step."""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
from looped_programs import Hand, by_hand, images, looped

from snncc.ir import Graph
from snncc.ir.cycles import arranged, components
from snncc.ir.dialects.delays import Delay
from snncc.ir.dialects.integer import IntegerPopulation
from snncc.mfi.widths.proof import prove_widths
from snncc.runtime import ALL, interpret
from snncc.runtime.compare.layer_inputs import inputs_of
from snncc.runtime.counts.synaptic_operations import count_operations
from snncc.runtime.interpreter import evaluate
from snncc.runtime.proofs.dynamic_proof import prove_by_running
from snncc.runtime.proofs.witness import reach


def same(graph: Graph, hand: Hand, given: np.ndarray) -> tuple[int, int]:
    """Spikes, membranes and answers are those by hand; how many spikes of how many chances."""
    ran = interpret(graph, given, ALL)
    assert np.array_equal(ran.readout, hand.answer)
    spikes = sites = 0
    for name, found in ran.spikes.items():
        assert np.array_equal(found, np.stack(hand.values[name], axis=1)), name
        assert np.array_equal(ran.membranes[name], np.stack(hand.levels[name], axis=1)), name
        assert ran.spike_counts[name] == int(found.sum())
        spikes, sites = spikes + int(found.sum()), sites + found.size
    return spikes, sites


def test_random_loops_give_what_they_give_by_hand() -> None:
    spikes = sites = fused = nodes = loops = 0
    for seed in range(500):
        graph, given = looped(seed), images(seed, 2)
        more, chances = same(graph, by_hand(graph, given), given)
        spikes, sites = spikes + more, sites + chances
        for part in components(graph):
            nodes += len(part.nodes)
            fused += 0 if part.cyclic else len(part.nodes)
            loops += part.cyclic
    assert 0.2 < spikes / sites < 0.6  # loud: a silent network proves nothing
    assert loops > 300
    assert nodes / 2 < fused < nodes


def delays(graph: Graph) -> Iterator[tuple[str, Delay]]:
    for node in graph.nodes:
        if isinstance(node.op, Delay):
            yield node.name, node.op


def test_a_delay_that_is_off_by_one_is_seen() -> None:
    """Power: of the delays of random programs most change a spike when they are a step longer."""
    seen = every = 0
    for seed in range(60):
        graph, given = looped(seed), images(seed, 6)
        right = interpret(graph, given, ALL)
        for name, op in delays(graph):
            longer = replace(op, steps=op.steps + 1)
            nodes = tuple(replace(n, op=longer) if n.name == name else n for n in graph.nodes)
            wrong = interpret(replace(graph, nodes=nodes), given, ALL)
            every += 1
            seen += any(not np.array_equal(right.spikes[n], wrong.spikes[n]) for n in right.spikes)
    assert every > 200
    assert seen > 0.6 * every


def test_a_delay_goes_on_from_what_it_has_read() -> None:
    """By itself, cut anywhere: the queue that the first part leaves is what the second needs."""
    rng = np.random.default_rng(5)
    found = 0
    for seed in range(60):
        graph = looped(seed)
        for name, op in delays(graph):
            node, steps = graph[name], graph.steps
            x = rng.integers(0, 2, (2, steps, *op.shape)).astype(np.int64)
            whole = evaluate(graph, node, [x]).value
            stop = int(rng.integers(1, steps))
            first, second = replace(graph, steps=stop), replace(graph, steps=steps - stop)
            half = evaluate(first, node, [x[:, :stop]])
            assert half.state is not None
            assert half.state.shape == (2, op.steps, *op.shape)
            rest = evaluate(second, node, [x[:, stop:]], state=half.state)
            assert np.array_equal(np.concatenate([half.value, rest.value], axis=1), whole)
            found += 1
    assert found > 60


def test_the_order_of_a_loops_nodes_changes_nothing() -> None:
    for seed in range(20):
        graph, given = looped(seed), images(seed)
        same(arranged(graph), by_hand(graph, given), given)


def test_loops_multiply_nothing() -> None:
    for seed in range(25):
        graph, given = looped(seed), images(seed)
        proof = prove_by_running(graph, given, ALL)
        assert np.array_equal(proof.execution.readout, by_hand(graph, given).answer)
        for name, _ in delays(graph):  # a register: nothing is computed
            (own,) = (layer.counts for layer in proof.layers if layer.name == name)
            assert sum(getattr(own, kind) for kind in ("adds", "compares", "shifts", "logic")) == 0


def test_widths_hold_and_witnesses_reach_them() -> None:
    reached = every = 0
    for seed in range(25):
        graph, given = looped(seed), images(seed, 8)
        hand = by_hand(graph, given)
        for width in prove_widths(graph):
            assert width.holds
            if width.what == "membrane":
                levels = np.stack(hand.levels[width.node])
                assert width.proved[0] <= levels.min()
                assert levels.max() <= width.proved[1]
            elif width.what == "current":
                values = np.stack(hand.values[width.node])
                assert width.proved[0] <= values.min()
                assert values.max() <= width.proved[1]
            for witness in (width.low, width.high):
                low, high = reach(graph, witness.node, witness.element, witness.inputs)
                assert width.proved[0] <= low
                assert high <= width.proved[1]
                every += 1
                reached += (high if witness.upper else low) == witness.bound
    assert reached > 0.95 * every


def test_counts_see_every_spike_of_a_loop() -> None:
    for seed in range(15):
        graph, given = looped(seed), images(seed)
        ran, counts = interpret(graph, given, ALL), count_operations(graph, given)
        for each in counts.populations:
            assert each.spikes == int(ran.spikes[each.name].sum())
        hand = by_hand(graph, given)
        for each in counts.projections:
            source = graph[graph[each.name].inputs[0]]
            if source.type.domain == (0, 1):
                assert each.events == int(np.stack(hand.values[source.name]).sum())


@pytest.mark.parametrize("seed", range(12))
def test_currents_of_a_loop_are_found_from_its_spikes(seed: int) -> None:
    """What `snncc compare` says reached a population."""
    graph, given = looped(seed), images(seed)
    ran, hand = interpret(graph, given, ALL), by_hand(graph, given)
    for node in graph.select(IntegerPopulation):
        found = inputs_of(graph, node, ran.spikes, given)
        wanted = np.stack(hand.values[node.inputs[0]], axis=1)
        assert np.array_equal(np.broadcast_to(found.current, wanted.shape), wanted)
