"""A simulator that is wrong is found before anybody reads its answers."""

import json
from pathlib import Path

import numpy as np
import pytest
from test_units import Net

from snncc.artifact import Program, load_program, save_program
from snncc.backends.cpu import fields as f
from snncc.backends.cpu.plan.encoding import plan_units
from snncc.backends.cpu.plan.unit_plan import UnitPlan
from snncc.cli.main import run
from snncc.diagnostics import SnnccError
from snncc.ir import Graph
from snncc.runtime import Execution, cross_check, simulator
from snncc.runtime.cross_check import additions, few_enough
from snncc.runtime.simulator import Simulator

IMAGES = 6


def net(size: int = 20) -> Graph:
    made = Net(5)
    first = made.fire(made.dense(made.image(x=size), "x", "c", 33), "first")
    second = made.fire(made.dense(first, "c", "d", 17), "second")
    return made.finish(second)


def images(size: int = 20) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (IMAGES, size)).astype(np.uint8)


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path]:
    program, data = tmp_path / "p.snncc", tmp_path / "x.npy"
    save_program(program, Program(net(), {}))
    np.save(data, images())
    return program, data


def spoil(monkeypatch: pytest.MonkeyPatch, what: str) -> None:
    """A simulator that gives one number wrong, on its third image."""
    right = Simulator.run

    def wrong(self: Simulator, *given: object, **named: object) -> Execution:
        done = right(self, *given, **named)  # type: ignore[arg-type]
        if len(done.readout) < 3:
            return done
        if what == "readout":
            done.readout[2, 1] += 1
        elif what == "counts":
            counts = {**done.spike_counts, "second": done.spike_counts["second"] + 1}
            return Execution(done.readout, done.logits, done.spikes, done.membranes, counts)
        elif "second" in done.spikes:
            array = done.spikes if what == "spike" else done.membranes
            array["second"][2, 1, 5] ^= 1
        return done

    monkeypatch.setattr(Simulator, "run", wrong)


@pytest.mark.parametrize("kernels", ["event", "dense", "auto"])
def test_equal_executors_are_said_to_be(kernels: str) -> None:
    found = cross_check.cross_check(net(), images(), Simulator(net(), 2, kernels))  # type: ignore[arg-type]
    assert found.images == IMAGES
    assert found.spikes == IMAGES * 3 * (33 + 17)


@pytest.mark.parametrize(
    ("what", "text"),
    [
        ("spike", "second, image 2, step 1, neuron d 5: the interpreter has spike"),
        ("membrane", "second, image 2, step 1, neuron d 5: the interpreter has spike"),
        ("readout", "image 2, neuron class 1: the interpreter has"),
        ("counts", "second spikes"),
    ],
)
def test_the_first_difference_is_named(
    monkeypatch: pytest.MonkeyPatch, what: str, text: str
) -> None:
    spoil(monkeypatch, what)
    with pytest.raises(SnnccError) as error:
        cross_check.cross_check(net(), images(), Simulator(net()))
    assert error.value.code == "SNN060"
    assert error.value.exit_code == 1
    assert text in str(error.value)
    assert "the simulator has" in str(error.value) or what == "counts"


def test_a_fault_of_the_plan_that_is_run_alone_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """With every population recorded the plan is another: what the user runs is compared too."""
    made = simulator.plan_units

    def wrong(graph: Graph, steps: int, record: frozenset[str] = frozenset(), *rest: object):  # type: ignore[no-untyped-def]
        plan = made(graph, steps, record, *rest)  # type: ignore[arg-type]
        if not record:
            plan.block[plan.constants[-4, 0]] ^= 64  # a threshold
        return plan

    monkeypatch.setattr(simulator, "plan_units", wrong)
    with pytest.raises(SnnccError, match="simulator and interpreter differ"):
        cross_check.cross_check(net(), images(), Simulator(net()))


def test_run_compares_and_says_so(
    files: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    program, data = files
    base = ["run", str(program), str(data)]
    assert run([*base, "--cross-check", "4", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["cross_check"] == {"images": 4, "spikes": 600}
    out, recorded = tmp_path / "o.npz", tmp_path / "r.npz"
    assert run([*base, "--cross-check", "99", "-o", str(out), "--record", str(recorded)]) == 0
    assert "6 images, 900 spikes and as many membranes: the interpreter's" in " ".join(
        capsys.readouterr().out.split()
    )
    assert out.exists()
    assert recorded.exists()
    assert run([*base, "--json"]) == 0
    assert "cross_check" not in json.loads(capsys.readouterr().out)


@pytest.mark.parametrize("what", ["spike", "membrane", "readout", "counts"])
def test_run_writes_nothing_when_executors_differ(
    files: tuple[Path, Path],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    what: str,
) -> None:
    spoil(monkeypatch, what)
    program, data = files
    out, recorded = tmp_path / "o.npz", tmp_path / "r.npz"
    outputs = ["-o", str(out), "--record", str(recorded)]
    assert run(["run", str(program), str(data), "--cross-check", "3", *outputs]) == 1
    said = capsys.readouterr()
    assert "error[SNN060]: simulator and interpreter differ: " in said.err
    assert said.out == ""
    assert not out.exists()
    assert not recorded.exists()


@pytest.mark.parametrize("other", [["--executor", "interpreter"], ["--profile"]])
def test_there_must_be_a_simulator_to_check(files: tuple[Path, Path], other: list[str]) -> None:
    program, data = files
    assert run(["run", str(program), str(data), "--cross-check", "2", *other]) == 2


def test_compile_compares_and_refuses(
    root: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    data = f"{root / 'examples/digits.npz'}:x_test"
    out = tmp_path / "digits.snncc"
    base = ["compile", str(root / "examples/digits_mixer.pth"), "-o", str(out)]
    base += ["--normalize", "0.3,0.35", "--evaluate", data]
    assert run(base) == 0
    said = " ".join(capsys.readouterr().err.split())
    assert "note: simulator and interpreter agree on 8 images, in all of" in said
    load_program(out)
    out.unlink()
    right = Simulator.run

    def wrong(self: Simulator, *given: object, **named: object) -> Execution:
        done = right(self, *given, **named)  # type: ignore[arg-type]
        done.readout[1, 3] -= 1
        return done

    monkeypatch.setattr(Simulator, "run", wrong)
    assert run(base) == 1
    assert "error[SNN060]" in capsys.readouterr().err
    assert not out.exists()


def test_the_check_is_bounded_by_the_size_of_the_program(monkeypatch: pytest.MonkeyPatch) -> None:
    graph = net()
    each = 33 * 20 * 8 + 3 * (17 * 33 + 3 * 17)
    assert additions(graph) == each
    assert few_enough(graph, 100) == 8
    assert few_enough(graph, 1) == 1
    for worth, too_many, wanted in ((5 * each, 99 * each, 5), (each, 99 * each, 2), (1, each, 0)):
        monkeypatch.setattr(cross_check, "ADDITIONS_UNASKED", worth)
        monkeypatch.setattr(cross_check, "ADDITIONS_LEFT_OUT", too_many)
        assert few_enough(graph, 100) == wanted
    assert cross_check.check_compiled(graph, images()) is None


def test_verify_prints_one_line_on_plans(
    files: tuple[Path, Path],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    program, _ = files
    monkeypatch.setattr("snncc.runtime.proofs.kernel_inspection.inspect_kernels", lambda: ())
    assert run(["verify", str(program), "--kernels"]) == 0
    assert "lifetimes of 4 plans hold, checked apart from the planner" in capsys.readouterr().out
    assert run(["verify", str(program), "--kernels", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)["kernels"]
    assert [plan["faults"] for plan in found["plans"]] == [[]] * 4
    right = plan_units

    def wrong(graph: Graph, *given: object, **named: object) -> UnitPlan:
        plan = right(graph, *given, **named)  # type: ignore[arg-type]
        plan.parts[-1, f.P_SOURCE] += 8
        return plan

    monkeypatch.setattr("snncc.runtime.proofs.plan_inspection.plan_units", wrong)
    assert run(["verify", str(program), "--kernels"]) == 1
    text = capsys.readouterr().out
    assert "  plans   NO" in text
    assert "error[SNN061]: the plan of a batch does not compute its program" in text
