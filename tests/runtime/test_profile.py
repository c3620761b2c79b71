"""Time by layer: every unit once, with the counts of `snncc count`; machine code ahead of time."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from executions import images_of
from programs import lowered
from test_executors import wide

from snncc.artifact import Program, save_program
from snncc.backends.cpu.vm.runner import Memory
from snncc.cli.main import run
from snncc.diagnostics import SnnccError
from snncc.ir import Graph
from snncc.ir.dialects.integer import IntegerPopulation
from snncc.runtime.counts.profiling import profile
from snncc.runtime.counts.synaptic_operations import count_operations
from snncc.runtime.simulator import Simulator


def saved(graph: Graph, images: np.ndarray, folder: Path) -> tuple[Path, Path]:
    program, data = folder / "p.snncc", folder / "x.npy"
    save_program(program, Program(graph, {}))
    np.save(data, images)
    return program, data


def in_units(graph: Graph) -> Simulator:
    simulator = Simulator(graph, 1)
    assert simulator.host_units == {}, "choose another seed"
    return simulator


@pytest.mark.parametrize("seed", [0, 1, 2, 3, 5, 7, 8, 11])
def test_every_synaptic_operation_is_in_one_unit(seed: int) -> None:
    graph, image = lowered(seed), images_of(seed)[0]
    simulator = in_units(graph)
    found = profile(simulator, image, runs=2)
    counts = count_operations(graph, image[None])
    assert sum(u.operations for u in found.units) == sum(p.accumulates for p in counts.projections)
    names = [u.name for u in found.units]
    assert names == list(simulator.runner(frozenset()).plan.names)
    assert {n.name for n in graph.select(IntegerPopulation)} <= set(names)
    assert all(u.seconds >= 0 for u in found.units)
    assert found.image > 0
    for unit in found.units:
        if unit.kind == "currents":
            assert (unit.operations, unit.spikes) == (0, 0)


def test_units_one_by_one_give_the_answer_of_one_call() -> None:
    """What is timed is the run itself."""
    graph, images = lowered(3), images_of(3)[:3]
    runner = in_units(graph).runner(frozenset())
    apart, whole = Memory(runner.plan), Memory(runner.plan)
    for image in images:
        apart.begin()
        for u in range(len(runner.plan.units)):
            runner.run(apart, image, units=(u, u + 1))
        whole.begin()
        runner.run(whole, image)
        assert np.array_equal(apart.values, whole.values)
        assert np.array_equal(apart.counts, whole.counts)


def test_the_share_of_the_busiest_unit_is_the_largest(root: Path, tmp_path: Path) -> None:
    program = tmp_path / "digits.snncc"
    model, data = root / "examples/digits_mixer.pth", f"{root / 'examples/digits.npz'}:x_test"
    assert run(["compile", str(model), "-o", str(program), "--normalize", "0.3,0.35"]) == 0
    shown = snncc("run", program, data, "--profile", "--json")
    record = json.loads(shown)
    assert record["units_seconds"] == pytest.approx(sum(u["seconds"] for u in record["units"]))
    assert all(s > 0 for s in record["start_seconds"].values())
    busiest = max(record["units"], key=lambda u: u["seconds"])
    assert busiest["operations"] > 0
    text = snncc("run", program, data, "--profile")
    assert "all units" in text
    assert "reading and verifying the program" in text
    for unit in record["units"]:
        assert f"{unit['operations']:,}" in text


def snncc(*arguments: object) -> str:
    command = [sys.executable, "-m", "snncc", *map(str, arguments)]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def test_host_units_are_in_the_profile_with_their_reason(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    graph, image = wide(2**40), np.full(3, 9, np.uint8)
    program, data = saved(graph, image[None], tmp_path)
    assert run(["run", str(program), str(data), "--profile"]) == 0
    reason = "the interpreter computes fire, for its membranes need more than 32 bits"
    assert reason in capsys.readouterr().out
    assert run(["run", str(program), str(data), "--profile", "--json"]) == 0
    record = json.loads(capsys.readouterr().out)
    reasons = Simulator(graph).host_units
    assert record["host_units"] == reasons
    kinds = {unit["name"]: unit["kind"] for unit in record["units"]}
    assert {name for name, kind in kinds.items() if kind == "host"} == set(reasons)
    found = profile(Simulator(graph), image, runs=2)
    counted = sum(p.accumulates for p in count_operations(graph, image[None]).projections)
    assert sum(unit.operations for unit in found.units) == counted > 0
    assert {unit.name: unit.why for unit in found.units if unit.why} == reasons


def test_profile_goes_with_nothing_that_needs_a_whole_run(tmp_path: Path) -> None:
    program, data = saved(lowered(1), images_of(1), tmp_path)
    for option in (["-o", str(tmp_path / "o.npz")], ["--executor", "interpreter"]):
        assert run(["run", str(program), str(data), "--profile", *option]) == 2
    with pytest.raises(SnnccError):
        profile(Simulator(lowered(1)), np.zeros((1, 1), np.uint8))


def test_warm_makes_code_once(tmp_path: Path) -> None:
    program, _ = saved(wide(2**40), np.zeros((1, 3), np.uint8), tmp_path)
    command = [sys.executable, "-m", "snncc", "warm", str(program), "--json"]
    environment = os.environ | {
        "SNNCC_CACHE_DIR": str(tmp_path / "cache"),
        "NUMBA_CACHE_DIR": str(tmp_path / "numba"),
    }
    seen = []
    for _ in range(2):
        done = subprocess.run(command, check=True, capture_output=True, env=environment)
        seen.append(json.loads(done.stdout))
    assert [each["machine_code"] for each in seen] == ["shipped", "kept"]
    assert str(tmp_path / "cache") in seen[0]["folder"]
    assert seen[1]["seconds"] < seen[0]["seconds"]
    assert not (tmp_path / "numba").exists()  # what a program needs besides, Numba does not make
    assert all(each["first_answer_seconds"] > 0 for each in seen)


def test_matrix_products_are_timed_as_such() -> None:
    graph, image = lowered(2), images_of(2)[0]
    simulator = Simulator(graph, 1, kernels="dense")
    found = profile(simulator, image, runs=2)
    assert [u.name for u in found.units if u.kind == "product"] == list(simulator.dense_layers)
    assert simulator.dense_layers
