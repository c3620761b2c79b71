"""Unrolled synapses give every spike of the interpreter; what is no synapse is told by name."""

from dataclasses import replace

import numpy as np
import pytest
from executions import images_of
from generators.programs import program
from programs import lowered
from random_programs import numbers_of, program_images, random_program
from unrolled_steps import wrong_values

from snncc.chips.needs import needs_of
from snncc.chips.synapses import NONE, Synapses
from snncc.chips.unrolling import synapses_of, unroll
from snncc.ir import Graph, GraphBuilder
from snncc.ir.dialects.gates import Gate
from snncc.ir.dialects.integer import IntegerPopulation, IntegerReadout
from snncc.ir.dialects.moves import Take
from snncc.ir.dialects.projections import Contract, Convolve, Frames


def test_stepping_the_matrices_gives_every_spike_of_random_programs() -> None:
    seen = layers = 0
    cases = [(random_program(seed), program_images(seed, 3)) for seed in range(40)]
    cases += [(lowered(seed, "unshared"), images_of(seed)[:3]) for seed in range(12)]
    for seed in range(40):
        graph = program(seed)
        cases.append((graph, numbers_of(graph, seed, 3)))
    for graph, images in cases:
        unrolled = unroll(graph)
        wrong, each = wrong_values(unrolled, images)
        assert wrong == 0, graph
        seen += each
        layers += sum(layer.parts is not None for layer in unrolled.layers)
    assert seen > 60_000
    assert layers > 200


def test_frames_of_every_step_and_numbers_below_0_are_unrolled_too() -> None:
    seen = 0
    for seed in range(20):
        graph = random_program(seed, (-128, 127), timed=seed % 2 == 0)
        wrong, each = wrong_values(unroll(graph), numbers_of(graph, seed, 3))
        assert wrong == 0
        seen += each
    assert seen > 1000


def test_a_wrong_weight_is_noticed_by_the_comparison_above() -> None:
    unrolled = unroll(plain())
    images = np.full((2, 5), 255, np.uint8)
    assert wrong_values(unrolled, images)[0] == 0
    layer = unrolled.layers[-1]
    assert layer.parts
    part = layer.parts["spikes"]
    weights = part.weights.copy()
    weights[0] += 1
    changed = replace(layer, parts={"spikes": replace(part, weights=weights)})
    found = replace(unrolled, layers=(*unrolled.layers[:-1], changed))
    assert wrong_values(found, images)[0] == 2


def test_counts_by_formula_are_those_of_the_matrices() -> None:
    seen = 0
    for seed in range(40):
        graph = random_program(seed)
        for layer in unroll(graph).layers:
            node = graph[layer.node.inputs[0]]
            if layer.parts is None or not isinstance(node.op, Contract | Convolve):
                continue
            if isinstance(graph[node.inputs[0]].op, Frames | IntegerPopulation):
                assert synapses_of(graph, node) == sum(map(len, layer.parts.values()))
                assert layer.paths == synapses_of(graph, node)
                seen += 1
    assert seen > 30


def moved() -> Graph:
    """Spikes that are taken in another order, gated, and pass a population of each kind."""
    rng = np.random.default_rng(3)
    b = GraphBuilder("integer", 3, "exact")
    image = b.add(Frames(("c", "h"), (3, 4)), name="image")
    weight = b.constant("w", rng.integers(-9, 10, (3, 3)), ("c", "c"))
    first = b.add(Contract(weight, ("c",), ("c",)), (image,), name="first")
    one = b.constant("k", np.array(300), ())
    spikes = b.add(IntegerPopulation(one, membrane=(-20000, 20000)), (first,), name="spikes")
    take = Take(("h",), ("h",), ((3, -1, 3, -1, 0, 2, 0, 0, 1),))
    taken = b.add(take, (spikes,), name="taken")
    second = b.add(Contract(weight, ("c",), ("c",)), (taken,), name="second")
    few = b.constant("k2", np.array(3), ())
    last = b.add(IntegerPopulation(few, membrane=(-200, 200)), (second,), name="last")
    gated = b.add(Gate(), (last, taken), name="gated")
    classes = b.constant("v", rng.integers(-9, 10, (2, 3)), ("k", "c"))
    answer = b.add(Contract(classes, ("c",), ("k",), (), ("h",)), (gated,), name="answer")
    return b.finish(b.add(IntegerReadout(), (answer,), name="readout"))


def plain() -> Graph:
    """Two layers, and nothing that two layers share."""
    rng = np.random.default_rng(4)
    b = GraphBuilder("integer", 2, "exact")
    image = b.add(Frames(("c",), (5,)), name="image")
    first = b.add(
        Contract(b.constant("w", rng.integers(1, 9, (4, 5)), ("d", "c")), ("c",), ("d",)), (image,)
    )
    few = b.constant("k", np.array(900), ())
    spikes = b.add(IntegerPopulation(few, membrane=(0, 50000)), (first,), name="spikes")
    classes = b.constant("v", rng.integers(1, 9, (2, 4)), ("k", "d"))
    answer = b.add(Contract(classes, ("d",), ("k",)), (spikes,))
    return b.finish(b.add(IntegerReadout(), (answer,), name="readout"))


def test_what_is_no_synapse_is_named_and_the_rest_goes_on() -> None:
    graph = moved()
    unrolled = unroll(graph)
    assert [finding.code for finding in unrolled.refused] == ["SNN040"]
    assert "gate (gated)" in unrolled.refused[0].message
    known = {layer.name: layer.parts is not None for layer in unrolled.layers}
    assert known == {"spikes": True, "last": True, "readout": False}
    images = np.random.default_rng(0).integers(0, 256, (4, 3, 4), dtype=np.uint8)
    assert wrong_values(unrolled, images) == (0, 4 * 3 * (12 + 18))
    needs = needs_of(unrolled)
    assert needs[-1].connections is None
    assert [each.depth for each in needs] == [0, 1, 2]
    assert needs[-1].delay == 1  # the taken spikes wait for the gate's
    assert needs[-1].shared_weights == 6


def test_gains_and_weights_by_step_are_named() -> None:
    words = set()
    for seed in range(40):
        for finding in unroll(random_program(seed)).refused:
            words.add(finding.message.partition(" (")[0])
            assert finding.help
    assert words == {
        "unrolling has no form for gain",
        "unrolling has no form for weights that differ from step to step",
    }


def test_above_a_size_synapses_are_counted_and_not_made() -> None:
    graph = plain()
    unrolled = unroll(graph)
    paths = sum(synapses_of(graph, node) for node in graph.select(Contract, Convolve))
    assert paths > 0
    assert not unroll(graph, most=paths).too_many
    large = unroll(graph, most=paths - 1)
    assert large.too_many
    assert all(layer.parts is None for layer in large.layers)
    assert large.counted == unrolled.counted > 0
    assert [layer.reads for layer in large.layers] == [layer.reads for layer in unrolled.layers]


@pytest.mark.parametrize("seed", range(20))
def test_matrices_of_elements_in_another_order(seed: int) -> None:
    """`taken`, `after` and `merged` against dense arrays."""
    rng = np.random.default_rng(seed)
    rows, columns, many = (int(n) for n in rng.integers(1, 7, 3))
    part = Synapses(
        rng.integers(0, rows, 9),
        rng.integers(0, columns, 9),
        rng.integers(-2, 3, 9),
        (rows, columns),
    )

    def dense(of: Synapses) -> np.ndarray:
        found = np.zeros(of.shape, np.int64)
        np.add.at(found, (of.targets, of.sources), of.weights)
        return found

    assert (dense(part.merged()) == dense(part)).all()
    assert len(part.merged()) == np.count_nonzero(dense(part))
    index = rng.integers(-1, rows, many)
    wanted = np.where(index[:, None] == NONE, 0, dense(part)[index])
    assert (dense(part.taken(index)) == wanted).all()
    chosen = rng.integers(-1, 5, columns)
    at = np.flatnonzero(chosen >= 0)
    selection = Synapses(at, chosen[at], np.ones(len(at), np.int64), (columns, 5))
    assert (dense(part.after(selection)) == dense(part) @ dense(selection)).all()
    x = rng.integers(-3, 4, (4, columns))
    assert (part.applied(x) == x @ dense(part).T).all()
