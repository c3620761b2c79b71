"""What is wrong with the files of a call is said before anything large is imported."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

ASKED = """
import sys
from snncc.cli.main import run

code = run(sys.argv[1:])
large = {"numpy", "torch", "numba", "rich", "networkx"} & set(sys.modules)
print(code, *sorted(large))
"""
ABSENT = [
    "compile absent.pth -o out.snncc",
    "compile absent.safetensors -o out.snncc --weight-bits 4",
    "verify absent.snncc",
    "verify absent.pth",
    "run absent.snncc images.npz",
    "inspect absent.snncc",
    "count absent.snncc images.npz",
    "export absent.snncc --to lava -o folder",
    "warm absent.snncc",
]


def called(words: list[str], folder: Path) -> tuple[str, str]:
    done = subprocess.run(
        [sys.executable, "-c", ASKED, *words],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=60,
    )
    return done.stdout.strip(), done.stderr


@pytest.mark.parametrize("command", ABSENT)
def test_a_file_that_is_not_there_is_refused_at_once(command: str, tmp_path: Path) -> None:
    told, errors = called(command.split(), tmp_path)
    assert told == "3"
    assert "absent." in errors
    assert errors.startswith("error[SNN010]" if "absent.pth" in command else "error[SNN01")


@pytest.mark.parametrize("command", ["verify", "inspect", "warm"])
def test_a_file_of_another_kind_is_refused_at_once(command: str, tmp_path: Path) -> None:
    (tmp_path / "picture.snncc").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(64))
    told, errors = called([command, "picture.snncc"], tmp_path)
    assert told == "3"
    assert "it is an image, not a program" in errors


BEFORE_TORCH = {
    "compile -o a.snncc": "neither a checkpoint",
    "compile -o a.snncc --model nowhere:make --input-shape 1,2,2": "No module named 'nowhere'",
    "compile -o a.snncc --model nowhere": "not of the form module:factory",
    "compile -o a.snncc --model own:make": "the image's shape is not known",
    "compile -o a.snncc --model own:make --input-shape 1,2,2 --neuron tau=2": "does not go with",
    "compile -o a.snncc --model own:make --weights ema": "--weights ema without a checkpoint",
    "compile own.pth -o a.snncc --neuron tau=x": "that is no tau",
    "compile own.pth -o a.snncc --neuron taus=2": "neurons have no 'taus'",
    "compile own.pth -o a.snncc --arg a=b": "--arg a without --model",
    "compile own.pth -o a.snncc --weight-bits auto": "cannot be searched without images",
    "verify --model own:make": "the image's shape is not known",
    "verify --model nowhere:make --input-shape 1,2,2": "No module named 'nowhere'",
}


ONE_AFTER_THE_OTHER = """
import contextlib, io, json, sys
from snncc.cli.main import run

told = []
for call in json.loads(sys.argv[1]):
    with contextlib.redirect_stderr(io.StringIO()) as errors:
        code = run(call.split())
    told.append((code, "torch" in sys.modules, errors.getvalue()))
print(json.dumps(told))
"""


def test_what_names_and_options_say_is_checked_before_torch_is_imported(
    root: Path, tmp_path: Path
) -> None:
    (tmp_path / "own.pth").symlink_to(root / "examples/digits_mixer.pth")
    (tmp_path / "own.py").write_text("raise SystemExit('the code of the user ran')")
    done = subprocess.run(
        [sys.executable, "-c", ONE_AFTER_THE_OTHER, json.dumps([*BEFORE_TORCH])],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
    )
    told = json.loads(done.stdout)
    for (call, reason), (code, torch_is_there, errors) in zip(
        BEFORE_TORCH.items(), told, strict=True
    ):
        assert (code, torch_is_there) == (2, False), (call, errors)
        assert reason in errors, call


def test_help_needs_nothing_large(tmp_path: Path) -> None:
    told, _ = called(["--help"], tmp_path)
    assert told.splitlines()[-1] == "0"
