"""Counts are recorded, kept in files and compared as spikes are: of staircases and neurons."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from generators.inputs import images
from generators.programs import program
from generators.staircases import STAIRCASES
from neuron_programs import compiled, spiking
from random_neurons import counting_model

from snncc.artifact import Program, save_program
from snncc.backends.cpu.checking.checker import check_plan
from snncc.cli.main import run
from snncc.diagnostics import SnnccError
from snncc.ir import Graph
from snncc.ir.populations import count_nodes
from snncc.runtime import ALL, interpret
from snncc.runtime.compare.comparison import Side, compare
from snncc.runtime.executors import as_executor, executor_of
from snncc.runtime.recording import load_recording, run_recorded, save_recording
from snncc.runtime.simulator import Simulator

STAIRS, SEVERAL = range(3, 7), range(2)


def drawn(kind: str, seed: int) -> Graph:
    if kind == "staircases":
        return program(seed, STAIRCASES)
    return compiled(spiking(counting_model(seed), 5, 8))[0]


@pytest.mark.parametrize(
    ("kind", "seed"),
    [*(("staircases", seed) for seed in STAIRS), *(("several", seed) for seed in SEVERAL)],
)
def test_counts_are_the_same_in_every_executor_and_in_files(
    kind: str, seed: int, tmp_path: Path
) -> None:
    graph = drawn(kind, seed)
    names = [node.name for node in count_nodes(graph)]
    assert names
    given = images(graph, seed, 3)
    wanted, simulator = interpret(graph, given, ALL), Simulator(graph, 1)
    tensors = executor_of(graph, "torch")(given, ALL)
    for found in (simulator.run(given, ALL), tensors):
        assert {*wanted.counts} == {*found.counts} == {*names}
        assert {*wanted.spikes} == {*found.spikes}
        assert {*wanted.membranes} == {*found.membranes}
        for name in names:
            assert wanted.counts[name].dtype == found.counts[name].dtype
            assert np.array_equal(wanted.counts[name], found.counts[name])
    _, kept = run_recorded(graph, given, executor_of(graph, "interpreter"), ALL, "p")
    save_recording(tmp_path / "kept.npz", kept)
    one = load_recording(tmp_path / "kept.npz")
    _, two = run_recorded(graph, given, as_executor(simulator), ALL, "p")
    same = compare(Side("A", one, graph), Side("B", two, graph))
    assert same.first is None
    assert {*names} <= {layer.name for layer in same.layers}
    changed = one.counts[names[-1]].astype(np.int64)
    changed.flat[-1] += 1
    other = replace(one, counts={**one.counts, names[-1]: changed})
    first = compare(Side("A", other, graph), Side("B", two, graph)).first
    assert first is not None
    assert (first.layer, first.what) == (names[-1], "count")


def test_recorded_counts_are_part_of_the_checked_plan() -> None:
    graph = drawn("staircases", STAIRS[0])
    (name, *_) = (node.name for node in count_nodes(graph))
    plan = Simulator(graph, 1).runner(frozenset([name])).plan
    assert check_plan(graph, plan) == ()
    place = plan.counted[name]
    moved = replace(plan, counted={name: replace(place, at=place.at + 64)})
    assert check_plan(graph, moved) != ()


def test_run_records_counts_by_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    graph = drawn("staircases", STAIRS[0])
    (name, *_) = (node.name for node in count_nodes(graph))
    save_program(Path("p.snncc"), Program(graph, {}))
    np.save("x.npy", images(graph, 1, 2))
    for only, out in (([], "all.npz"), (["--record-only", name], "one.npz")):
        assert run(["run", "p.snncc", "x.npy", "--record", out, *only]) == 0
    with np.load("all.npz") as every, np.load("one.npz") as one:
        assert np.array_equal(every[f"counts/{name}"], one[f"counts/{name}"])
        assert [key for key in one.files if key.startswith(("spikes/", "counts/"))] == [
            f"counts/{name}"
        ]
    assert run(["compare", "p.snncc", "all.npz"]) == 0
    assert run(["compare", "p.snncc", "one.npz"]) == 0
    with np.load("one.npz") as one:
        np.savez("bad.npz", **{**one, f"counts/{name}": one[f"counts/{name}"].astype(float)})
    with pytest.raises(SnnccError, match="not a recording"):
        load_recording(Path("bad.npz"))
