"""The first divergence: planted causes are found at the right place."""

from dataclasses import replace

import numpy as np
import pytest
from executions import (
    IMAGES,
    check_place,
    images_of,
    lowered,
    planted,
    populations,
    ran,
    ran_b,
    spikes_of,
    with_constant,
    with_neurons,
)

from snncc.diagnostics import SnnccError
from snncc.ir import TIME, Graph, Param
from snncc.ir.dialects.integer import IntegerPopulation, IntegerReadout
from snncc.ir.dialects.projections import Contract, Convolve
from snncc.runtime.compare.causes import rounding
from snncc.runtime.compare.comparison import Side, compare
from snncc.runtime.compare.layer_evidence import LayerEvidence, LayerSide
from snncc.runtime.compare.layer_inputs import LayerInputs, inputs_of
from snncc.runtime.compare.neuron_rules import alternatives, difference, replay
from snncc.runtime.compare.rounding_bounds import reach_of
from snncc.runtime.recording import (
    Recording,
)


def test_equal_executions_are_equal() -> None:
    for seed in range(20):
        graph, images = lowered(seed), images_of(seed)
        result = compare(ran("A", graph, images), ran("B", graph, images, "simulator"))
        assert result.first is None
        assert result.readouts == 0
        assert result.images == IMAGES
        assert [layer.name for layer in result.layers] == populations(graph)
        assert all(layer.spikes == layer.membranes == 0 for layer in result.layers)


def test_inputs_and_rules_give_what_the_definition_gives() -> None:
    """Recomputed drives, stepped by the rules, are the interpreter's membranes in every layer."""
    for seed in range(40):
        graph, images = lowered(seed), images_of(seed)
        recording = ran("A", graph, images).recording
        for node in graph.select(IntegerPopulation):
            inputs = inputs_of(graph, node, recording.spikes, images)
            result = replay(inputs.drive, inputs.thresholds, node.op.rule)
            t = 1 + node.type.names.index(TIME)
            levels = np.moveaxis(recording.membranes[node.name], t, 1)
            assert np.array_equal(result.levels, levels), (seed, node.name)
            assert np.array_equal(result.spikes, np.moveaxis(recording.spikes[node.name], t, 1)), (
                seed,
                node.name,
            )


def test_a_threshold_one_unit_off_is_rounding() -> None:
    def change(graph: Graph, name: str, a: Side) -> Graph | None:
        param = graph[name].op.threshold
        if graph[name].op.compare != "ge":
            return None
        node = graph[name]
        inputs = inputs_of(graph, node, a.recording.spikes, a.recording.images)
        levels = np.moveaxis(a.recording.membranes[name], 1 + node.type.names.index(TIME), 1)
        ties = np.argwhere(levels == inputs.thresholds)
        if len(ties) == 0:
            return None
        axes = ["batch", TIME, *(n for n in node.type.names if n != TIME)]
        index = tuple(int(ties[0][axes.index(n)]) for n in param.axes)
        value = int(graph.constants[param.name][index])
        return with_constant(graph, param.name, index, value + 1)

    for a, b, name in planted(change, 6):
        result = compare(a, b)
        check_place(result, a, b)
        assert result.first.layer == name
        assert result.first.cause.kind == "rounding"
        assert (result.first.a.spike, result.first.b.spike) == (1, 0)
        assert (result.first.a.distance, result.first.b.distance) == (0, -1)
        assert result.first.a.current == result.first.b.current


def test_a_threshold_far_off_is_no_rounding() -> None:
    def change(graph: Graph, name: str, a: Side) -> Graph | None:
        param = graph[name].op.threshold
        array = graph.constants[param.name].astype(np.int64)
        wrong = {**graph.constants, param.name: array + np.abs(array) // 2 + 1000}
        return replace(graph, constants=wrong)

    for a, b, name in planted(change, 6):
        first = compare(a, b).first
        check_place(compare(a, b), a, b)
        assert (first.layer, first.cause.kind) == (name, "bug")
        assert "threshold differs in" in first.cause.text


@pytest.mark.parametrize(
    ("field", "values", "words"),
    [
        ("reset", {"hard": "soft", "soft": "hard"}, ("soft instead of hard", "hard instead of")),
        ("compare", {"ge": "gt", "gt": "ge"}, ("> instead of >=", ">= instead of >")),
        ("decay", {(1, 1): (1, 2), (1, 2): (1, 0), (1, 0): (1, 1)}, ("decay 1",)),
    ],
)
@pytest.mark.parametrize("blind", [False, True])
def test_another_rule_is_named(
    field: str, values: dict[object, object], words: tuple[str, ...], blind: bool
) -> None:
    """With B's program at hand, and from B's spikes alone."""

    def change(graph: Graph, name: str, a: Side) -> Graph | None:
        value = values.get(getattr(graph[name].op, field))
        if graph[name].op.decay_offset or value is None:
            return None
        return with_neurons(graph, name, **{field: value})

    named = 0
    for a, b, name in planted(change, 6):
        if blind:
            b = Side("B", replace(b.recording, program="", membranes={}, readout=None))
        result = compare(a, b)
        check_place(result, a, b)
        assert result.first.layer == name
        cause = next(c for c in result.first.causes if c.kind == "reset-rule")
        assert cause.fits
        right = any(w in cause.text for w in words)
        named += right and result.first.cause is cause
        assert blind or (right and result.first.cause is cause)
    assert named >= 3  # from spikes alone a shift or another rule may give the same few trains


def stepped_toward_zero(side: Side, name: str) -> Recording:
    """A recording whose one layer leaks toward zero, stepped in plain Python."""
    node = side.graph[name]
    inputs = inputs_of(side.graph, node, side.recording.spikes, side.recording.images)
    factor, shift = node.op.decay
    spikes, levels = np.zeros(inputs.drive.shape, np.uint8), np.zeros(inputs.drive.shape, np.int64)
    thresholds = np.broadcast_to(inputs.thresholds[None], inputs.drive.shape)
    for place in np.ndindex(inputs.drive[:, 0].shape):
        v = 0
        for t in range(inputs.drive.shape[1]):
            at = (place[0], t, *place[1:])
            kept = abs(v) * factor // 2**shift
            z = (kept if v >= 0 else -kept) + int(inputs.drive[at])
            limit = int(thresholds[at])
            fires = z >= limit if node.op.compare == "ge" else z > limit
            spikes[at], levels[at] = fires, z
            v = z if not fires else 0 if node.op.reset == "hard" else z - limit
    t = 1 + node.type.names.index(TIME)
    recording = side.recording
    return replace(
        recording,
        spikes={**recording.spikes, name: np.moveaxis(spikes, 1, t)},
        membranes={**recording.membranes, name: np.moveaxis(levels, 1, t)},
    )


def test_a_leak_toward_zero_is_named() -> None:
    found = 0
    for seed in range(400):  # most of them lie on a grid, where leaks round nothing
        graph = lowered(seed)
        a = ran("A", graph, images_of(seed))
        for name in populations(graph):
            if graph[name].op.decay_offset or graph[name].op.compare == "gt":
                continue
            b = Side("B", stepped_toward_zero(a, name))
            if np.array_equal(a.recording.membranes[name], b.recording.membranes[name]):
                continue
            for one, two, side in ((a, b, "B"), (Side("A", b.recording), ran_b(a), "A")):
                result = compare(one, two)
                check_place(result, replace(one, graph=graph), two, membranes=True)
                cause = result.first.cause
                assert (result.first.layer, cause.kind) == (name, "reset-rule")
                assert "leak rounded toward zero instead of down" in cause.text
                assert cause.facts["side"] == side
            found += 1
            break
        if found == 8:
            return
    pytest.fail(f"only {found} networks show it")


@pytest.mark.parametrize("steps", [1, 2, -1])
def test_shifted_trains_are_named(steps: int) -> None:
    found = 0
    for seed in range(60):
        graph = lowered(seed)
        a = ran("A", graph, images_of(seed))
        for name in populations(graph):
            spikes = a.recording.spikes[name]
            t = 1 + graph[name].type.names.index(TIME)
            moved = np.moveaxis(spikes, t, 0)
            d = abs(steps)
            if len(moved) <= d or (steps < 0 and moved[:d].any()):
                continue
            gap = np.zeros_like(moved[:d])
            shifted = [gap, moved[:-d]] if steps > 0 else [moved[d:], gap]
            trains = np.moveaxis(np.concatenate(shifted), 0, t)
            smaller = range(1, d)
            if not moved[: len(moved) - d].any() or any(
                np.array_equal(np.concatenate([gap[:k], moved[:-k]]), np.moveaxis(trains, t, 0))
                for k in smaller
            ):
                continue
            if np.array_equal(trains, spikes):
                continue
            recording = replace(
                a.recording, spikes={**a.recording.spikes, name: trains}, membranes={}
            )
            b = Side("B", recording)
            result = compare(a, b)
            check_place(result, a, b)
            cause = result.first.cause
            assert (result.first.layer, cause.kind) == (name, "time-shift"), (seed, name)
            assert cause.facts == {"steps": d, "late": "B" if steps > 0 else "A"}
            assert {each.name: each.shift for each in result.layers}[name] == steps
            found += 1
            break
        if found == 6:
            return
    assert found > 0


def test_a_flipped_weight_is_a_bug() -> None:
    def change(graph: Graph, name: str, a: Side) -> Graph | None:
        node = graph[graph[name].inputs[0]]
        while not isinstance(node.op, Contract | Convolve):
            if not node.inputs:
                return None
            node = graph[node.inputs[0]]
        weight = node.op.weight.name
        array = graph.constants[weight].astype(np.int64)
        index = np.unravel_index(int(np.abs(array).argmax()), array.shape)
        return with_constant(graph, weight, index, -int(array[index]))

    for a, b, _ in planted(change, 8):
        result = compare(a, b)
        check_place(result, a, b)
        assert result.first.cause.kind == "bug"
        assert "weight differs in 1 of" in result.first.cause.text
        assert [c.kind for c in result.first.causes] == [
            "time-shift",
            "reset-rule",
            "rounding",
            "bug",
        ]
        assert not any(c.fits for c in result.first.causes[:3])


def test_one_wrong_spike_is_a_bug_of_that_side() -> None:
    rng = np.random.default_rng(0)
    for seed in range(30):
        graph = lowered(seed)
        a = ran("A", graph, images_of(seed))
        name = str(rng.choice(populations(graph)))
        wrong = a.recording.spikes[name].copy()
        place = tuple(int(rng.integers(n)) for n in wrong.shape)
        wrong[place] ^= 1
        recording = replace(a.recording, spikes={**a.recording.spikes, name: wrong})
        for one, two, side in (
            (a, Side("B", recording), "B"),
            (Side("A", recording), ran_b(a), "A"),
        ):
            result = compare(one, two)
            check_place(result, replace(one, graph=graph), two)
            assert result.first.cause.kind == "bug", (seed, name)
            assert result.first.cause.text.startswith(
                f"{side} leaves its program in this layer, at "
            )
            assert f"wrong_{'A' if side == 'B' else 'B'}" not in result.first.cause.facts
            layer = next(each for each in result.layers if each.name == name)
            assert (layer.spikes, layer.differing) == (1, 1)


def test_the_state_of_the_neuron_adds_up() -> None:
    def change(graph: Graph, name: str, a: Side) -> Graph | None:
        return with_neurons(graph, name, reset="soft") if graph[name].op.reset == "hard" else None

    for a, b, _ in planted(change, 8):
        first = compare(a, b).first
        op = a.graph[first.layer].op
        for state, rule in ((first.a, op), (first.b, b.graph[first.layer].op)):
            assert state.level == int(rule.rule.leak(np.array(state.before))) + state.drive
            fires = state.distance >= 0 if rule.compare == "ge" else state.distance > 0
            assert state.spike == fires
            if state.spike:
                assert state.after == (0 if rule.reset == "hard" else state.distance)
        gains = any(n.op.mnemonic == "gain" for n in a.graph.nodes)
        if not gains:  # a gain rounds the sum, not its parts
            assert sum(first.a.sources.values()) == first.a.current


def test_a_changed_answer_is_seen_though_every_spike_is_equal() -> None:
    graph, images = lowered(5), images_of(5)
    node = graph.select(IntegerReadout)[0]
    source = graph[node.inputs[0]]
    while not isinstance(source.op, Contract):
        source = graph[source.inputs[0]]
    weight = source.op.weight.name
    wrong = replace(graph, constants={**graph.constants, weight: -graph.constants[weight]})
    result = compare(ran("A", graph, images), ran("B", wrong, images))
    assert result.readouts > 0
    assert (result.first.what, result.first.layer) == ("readout", node.name)
    assert result.first.cause.kind == "bug"


def test_rules_are_tried_once_each_the_simple_ones_first() -> None:
    rule = lowered(0).select(IntegerPopulation)[0].op.rule
    tried = list(alternatives(rule))
    assert len(tried) == len(set(tried)) > 40
    assert rule not in tried
    changes = [difference(each, rule).count(" instead of ") for each in tried]
    assert changes == sorted(changes)
    assert set(changes) == {1, 2}


@pytest.mark.parametrize(("there", "fits"), [(-50, True), (-54, True), (-55, False), (-500, False)])
def test_currents_of_neurons_that_do_not_depart_count_too(there: int, fits: bool) -> None:
    """One neuron departs next to its threshold; another's current is off and shows no spike."""
    rule = IntegerPopulation(Param("k")).rule
    sides = []
    for label, drive in (("A", [100, -50]), ("B", [99, there])):
        drives, limits = np.array([[drive]]), np.array([[100, 1000]])
        inputs = LayerInputs(drives, drives, limits, np.full(drives.shape, 0.5))
        spikes = replay(drives, limits, rule).spikes
        sides.append(LayerSide(label, spikes, None, inputs, rule))
    cause = rounding(LayerEvidence(sides[0], sides[1], False, (0, 0, 0)), sides[0].expected)
    assert cause.fits == fits, cause.text


def test_executions_of_different_things_are_refused() -> None:
    graph, images = lowered(2), images_of(2)
    a = ran("A", graph, images)
    other = replace(a.recording, images=images ^ 1)
    fewer = replace(ran("B", graph, images[:3]).recording, images=None)
    named = replace(a.recording, spikes={"no": np.zeros((2, 2), np.uint8)}, axes={})
    for recording in (other, fewer, named):
        with pytest.raises(SnnccError) as caught:
            compare(a, Side("B", recording))
        assert caught.value.code == "SNN016"
    assert compare(a, Side("B", fewer), limit=3).first is None


def test_without_a_program_the_place_is_found_and_the_cause_is_not() -> None:
    graph, images = lowered(4), images_of(4)
    a = ran("A", graph, images)
    name = populations(graph)[-1]
    spikes = a.recording.spikes[name].copy()
    spikes.reshape(-1)[-1] ^= 1
    wrong = replace(a.recording, spikes={**a.recording.spikes, name: spikes}, membranes={})
    result = compare(Side("A", a.recording), Side("B", wrong))
    assert (result.first.layer, result.first.cause.kind) == (name, "unknown")
    bare = {n: np.moveaxis(s, 1 + graph[n].type.names.index(TIME), 0) for n, s in spikes_of(a)}
    one = Recording(bare, {})
    two = Recording({**bare, name: 1 - bare[name]}, {})
    assert compare(Side("A", one), Side("B", one)).first is None
    assert compare(Side("A", one), Side("B", two)).first.layer == name


@pytest.mark.parametrize("hard", [True, False])
def test_a_hard_reset_forgets_what_rounding_did_before(hard: bool) -> None:
    """Two steps alike, a spike at the first: only a soft reset keeps its error for the second."""
    rule = IntegerPopulation(Param("k"), reset="hard" if hard else "soft").rule
    drive = np.array([[[100], [100]]])
    inputs = LayerInputs(drive, drive, np.array([[100]]), np.full(drive.shape, 9.0))
    spikes = replay(drive, inputs.thresholds, rule).spikes
    assert spikes[0, 0, 0] == 1
    sides = [LayerSide(label, spikes, None, inputs, rule) for label in "AB"]
    membrane = reach_of(LayerEvidence(*sides, False, (0, 0, 0))).membrane
    assert (membrane[0, 1, 0] == membrane[0, 0, 0]) == hard


def test_inputs_that_are_not_compared_are_named() -> None:
    def change(graph: Graph, name: str, a: Side) -> Graph | None:
        return with_neurons(graph, name, reset="soft") if graph[name].op.reset == "hard" else None

    for a, b, name in planted(change, 12):
        every = populations(a.graph)
        if every.index(name) == 0 or name == every[-1]:
            continue
        kept = {n: s for n, s in b.recording.spikes.items() if n != every[0]}
        result = compare(a, Side("B", replace(b.recording, spikes=kept, program="")))
        assert result.left_out == (every[0],)
        assert all(layer.name != every[0] for layer in result.layers)
        sources = {n.name for n in a.graph.nodes if n.name in result.first.missing}
        assert sources <= {every[0]}
