"""What single calls say: the cause first, the user's own lines, numbers as they are."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from snncc.checker import Rejected, check
from snncc.cli.main import run
from snncc.compiler.fidelity import Fidelity
from snncc.diagnostics import SnnccError
from snncc.frontends.factory import load_factory
from snncc.frontends.mixer_snn.neuron import neuron_options


@pytest.fixture(scope="module")
def made(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two programs, certificates of both, and images."""
    folder = tmp_path_factory.mktemp("made")
    checkpoint = str(root / "examples/digits_mixer.pth")
    for name, bits in (("a", "8"), ("b", "6")):
        words = ["compile", checkpoint, "-o", str(folder / f"{name}.snncc"), "--weight-bits", bits]
        assert run(words) == 0
        program = str(folder / f"{name}.snncc")
        assert run(["verify", program, "--certificate", str(folder / f"{name}.json")]) == 0
    with np.load(root / "examples/digits.npz") as data:
        np.savez(folder / "d.npz", x=data["x_test"][:3], y=data["y_test"][:3])
    return folder


def test_a_certificate_of_another_program_is_called_so(
    made: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    capsys.readouterr()
    words = ["verify", str(made / "a.snncc"), "--check", str(made / "b.json")]
    assert run(words) == 1
    assert capsys.readouterr().out.startswith("rejected: it is the certificate of another program")
    assert run(["verify", str(made / "a.snncc"), "--check", str(made / "a.json")]) == 0
    record = json.loads((made / "a.json").read_text())
    record["nodes"][-1]["level"] = "none"
    with pytest.raises(Rejected, match="wrong about"):
        check((made / "a.snncc").read_bytes(), json.dumps(record).encode())


def test_fewer_images_than_are_cross_checked_are_said(
    made: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for count, said in (("999", True), ("3", False)):
        capsys.readouterr()
        words = ["run", str(made / "a.snncc"), f"{made / 'd.npz'}:x", "--cross-check", count]
        assert run(words) == 0
        note = "note: --cross-check 999: there are 3 images"
        assert (note in capsys.readouterr().err) is said


def test_accuracies_are_recorded_as_they_are() -> None:
    found = Fidelity(7, 2 / 3, 1 / 3, 1.0, 1 / 3, (), 2 / 7, 1.0).record()
    assert found["accuracy"] == 2 / 7
    assert found["reference_accuracy"] == 1.0
    assert found["agreement"] == round(2 / 3, 6)
    assert "accuracy" not in Fidelity(7, 1.0, 0.5, 1.0, 0.0, ()).record()


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"tau": "inf"}, "tau=inf is no finite number"),
        ({"tau": "nan"}, "tau=nan is no finite number"),
        ({"tau": "0.5"}, "tau=0.5 is below 1"),
        ({"v_threshold": "inf"}, "v_threshold=inf is no finite number"),
        ({"v_threshold": "nan"}, "v_threshold=nan is no finite number"),
        ({"v_reset": "-inf"}, "v_reset=-inf is no finite number"),
    ],
)
def test_numbers_of_neurons_are_refused_for_what_they_are(given: dict[str, str], said: str) -> None:
    with pytest.raises(SnnccError) as caught:
        neuron_options(given)
    (finding,) = caught.value.findings
    assert finding.code == "SNN001"
    assert said in finding.message
    assert finding.why
    assert finding.help


USERS = {
    "no_such_module": ("import not_there_at_all\n", "users_no_such_module.py:1"),
    "in_torch": (
        "from torch import nn\ndef make():\n    return nn.Linear('a', 3)\n",
        "users_in_torch.py:3",
    ),
    "in_snncc": (
        "import snncc\ndef make():\n    return snncc.load(3)\n",
        "users_in_snncc.py:3",
    ),
    "in_json": ("import json\ndef make():\n    return json.loads('{')\n", "users_in_json.py:3"),
}


@pytest.mark.parametrize("name", USERS)
def test_lines_that_are_shown_are_the_users(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text, line = USERS[name]
    (tmp_path / f"users_{name}.py").write_text(text)
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(SnnccError) as caught:
        load_factory(f"users_{name}:make", {})
    assert caught.value.code == "SNN003"
    assert caught.value.findings[0].why.endswith(f"({line})")


@pytest.mark.parametrize("spec", ["not_there_at_all:make", "json:not_there", "snncc.cli:make"])
def test_no_line_is_shown_where_none_is_the_users(spec: str) -> None:
    with pytest.raises(SnnccError) as caught:
        load_factory(spec, {})
    finding: Any = caught.value.findings[0]
    assert finding.code == "SNN003"
    assert ".py" not in finding.why
