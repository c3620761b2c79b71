"""`snncc verify --run --kernels` and `snncc count` as a user meets them."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from snncc.cli.main import run
from snncc.runtime.interpreter import neurons
from snncc.runtime.proofs import kernel_inspection
from snncc.runtime.proofs.kernel_inspection import KernelProof
from snncc.runtime.proofs.llvm_products import Offence

Captured = pytest.CaptureFixture[str]


@pytest.fixture(scope="module")
def program(root: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    out = tmp_path_factory.mktemp("cli") / "digits.snncc"
    checkpoint = str(root / "examples/digits_mixer.pth")
    assert run(["compile", checkpoint, "-o", str(out), "--normalize", "0.3,0.35"]) == 0
    return str(out)


@pytest.fixture
def images(root: Path) -> str:
    return f"{root / 'examples/digits.npz'}:x_test"


def test_a_run_without_multiplication(program: str, images: str, capsys: Captured) -> None:
    arguments = ["verify", program, "--run", images, "--limit", "3"]
    assert run([*arguments, "--json"]) == 0
    record = json.loads(capsys.readouterr().out)
    assert record["holds"]
    assert (record["run"]["images"], record["run"]["holds"]) == (3, True)
    assert record["run"]["simulator_agrees"]
    assert "kernels" not in record
    layers = record["run"]["layers"]
    assert [layer["name"] for layer in layers] == [op["name"] for op in record["ops"]]
    for kind in ("adds", "subtracts", "shifts", "compares", "selects", "logic"):
        assert record["run"]["total"][kind] == sum(layer[kind] for layer in layers) > 0
    assert run(arguments) == 0
    text = capsys.readouterr().out
    assert "3 images on arrays that refuse to multiply: nothing was refused" in text
    assert f"{record['run']['total']['selects']:,}" in text


def test_a_run_that_multiplies_is_answered_with_no(
    program: str, images: str, capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    def multiplying(x: Any, _: object) -> Any:
        return x * 3

    monkeypatch.setattr(neurons, "times", multiplying)
    arguments = ["verify", program, "--run", images, "--limit", "1"]
    assert run(arguments) == 1
    assert "NO: to_patch_embedding_lif.0 asked for multiply" in capsys.readouterr().out
    assert run([*arguments, "--json"]) == 1
    record = json.loads(capsys.readouterr().out)
    assert not record["holds"]
    assert record["run"]["refused"] == {"name": "to_patch_embedding_lif.0", "what": "multiply"}


def test_a_run_with_other_bits_is_answered_with_no(
    program: str, images: str, capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    def doubling(x: Any, _: object) -> Any:
        return x << 1

    monkeypatch.setattr(neurons, "times", doubling)
    assert run(["verify", program, "--run", images, "--limit", "1"]) == 1
    assert "OTHER BITS THAN the simulator" in capsys.readouterr().out


def test_offences_in_kernels_are_answered_with_no(
    program: str, capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What finds them is tested beside; here only what is told."""
    bad = KernelProof("fire", "int64", 900, 7, (Offence("body", "%3 = fmul", "floating point"),))
    monkeypatch.setattr(kernel_inspection, "inspect_kernels", lambda: (bad,))
    assert run(["verify", program, "--kernels"]) == 1
    text = capsys.readouterr().out
    assert "kernels NO" in text
    assert "%3 = fmul" in text
    assert run(["verify", program, "--kernels", "--json"]) == 1
    record = json.loads(capsys.readouterr().out)
    assert record["kernels"]["kernels"][0]["offences"][0]["reason"] == "floating point"


def test_clean_kernels_are_told(
    program: str, capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    good = KernelProof("fire", "int64", 1900, 7, ())
    monkeypatch.setattr(kernel_inspection, "inspect_kernels", lambda: (good,))
    assert run(["verify", program, "--kernels"]) == 0
    text = capsys.readouterr().out
    assert "no floating point, no multiplication of data: 1,900 LLVM instructions of fire" in text


def test_counts_add_up(program: str, images: str, capsys: Captured) -> None:
    assert run(["count", program, images, "--limit", "5", "--json"]) == 0
    record = json.loads(capsys.readouterr().out)
    assert (record["schema"], record["images"], record["steps"]) == (1, 5, 4)
    for name in ("dense", "events", "accumulates", "effective_acs", "effective_macs"):
        assert record["totals"][name] == sum(p[name] for p in record["projections"]) > 0
    for name in ("neurons", "spikes", "updates", "membrane_updates"):
        assert record["totals"][name] == sum(p[name] for p in record["populations"]) > 0
    synaptic = record["neurobench"]["synaptic_operations"]
    assert synaptic["Effective_MACs"] == 0.0
    assert synaptic["Effective_ACs"] == record["totals"]["effective_acs"] / 5
    assert synaptic["Effective_ACs"] < synaptic["Dense"]
    assert {e["arithmetic"] for e in record["energy"]} == {"float32", "int8"}
    assert all(e["label"].startswith("ESTIMATE") for e in record["energy"])
    assert run(["run", program, images, "--limit", "5", "--json"]) == 0
    rates = json.loads(capsys.readouterr().out)["spike_rates"]
    assert {p["name"]: p["rate"] for p in record["populations"]} == pytest.approx(rates)


def test_counts_for_people(program: str, images: str, capsys: Captured) -> None:
    assert run(["count", program, images, "--limit", "5"]) == 0
    text = capsys.readouterr().out
    for expected in ("dense", "token_mix.0.fuse.0", "membrane updates", "activation sparsity"):
        assert expected in text
    lines = text.splitlines()
    energy = [i for i, line in enumerate(lines) if "uJ" in line]
    assert energy
    assert "ESTIMATE, not a measurement" in lines[max(energy) + 1]


def test_wrong_data_are_refused(program: str, tmp_path: Path, capsys: Captured) -> None:
    path = tmp_path / "x.npy"
    for array in (np.zeros((2, 3, 32, 32), np.uint8), np.zeros((0, 1, 32, 32), np.uint8)):
        np.save(path, array)
        for arguments in (["count", program, str(path)], ["verify", program, "--run", str(path)]):
            assert run(arguments) == 3, arguments
            assert "SNN016" in capsys.readouterr().err
