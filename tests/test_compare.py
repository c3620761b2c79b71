"""The first divergence: planted causes are found at the right place; recordings are readable."""

import itertools
import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from random_networks import random_images, random_network

from snncc.artifact import Program, load_program, program_digest, save_program
from snncc.cli.main import run
from snncc.compile import CompileOptions, compile_checkpoint, spiking_passes
from snncc.diagnostics import SnnccError
from snncc.ir import TIME, Axis, Graph, Kind, Param, ValueType
from snncc.ir.integer_ops import IntegerPopulation, IntegerReadout
from snncc.ir.projections import Contract, Convolve
from snncc.passes.pipeline import run_passes
from snncc.quantize.calibration import round_plainly
from snncc.quantize.lower_to_integers import LowerToIntegers
from snncc.runtime import ALL
from snncc.runtime.axis_orders import arranged, parse_order
from snncc.runtime.comparison import Comparison, Side, compare
from snncc.runtime.divergence_causes import rounding
from snncc.runtime.executors import executor_of
from snncc.runtime.layer_evidence import LayerEvidence, LayerSide
from snncc.runtime.layer_inputs import LayerInputs, inputs_of
from snncc.runtime.neuron_rules import alternatives, replay, rule_of
from snncc.runtime.recording import (
    Recording,
    load_recording,
    narrow,
    run_recorded,
    save_recording,
)

IMAGES = 24
NORMALIZE = ((0.1307,), (0.3081,))


def lowered(seed: int) -> Graph:
    spiking = run_passes(
        random_network(seed), spiking_passes(CompileOptions(normalize=((0.0,), (1.0 / 255.0,))))
    )
    return run_passes(spiking, [LowerToIntegers(round_plainly(spiking, 8), 8)])


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
            result = replay(inputs.drive, inputs.thresholds, rule_of(node.op))
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
    for seed in range(60):
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


def ran_b(side: Side) -> Side:
    return replace(side, label="B")


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
            assert state.level == int(rule.leak(np.array(state.before))) + state.drive
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
    rule = rule_of(lowered(0).select(IntegerPopulation)[0].op)
    tried = list(alternatives(rule))
    assert len(tried) == len(set(tried)) > 40
    assert rule not in tried
    changes = [each.differs_from(rule).count(" instead of ") for each in tried]
    assert changes == sorted(changes)
    assert set(changes) == {1, 2}


@pytest.mark.parametrize(("there", "fits"), [(-50, True), (-54, True), (-55, False), (-500, False)])
def test_currents_of_neurons_that_do_not_depart_count_too(there: int, fits: bool) -> None:
    """One neuron departs next to its threshold; another's current is off and shows no spike."""
    rule = rule_of(IntegerPopulation(Param("k")))
    sides = []
    for label, drive in (("A", [100, -50]), ("B", [99, there])):
        drives, limits = np.array([[drive]]), np.array([[100, 1000]])
        inputs = LayerInputs(drives, drives, limits, np.full(drives.shape, 0.5))
        spikes = replay(drives, limits, rule).spikes
        sides.append(LayerSide(label, spikes, None, inputs, rule))
    cause = rounding(LayerEvidence(sides[0], sides[1], False, (0, 0, 0)), sides[0].expected)
    assert cause.fits == fits, cause.text


# Recordings.


def test_recordings_come_back_and_numpy_reads_them(tmp_path: Path) -> None:
    for seed in range(10):
        graph = lowered(seed)
        recording = ran("A", graph, images_of(seed)).recording
        path = tmp_path / "r.npz"
        save_recording(path, recording)
        again = load_recording(path)
        assert list(again.spikes) == populations(graph)
        assert again.axes == recording.axes
        assert again.program == recording.program
        assert np.array_equal(again.images, recording.images)
        assert np.array_equal(again.readout, recording.readout)
        for name in again.spikes:
            assert np.array_equal(again.spikes[name], recording.spikes[name])
            assert np.array_equal(again.membranes[name], recording.membranes[name])
            assert again.membranes[name].dtype == narrow(recording.membranes[name]).dtype
        with np.load(path, allow_pickle=False) as plain:
            name = str(plain["names"][0])
            shape = plain[f"shape/{name}"]
            bits = np.unpackbits(plain[f"spikes/{name}"], count=shape.prod()).reshape(shape)
            assert np.array_equal(bits, recording.spikes[name])
            assert plain[f"axes/{name}"][0] == "batch"
        first = path.read_bytes()
        save_recording(path, again)
        assert path.read_bytes() == first


def test_recording_in_chunks_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = ran("A", lowered(3), images_of(3)).recording
    monkeypatch.setattr("snncc.runtime.recording.CHUNK_BYTES", 1)
    parts = ran("A", lowered(3), images_of(3)).recording
    for name in whole.spikes:
        assert np.array_equal(whole.spikes[name], parts.spikes[name])
        assert np.array_equal(whole.membranes[name], parts.membranes[name])
    assert np.array_equal(whole.readout, parts.readout)


@pytest.mark.parametrize(
    ("low", "high", "dtype"),
    [(-128, 127, "int8"), (0, 128, "int16"), (-32769, 0, "int32"), (0, 2**31, "int64")],
)
def test_narrowing_keeps_every_value(low: int, high: int, dtype: str) -> None:
    values = np.array([low, 0, high])
    assert narrow(values).dtype == dtype
    assert np.array_equal(narrow(values), values)


def wrong_arrays(good: dict[str, np.ndarray], name: str) -> dict[str, dict[str, np.ndarray]]:
    def but(**changes: np.ndarray) -> dict[str, np.ndarray]:
        return {**good, **{k.replace("__", "/") + name: v for k, v in changes.items()}}

    return {
        "no spikes": {"images": good["images"]},
        "no shape": {k: v for k, v in good.items() if not k.startswith("shape/")},
        "short": but(spikes__=good[f"spikes/{name}"][:-1]),
        "wild shape": but(shape__=np.array([2**62, 2**62])),
        "negative": but(shape__=-good[f"shape/{name}"]),
        "real shape": but(shape__=good[f"shape/{name}"] * 1.0),
        "not packed": but(spikes__=good[f"spikes/{name}"].astype(np.int32)),
        "axes": but(axes__=good[f"axes/{name}"][1:]),
        "axes twice": but(axes__=np.array(["batch"] * len(good[f"axes/{name}"]))),
        "number axes": but(axes__=np.arange(3)),
        "membranes": but(membranes__=good[f"membranes/{name}"][:1]),
        "real membranes": but(membranes__=good[f"membranes/{name}"] * 1.0),
        "names": {**good, "names": np.array(["other"])},
        "program": {**good, "program": np.array([1, 2])},
        "images": {**good, "images": good["images"][:-1]},
        "real images": {**good, "images": good["images"] / 255.0},
        "readout": {**good, "readout": good["readout"] * 0.5},
    }


def test_wrong_recordings_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "r.npz"
    graph = lowered(1)
    save_recording(path, ran("A", graph, images_of(1)).recording)
    with np.load(path) as plain:
        good = {key: plain[key] for key in plain.files}
    cases = wrong_arrays(good, populations(graph)[0])
    for what, arrays in cases.items():
        np.savez(path, **arrays)
        with pytest.raises(SnnccError) as caught:
            load_recording(path)
        assert caught.value.code == "SNN016", what
    np.savez(path, **good)
    assert load_recording(path).spikes


def test_damaged_recordings_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "r.npz"
    recording = ran("A", lowered(1), images_of(1)).recording
    save_recording(path, recording)
    content = path.read_bytes()
    rng, refused = np.random.default_rng(0), 0
    np.save(tmp_path / "one.npy", np.zeros(3))
    objects = {"spikes/a": np.array([{}], object), "shape/a": np.array([1])}
    np.savez(tmp_path / "objects.npz", **objects)
    for other in ("one.npy", "objects.npz", "none.npz"):
        with pytest.raises(SnnccError) as caught:
            load_recording(tmp_path / other)
        assert caught.value.code == "SNN015", other
    for cut in (0, 1, 100, len(content) // 2, len(content) - 1):
        path.write_bytes(content[:cut])
        with pytest.raises(SnnccError) as caught:
            load_recording(path)
        assert caught.value.code == "SNN015", cut
    for _ in range(300):
        broken = bytearray(content)
        broken[int(rng.integers(len(content)))] ^= 1 << int(rng.integers(8))
        path.write_bytes(broken)
        again = loaded_or_code(path)
        if isinstance(again, str):
            assert again in ("SNN015", "SNN016")
            refused += 1
            continue
        for name, spikes in again.spikes.items():  # a date, or another field that nobody reads
            assert np.array_equal(spikes, recording.spikes[name])
    assert refused > 200


def loaded_or_code(path: Path) -> Recording | str:
    try:
        return load_recording(path)
    except SnnccError as error:
        return error.code


# Axes of recordings that do not name them.


def test_every_order_of_unequal_axes_is_inferred() -> None:
    kind = ValueType(Kind.SPIKE, (Axis("h1", 3), Axis("t", 2), Axis("w1", 1), Axis("c1", 5)))
    whole = np.random.default_rng(0).integers(0, 2, (4, 2, 3, 1, 5)).astype(np.uint8)
    for order in itertools.permutations((2, 3, 4)):
        array = whole.transpose(1, 0, *order)
        assert np.array_equal(arranged("x", array, (), kind, []), whole)
    flat = whole.transpose(1, 0, 4, 2, 3).reshape(2, 4, 15)
    with pytest.raises(SnnccError, match="spikes of x") as caught:
        arranged("x", flat, (), kind, [])
    assert "h1,c1 or c1,h1" in str(caught.value)
    order = parse_order("x=(c h),w")
    assert np.array_equal(arranged("x", flat[..., None], (), kind, [order]), whole)
    order = parse_order("x=(c h)")
    assert np.array_equal(arranged("x", flat, (), kind, [order]), whole)


def test_axes_that_lengths_do_not_tell_are_refused_or_stated() -> None:
    kind = ValueType(Kind.SPIKE, (Axis("t", 2), Axis("h1", 3), Axis("w1", 3)))
    whole = np.random.default_rng(0).integers(0, 2, (4, 2, 3, 3)).astype(np.uint8)
    swapped = whole.transpose(1, 0, 3, 2)
    with pytest.raises(SnnccError, match="spikes of x"):
        arranged("x", swapped, (), kind, [])
    for text in ("w,h", "w1,h1", "x=w,h", "?=t,batch,w,h", "*=w,h"):
        assert np.array_equal(arranged("x", swapped, (), kind, [parse_order(text)]), whole)
    batch_first = whole.transpose(0, 3, 1, 2)
    assert np.array_equal(arranged("x", batch_first, (), kind, [parse_order("batch,w,t,h")]), whole)
    for text in ("w", "w,w", "w,h,c", "c,h", "t,batch,w", "(h w),w"):
        with pytest.raises(SnnccError):
            arranged("x", swapped, (), kind, [parse_order(text)])
    for text in ("", "h,,w", "(h", "h;w", "x="):
        with pytest.raises(SnnccError) as caught:
            parse_order(text)
        assert caught.value.code == "SNN001"


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


def spikes_of(side: Side) -> list[tuple[str, np.ndarray]]:
    return list(side.recording.spikes.items())


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


# The command line.


@pytest.fixture
def files(tmp_path: Path) -> tuple[str, str, str]:
    """A program, a changed one, and images."""
    graph, images = lowered(7), images_of(7)
    a = ran("A", graph, images)
    for name in populations(graph):
        op = graph[name].op
        other = with_neurons(graph, name, reset="soft" if op.reset == "hard" else "hard")
        if compare(a, ran("B", other, images)).first is not None:
            break
    save_program(tmp_path / "a.snncc", Program(graph, {}))
    save_program(tmp_path / "b.snncc", Program(other, {}))
    np.savez(tmp_path / "d.npz", x=images)
    return str(tmp_path / "a.snncc"), str(tmp_path / "b.snncc"), str(tmp_path / "d.npz")


def test_compare_answers_with_its_exit_code(
    files: tuple[str, str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    a, b, data = files
    assert run(["compare", a, a, "--data", f"{data}:x"]) == 0
    text = capsys.readouterr().out
    assert "(interpreter)" in text
    assert "(simulator)" in text
    assert f"equal: {IMAGES} images" in text
    assert run(["compare", a, b, "--data", data]) == 1
    text = capsys.readouterr().out
    for expected in ("first in ", "cause: another rule of the neurons", "soft", "threshold"):
        assert expected in text
    assert run(["compare", a, b, "--data", data, "--limit", "20", "--json"]) == 1
    record = json.loads(capsys.readouterr().out)
    assert record["images"] == 20
    assert record["equal"] is False
    assert record["first"]["cause"] == "reset-rule"
    assert record["first"]["layer"] in [layer["name"] for layer in record["layers"]]


def test_recordings_through_the_command_line(
    files: tuple[str, str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    a, b, data = files
    names = populations(load_program(Path(a)).graph)
    one, two, part = (str(tmp_path / f"{n}.npz") for n in ("one", "two", "part"))
    assert run(["run", a, data, "--record", one, "--executor", "interpreter"]) == 0
    assert run(["run", b, data, "--record", two]) == 0
    assert run(["run", a, data, "--limit", "4", "--record", part, "--record-only", names[0]]) == 0
    assert list(load_recording(Path(part)).spikes) == [names[0]]
    capsys.readouterr()
    assert run(["compare", one, a]) == 0
    assert run(["compare", one, one]) == 0
    assert run(["compare", part, a]) == 0
    assert f"{len(names) - 1} populations of the program are in one side only" in (
        capsys.readouterr().out
    )
    assert run(["compare", one, two]) == 1
    assert "cause: not known" in capsys.readouterr().out
    assert run(["compare", one, b]) == 1
    assert run(["compare", one, two, "--program", a]) == 3
    assert "sha256 of another program" in capsys.readouterr().err
    assert run(["compare", one, one, "--program", a]) == 0
    again = tmp_path / "again.npz"
    save_recording(again, load_recording(Path(one)))
    assert again.read_bytes() == Path(one).read_bytes()


def test_a_recording_of_somebody_else_is_held_against_a_stated_program(
    files: tuple[str, str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Every layer one step late, without sha256 and images, written with plain NumPy."""
    a, _, data = files
    right, late = tmp_path / "right.npz", tmp_path / "late.npz"
    assert run(["run", a, data, "--record", str(right)]) == 0
    with np.load(right) as file:
        arrays = {k: file[k] for k in file.files if k.startswith(("shape/", "axes/"))}
        for name in file["names"]:
            shape, axes = file[f"shape/{name}"], list(file[f"axes/{name}"])
            bits = np.unpackbits(file[f"spikes/{name}"], count=shape.prod()).reshape(shape)
            trains = np.moveaxis(bits, axes.index("t"), 0)
            trains = np.concatenate([0 * trains[:1], trains[:-1]])
            arrays[f"spikes/{name}"] = np.packbits(np.moveaxis(trains, 0, axes.index("t")))
    np.savez(late, **arrays)
    capsys.readouterr()
    assert run(["compare", str(right), str(late), "--program", a, "--json"]) == 1
    first = json.loads(capsys.readouterr().out)["first"]
    assert first["cause"] == "time-shift"
    assert first["causes"][0]["facts"] == {"steps": 1, "late": "B"}
    texts = {cause["kind"]: cause["text"] for cause in first["causes"]}
    assert texts["rounding"] == "both run the same integers: nothing is rounded between them"
    assert run(["compare", a, str(late), "--data", data]) == 1
    assert "B's currents are not known" in capsys.readouterr().out


def test_wrong_comparisons_end_in_one_clear_error(
    files: tuple[str, str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    a, b, data = files
    empty = tmp_path / "empty.npz"
    np.savez(empty, x=np.zeros(3))
    cases = [
        (["compare", a, b], 2, "--data"),
        (["compare", a, str(empty), "--data", data], 3, "SNN016"),
        (["compare", a, str(tmp_path / "no.npz"), "--data", data], 3, "SNN015"),
        (["compare", a, str(tmp_path / "no.snncc"), "--data", data], 3, "SNN015"),
        (["compare", a, b, "--data", str(empty)], 3, "SNN016"),
        (["compare", a, b, "--data", data, "--axes", "h,,"], 2, "SNN001"),
        (["run", a, data, "--record-only", "x"], 2, "--record FILE"),
        (["run", a, data, "--record", str(empty), "--record-only", "x"], 2, "SNN001"),
        (["run", a, data, "--record", str(tmp_path / "no/r.npz")], 2, "SNN002"),
    ]
    for arguments, code, message in cases:
        assert run(arguments) == code, arguments
        assert message in capsys.readouterr().err, arguments


# The trained network.


@pytest.fixture(scope="module")
def trained(shared: Path) -> dict[int, Graph]:
    with np.load(shared / "data/mnist_32x32.npz") as data:
        images = data["x_cal"][:200]
    return {
        bits: compile_checkpoint(
            shared / "data/mixer_spe_mnist.pth",
            CompileOptions((3, 32, 32), NORMALIZE, weight_bits=bits),
            calibration=images,
        ).program.graph
        for bits in (8, 16)
    }


@pytest.fixture(scope="module")
def digits(shared: Path) -> np.ndarray:
    with np.load(shared / "data/mnist_32x32.npz") as data:
        return data["x_test"][:32]


ORDERS = ("*.proj_h.*=h,c,w", "*.proj_w.*=w,c,h", "*.net.2=(h w),f", "c,h,w")


def test_8_and_16_bits_differ_first_by_rounding(
    trained: dict[int, Graph], digits: np.ndarray
) -> None:
    a, b = (ran(label, trained[bits], digits, "simulator") for label, bits in (("A", 8), ("B", 16)))
    result = compare(a, b)
    check_place(result, a, b)
    first = result.first
    assert first.cause.kind == "rounding"
    assert first.a.spike != first.b.spike
    assert abs(first.a.distance / first.a.threshold) < 0.01
    assert len(result.layers) == 35


def test_rounding_is_seen_in_every_layer(trained: dict[int, Graph], digits: np.ndarray) -> None:
    """Both programs' neurons on the same spikes, layer by layer: always within the bounds."""
    spikes = ran("B", trained[16], digits, "simulator").recording.spikes
    departures = 0
    for name in populations(trained[8]):
        sides = []
        for label, bits in (("A", 8), ("B", 16)):
            graph = trained[bits]
            inputs = inputs_of(graph, graph[name], spikes, digits)
            rule = rule_of(graph[name].op)
            result = replay(inputs.drive, inputs.thresholds, rule)
            sides.append(LayerSide(label, result.spikes, None, inputs, rule))
        place = (0,) * sides[0].spikes.ndim
        cause = rounding(LayerEvidence(sides[0], sides[1], False, place), sides[0].expected)
        assert cause.fits, (name, cause.text)
        departures += cause.facts["departures"]
    assert departures > 500


def test_the_original_networks_spikes(
    trained: dict[int, Graph], digits: np.ndarray, shared: Path
) -> None:
    golden = Side("B", load_recording(shared / "data/mixer_spe_mnist_golden.npz"))
    orders = [parse_order(text) for text in ORDERS]
    a = ran("A", trained[8], digits[:8], "simulator")
    with pytest.raises(SnnccError, match=r"to_patch_embedding_lif\.0"):
        compare(a, golden)
    result = compare(a, golden, orders)
    assert result.first.cause.kind == "rounding"
    assert result.left_out == ()
    near = compare(ran("A", trained[16], digits[:8], "simulator"), golden, orders)
    assert sum(layer.spikes for layer in near.layers) < 100
    assert sum(layer.spikes for layer in result.layers) > 1000


def test_a_flipped_weight_of_the_trained_network_is_a_bug(
    trained: dict[int, Graph], digits: np.ndarray
) -> None:
    graph = trained[8]
    a = ran("A", graph, digits, "simulator")
    for name in ("token_mix.0.fuse.0", "channel_mix.1.1.net.0", "to_patch_embedding.3.node1_node2"):
        weight = next(k for k in graph.constants if k.startswith(f"{name}") and "weight" in k)
        array = graph.constants[weight].astype(np.int64)
        index = np.unravel_index(int(np.abs(array).argmax()), array.shape)
        wrong = with_constant(graph, weight, index, -int(array[index]))
        result = compare(a, ran("B", wrong, digits, "simulator"))
        assert result.first.cause.kind == "bug"
        assert f"{weight.split('.weight')[0]}" in result.first.cause.text
        assert "weight differs in 1 of" in result.first.cause.text


def test_a_flipped_weight_is_told_from_rounding_by_its_currents(
    trained: dict[int, Graph], digits: np.ndarray
) -> None:
    """An 8-bit program with one weight flipped, beside a right one of 16 bits: other units."""
    weight = next(k for k in trained[8].constants if k.startswith("to_patch_embedding.0.0.weight"))
    array = trained[8].constants[weight].astype(np.int64)
    index = np.unravel_index(int(np.abs(array).argmax()), array.shape)
    wrong = with_constant(trained[8], weight, index, -int(array[index]))
    b = ran("B", trained[16], digits, "simulator")
    assert compare(ran("A", trained[8], digits, "simulator"), b).first.cause.kind == "rounding"
    first = compare(ran("A", wrong, digits, "simulator"), b).first
    assert (first.layer, first.cause.kind) == ("to_patch_embedding_lif.0", "bug")
    rounded = next(c for c in first.causes if c.kind == "rounding")
    assert rounded.facts["worst_current"] > 1.0


def test_a_flipped_weight_too_small_for_its_currents_is_told_by_its_grid(
    trained: dict[int, Graph], digits: np.ndarray
) -> None:
    graph = trained[8]
    name = "channel_mix.1.1.net.0"
    weight = next(k for k in graph.constants if k.startswith(f"{name}.weight"))
    array = np.abs(graph.constants[weight].astype(np.int64))
    a = ran("A", graph, digits, "simulator")
    seen = 0
    for flat in np.flatnonzero(array == 5)[:40]:
        index = np.unravel_index(int(flat), array.shape)
        value = int(graph.constants[weight][index])
        first = compare(a, ran("B", with_constant(graph, weight, index, -value), digits)).first
        if first is None:
            continue
        seen += 1
        assert first.cause.kind == "bug"
        assert f"{name} weight differs by 10 steps of one grid" in first.causes[2].text
        if seen == 2:
            return
    pytest.fail(f"{seen} flips are seen")
