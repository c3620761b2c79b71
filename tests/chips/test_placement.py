"""Places on the mesh by recorded spikes, and what they say of traffic, energy and time."""

import copy
import itertools
import json
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from chip_texts import ON_A_MESH, described, small_chip, small_program
from executions import ran
from planted_faults import FAULTS, OF_PLACES, places_swapped
from random_chips import outcome, read_changed

from snncc.artifact import Program, program_digest, save_program
from snncc.chips.activity import Activity, activity_of
from snncc.chips.boards import Board
from snncc.chips.checking.impulses import responses
from snncc.chips.checking.map_checker import check_map
from snncc.chips.checking.mesh import MOST_CORES, Pairs, Seen
from snncc.chips.facts import Chip
from snncc.chips.mapping import estimate_of, mapped
from snncc.chips.placing import place
from snncc.chips.reading import chip_named
from snncc.chips.traffic import load_of
from snncc.cli.main import run
from snncc.diagnostics import SnnccError
from snncc.ir import Graph
from snncc.runtime.recording import Recording, save_recording

Json = dict[str, Any]


def recording_of(graph: Graph) -> Recording:
    images = np.random.default_rng(5).integers(0, 256, (3, 2, 3), dtype=np.uint8)
    return ran("", graph, images).recording


def seen_in(graph: Graph) -> Activity:
    return activity_of(recording_of(graph), graph, program_digest(Program(graph, {})), "rec.npz")


def faults_of(graph: Graph, chip: Chip, record: object, seen: Activity | None) -> list[str]:
    given = None if seen is None else Seen(seen.digest, seen.images, seen.spikes)
    digest = program_digest(Program(graph, {}))
    return check_map(graph, digest, described(chip), record, given)


def by_links(board: Board, slots: np.ndarray, volume: np.ndarray) -> tuple[int, int, int]:
    """Hops, the most over a link, and crossings, one message and one link at a time."""
    links: dict[object, int] = {}
    for one, two in itertools.product(range(len(slots)), repeat=2):
        column, row = int(board.x[slots[one]]), int(board.y[slots[one]])
        while column != board.x[slots[two]]:
            to = column + (1 if board.x[slots[two]] > column else -1)
            links[column, row, to, row] = links.get((column, row, to, row), 0) + volume[one, two]
            column = to
        while row != board.y[slots[two]]:
            to = row + (1 if board.y[slots[two]] > row else -1)
            links[column, row, column, to] = links.get((column, row, column, to), 0) + int(
                volume[one, two]
            )
            row = to
    across = {
        key: n
        for key, n in links.items()
        if isinstance(key, tuple) and key[0] // board.columns != key[2] // board.columns
    }
    return sum(links.values()), max(links.values(), default=0), sum(across.values())


@pytest.mark.parametrize("chips", [1, 3])
def test_the_load_of_a_mesh_is_that_of_its_links(tmp_path: Path, chips: int) -> None:
    board = Board.of(small_chip(tmp_path, text=ON_A_MESH), chips)
    rng = np.random.default_rng(chips)
    for cores in (1, 2, 11, 40):
        volume = rng.integers(0, 50, (cores, cores)) * (rng.random((cores, cores)) < 0.4)
        slots = rng.permutation(len(board.x))[:cores]
        load = load_of(board, slots, volume)
        assert (load.hops, load.worst_link, load.between_chips) == by_links(board, slots, volume)
        found = place(board, volume, 1)
        assert len({*found.slots.tolist()}) == cores
        assert load_of(board, found.slots, volume) == found.load
        assert found.load.hops + 8 * found.load.between_chips <= (
            (found.in_order.hops + 8 * found.in_order.between_chips) * 51 // 50
        )


def test_a_search_finds_what_trying_all_places_finds(tmp_path: Path) -> None:
    """Four tiles in a row, three cores: 24 placements."""
    text = ON_A_MESH.replace("[5, 4]", "[4, 1]").replace("value = 40, s", "value = 4, s", 1)
    text = text.replace("cores_per_tile = { value = 2", "cores_per_tile = { value = 1")
    board = Board.of(small_chip(tmp_path, text=text), 1)
    volume = np.array([[0, 1, 90], [0, 0, 0], [5, 60, 0]])
    every = [load_of(board, np.array(s), volume).hops for s in itertools.permutations(range(4), 3)]
    assert place(board, volume, 0).load.hops == min(every) == 90 + 5 + 60 + 2
    assert place(board, volume, 0).in_order.hops == 2 * 95 + 1 + 60


def test_placed_mappings_are_accepted_and_the_same_each_time(tmp_path: Path) -> None:
    chip = small_chip(tmp_path, text=ON_A_MESH)
    graph = small_program()
    seen, program = seen_in(graph), Program(graph, {})
    record = mapped(program, chip, "messages", 1, seen, 4).record
    assert record["schema"] == 2
    assert faults_of(graph, chip, json.loads(json.dumps(record)), seen) == []
    assert mapped(program, chip, "messages", 1, seen, 4).record == record
    placed = record["placement"]
    assert 0 < placed["hops"] < placed["hops_in_order"]
    assert faults_of(graph, chip, record, None) == [
        "its cores were placed by a recording, which is not given"
    ]
    halves = small_chip(tmp_path, "cores=8", text=ON_A_MESH)
    both = mapped(program, halves, "messages", 2, seen).record
    assert faults_of(graph, halves, both, seen) == []
    assert {core["slot"] // 8 for core in both["cores"]} == {0, 1}
    assert both["placement"]["between_chips"] > 0
    unplaced = mapped(program, halves, "messages", 2).record
    assert unplaced["placement"] is None
    assert faults_of(graph, halves, unplaced, None) == []
    with pytest.raises(SnnccError, match="SNN131"):
        mapped(program, halves, "messages", 1, seen)


def test_planted_faults_of_places_are_rejected(tmp_path: Path) -> None:
    chip, graph = small_chip(tmp_path, text=ON_A_MESH), small_program()
    seen = seen_in(graph)
    found = mapped(Program(graph, {}), chip, "messages", 1, seen)
    right, traffic = found.record, found.traffic
    assert traffic is not None
    board, volume = Board.of(chip, 1), traffic.volume
    rng, count = np.random.default_rng(9), 0
    for fault in (*OF_PLACES * 60, *FAULTS * 13):
        record: Json = copy.deepcopy(right)
        fault(record, rng)
        if record == right or (fault is places_swapped and _says_right(record, board, volume)):
            continue
        assert faults_of(graph, chip, record, seen), fault.__name__
        count += 1
    assert count >= 500


def _says_right(record: Json, board: Board, volume: np.ndarray) -> bool:
    """Whether the traffic that a file says is that of its places, by the mapper's own numbers."""
    slots = np.array([core["slot"] for core in record["cores"]])
    load, said = load_of(board, slots, volume), record["placement"]
    return (load.hops, load.worst_link) == (said["hops"], said["worst_link"])


def with_costs() -> str:
    """The chip on a mesh, all of whose energies and times are known."""
    text = ON_A_MESH + "[energy]\n"
    for kind, cost in {"synapse": 2, "update": 3, "spike": 5, "message": 7}.items():
        text += f'{kind} = {{ value = {cost}, range = [1, 9], unit = "pJ", source = "a test" }}\n'
    text += 'hop_vertical = { value = 0.011, unit = "nJ", source = "a test" }\n'
    text += 'hop_horizontal = { value = 11, unit = "pJ", source = "a test" }\n[time]\n'
    for kind, cost in {"synapse": 1, "update": 2, "spike": 3, "message": 4, "step": 1000}.items():
        text += f'{kind} = {{ value = {cost}, unit = "ns", source = "a test" }}\n'
    return text


def test_events_are_those_of_spikes_and_the_energy_their_sum(tmp_path: Path) -> None:
    """Synaptic events against spikes that are sent one by one; energies by hand."""
    changes = ("weight_bits=12", "synapse_memory=90000", "bias_bits=30")
    text = with_costs()
    chip, graph = small_chip(tmp_path, *changes, text=text), small_program()
    seen, program = seen_in(graph), Program(graph, {})
    found = mapped(program, chip, "messages", 1, seen)
    estimate = estimate_of(program, chip, found)
    assert estimate is not None
    events = 0
    for name, spikes in seen.spikes.items():
        for start, _, weights in responses(graph, graph[name]):
            fan = np.count_nonzero(weights, axis=1)
            events += int((fan * spikes[start : start + len(fan)]).sum())
    fired = sum(int(each.sum()) for each in seen.spikes.values())
    placed, neurons, images = found.record["placement"], 3 * 21 + 4, 3
    steps = graph.steps + 3
    assert estimate.steps == steps
    by_hand = 2 * events + 5 * fired + 7 * placed["messages"] + 11 * placed["hops"]
    assert estimate.picojoules[1] == pytest.approx(by_hand / images + 3 * neurons * steps)
    least = events + fired + placed["messages"] + 11 * placed["hops"]
    assert estimate.picojoules[0] == pytest.approx(least / images + neurons * steps)
    assert estimate.energy_unknown == estimate.time_unknown == {}
    assert estimate.microseconds is not None
    assert steps < estimate.microseconds[1] < steps + events + fired + 2 * neurons * steps
    assert set(estimate.sources.values()) == {"a test"}
    assert estimate.accumulates == pytest.approx(0.9 * events / images)
    lacking = small_chip(tmp_path, *changes, "energy.update=unknown", "step=unknown", text=text)
    partial = estimate_of(program, lacking, found)
    assert partial is not None
    assert [*partial.energy_unknown] == ["energy.update"]
    assert [*partial.time_unknown] == ["time.step"]
    assert partial.microseconds is None
    assert partial.picojoules[1] == pytest.approx(by_hand / images)


def test_what_an_image_does_as_bits_is_not_taken_for_nothing(tmp_path: Path) -> None:
    """The image as a bias, and as bits that spike, which no recording holds."""
    graph, text = small_program(), with_costs()
    seen, program = seen_in(graph), Program(graph, {})
    roomy = ("weight_bits=12", "synapse_memory=90000")
    bits = small_chip(tmp_path, *roomy, "bias_bits=15", text=text)
    found = mapped(program, bits, "messages", 1, seen)
    assert found.record["layers"]["first"]["image"] == "planes"
    unsaid = estimate_of(program, bits, found)
    bias = small_chip(tmp_path, *roomy, "bias_bits=30", text=text)
    said = estimate_of(program, bias, mapped(program, bias, "messages", 1, seen))
    assert unsaid is not None
    assert said is not None
    why = {"synaptic events of the image": "the recording does not hold them"}
    assert unsaid.energy_unknown == unsaid.time_unknown == why
    assert unsaid.microseconds is None
    assert said.energy_unknown == said.time_unknown == {}
    assert [row.layer for row in unsaid.layers if row.image] == ["first"]
    assert not any(row.image for row in said.layers)
    connections = sum(
        np.count_nonzero(weights)
        for name in seen.spikes
        for _, _, weights in responses(graph, graph[name])
    )
    for each in (said, unsaid):
        assert each.accumulates == said.accumulates
        assert each.multiplies == pytest.approx(4.6 * connections * graph.steps)
    narrow = small_chip(tmp_path, text=text)  # wide weights as several synapses: one connection
    several = estimate_of(program, narrow, mapped(program, narrow, "messages", 1, seen))
    assert several is not None
    assert sum(row.events["synapse"] for row in several.layers) > sum(
        row.events["synapse"] for row in said.layers
    )
    assert (several.accumulates, several.multiplies) == (said.accumulates, said.multiplies)


def test_recordings_that_are_not_of_the_program_are_refused() -> None:
    graph = small_program()
    whole, digest = recording_of(graph), program_digest(Program(graph, {}))
    some = {name: spikes for name, spikes in whole.spikes.items() if name != "second"}
    axes = {**whole.axes, "third": ("batch", "t", "h", "c")}
    for recording, sha, said in (
        (whole, "0" * 64, "not a recording of this program"),
        (Recording(some, whole.axes, {}, digest), digest, "lacks second"),
        (Recording(whole.spikes, {}, {}, digest), digest, "other axes"),
        (Recording(whole.spikes, axes, {}, digest), digest, "another shape"),
    ):
        with pytest.raises(SnnccError, match="SNN016") as caught:
            activity_of(recording, graph, sha, "rec.npz")
        assert said in str(caught.value)


def test_cores_without_places_and_too_many_are_refused(tmp_path: Path) -> None:
    graph = small_program()
    with pytest.raises(SnnccError, match="mesh is unknown"):
        mapped(Program(graph, {}), small_chip(tmp_path), "messages", 1, seen_in(graph))
    with pytest.raises(SnnccError, match="SNN131"):
        Board.of(chip_named("loihi2"), 1)
    with pytest.raises(ValueError, match="4097 cores"):
        Pairs(None, MOST_CORES + 1)


def test_the_command_places_estimates_and_checks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    graph = small_program()
    save_program(tmp_path / "p.snncc", Program(graph, {}))
    save_recording(tmp_path / "rec.npz", recording_of(graph))
    (tmp_path / "small.toml").write_text(ON_A_MESH)
    call = ["map", "p.snncc", "--chip", "small.toml"]
    assert run([*call, "--spikes", "rec.npz", "-o", "net.map.json"]) == 0
    shown = capsys.readouterr().out
    for part in (
        "fewer than with cores in order",
        "ESTIMATE",
        "cannot be said",
        "energy.synapse",
        "+ image",
    ):
        assert part in shown
    assert run([*call, "--spikes", "rec.npz", "--check", "net.map.json"]) == 0
    assert run([*call, "--check", "net.map.json"]) == 1
    assert "rejected: its cores were placed by a recording" in capsys.readouterr().out
    assert run([*call, "--seed", "3"]) == 2
    assert "--spikes" in capsys.readouterr().err


def test_no_core_is_over_random_limits_and_changed_descriptions_are_one_code(
    tmp_path: Path,
) -> None:
    """More with `python tests/helpers/random_chips.py --count 1000`."""
    maps = Counter(outcome(seed, tmp_path) for seed in range(40))
    assert set(maps) == {"mapped", "SNN131"}
    assert maps["mapped"] >= 8
    assert {read_changed(seed) for seed in range(150)} == {"read", "SNN130"}


def test_a_report_shows_cores_that_were_recounted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("matplotlib")
    pytest.importorskip("jinja2")
    monkeypatch.chdir(tmp_path)
    graph = small_program()
    save_program(tmp_path / "p.snncc", Program(graph, {}))
    save_recording(tmp_path / "rec.npz", recording_of(graph))
    (tmp_path / "small.toml").write_text(ON_A_MESH)
    made = ["map", "p.snncc", "--chip", "small.toml", "--spikes", "rec.npz", "-o", "net.map.json"]
    assert run(made) == 0
    capsys.readouterr()
    call = ["report", "p.snncc", "-o", "r.html", "--mapping", "net.map.json"]
    whole = [*call, "--chip", "small.toml", "--spikes", "rec.npz"]
    assert run([*whole, "--json"]) == 0
    cores = json.loads(capsys.readouterr().out)["cores"]
    record = json.loads((tmp_path / "net.map.json").read_text())
    assert [core["slot"] for core in cores["cores"]] == [c["slot"] for c in record["cores"]]
    assert dict(cores["placed"])["hops"] == record["placement"]["hops"]
    assert all(0 < core["share"] <= 1 for core in cores["cores"])
    page = (tmp_path / "r.html").read_text()
    assert "Cores on a small chip" in page
    assert "Placed by the spikes of 3 images" in page
    for less, code in ((whole[:-2], 1), (call, 2)):
        assert run(less) == code
    record["cores"][0]["load"]["neurons"] += 1
    (tmp_path / "net.map.json").write_text(json.dumps(record))
    capsys.readouterr()
    assert run(whole) == 1
    assert "error[SNN132]" in capsys.readouterr().err
