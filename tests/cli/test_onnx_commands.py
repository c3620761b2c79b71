"""`snncc export --to onnx` and `snncc run --on onnx` as a user meets them."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx_runs
import pytest
from programs import lowered
from random_networks import random_images, random_network

from snncc.artifact import Program, save_program
from snncc.backends.onnx_graph import FORM
from snncc.cli.main import run
from snncc.ir.dialects.integer import IntegerPopulation

SEED = 1


@pytest.fixture
def there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    save_program(Path("p.snncc"), Program(lowered(SEED), {}))
    np.savez("d.npz", x=random_images(random_network(SEED), SEED, 4))
    return tmp_path


def test_a_graph_is_written_in_either_form(there: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["export", "p.snncc", "--to", "onnx", "-o", "net.onnx"]) == 0
    out = capsys.readouterr().out
    assert "form     scan, opset 17" in out
    assert "bytes in net.onnx" in out
    onnx_runs.checked(Path("net.onnx").read_bytes())
    call = ["export", "p.snncc", "--to", "onnx", "-o", "one.onnx", "--form", "step", "--json"]
    assert run(call) == 0
    record = json.loads(capsys.readouterr().out)
    assert (record["target"], record["form"], record["file"]) == ("onnx", "step", "one.onnx")
    assert record["bytes"] == Path("one.onnx").stat().st_size
    assert record["inputs"][0] == "images"
    assert {"readout", "logits"} <= set(record["outputs"])


def test_what_cannot_be_written_is_refused_before_anything_is(
    there: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    to_lava = ["export", "p.snncc", "--to", "lava", "-o", "bundle", "--form", "scan"]
    assert run(to_lava) == 2
    assert "error[SNN001]: --form has no effect here" in capsys.readouterr().err
    assert run(["export", "p.snncc", "--to", "onnx", "-o", "net.npz"]) == 2
    assert "give a name that ends in .onnx" in capsys.readouterr().err
    assert run(["export", "p.snncc", "--to", "onnx", "-o", "p.snncc"]) == 2
    assert "error[SNN002]" in capsys.readouterr().err
    Path("folder").mkdir()
    assert run(["export", "p.snncc", "--to", "onnx", "-o", "folder"]) == 2
    assert "it is a folder" in capsys.readouterr().err
    assert sorted(path.name for path in there.iterdir()) == ["d.npz", "folder", "p.snncc"]


def test_onnxruntime_runs_beside_the_simulator(
    there: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    call = ["run", "p.snncc", "d.npz:x", "--on", "onnx"]
    assert run([*call, "--record", "there.npz", "-o", "there_out.npz"]) == 0
    out = capsys.readouterr().out
    assert "ONNX       onnxruntime " in out
    for what in ("spikes", "membranes", "answers"):
        (line,) = [text for text in out.splitlines() if text.startswith(f"{what} ")]
        assert line.split()[1] == "0"
    usual = ["run", "p.snncc", "d.npz:x", "--record", "here.npz", "-o", "here_out.npz"]
    assert run(usual) == 0
    capsys.readouterr()
    assert run(["compare", "here.npz", "there.npz"]) == 0
    with np.load("here_out.npz") as here, np.load("there_out.npz") as other:
        assert np.array_equal(here["logits"], other["logits"])
    assert run([*call, "--json"]) == 0
    captured = capsys.readouterr().out
    record = json.loads(captured[captured.index('{"schema"') :])
    assert record["executor"] == "onnx"
    assert record["onnx"]["onnxruntime"]
    assert (record["onnx"]["spikes"], record["onnx"]["membranes"]) == (0, 0)


def test_a_graph_that_computes_something_else_is_told(
    there: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def late(at: Any, op: IntegerPopulation) -> Any:
        """Compares as the program does not."""
        return before(at, replace(op, compare="gt" if op.compare == "ge" else "ge"))

    with FORM.replaced(IntegerPopulation, late) as before:
        code = run(["run", "p.snncc", "d.npz:x", "--on", "onnx"])
    out = capsys.readouterr().out
    assert code == 1
    assert "ONNX (this process)" in out


def test_lava_s_python_is_none_of_onnxruntime_s_options(
    there: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    call = ["run", "p.snncc", "d.npz:x", "--on", "onnx", "--lava-python", "/no/python"]
    assert run(call) == 2
    assert "error[SNN001]: --lava-python has no effect here" in capsys.readouterr().err
    assert run([*call[:5], "--timeout", "0.000001"]) == 6
    assert "error[SNN054]: onnxruntime took too long" in capsys.readouterr().err


def test_targets_say_what_onnx_can(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["targets", "--json"]) == 0
    found = {t["name"]: t for t in json.loads(capsys.readouterr().out)["targets"]}["onnx"]
    assert found["run"]["can"]
    assert found["export"]["how"] == "--to onnx --form scan or --to onnx --form step"
