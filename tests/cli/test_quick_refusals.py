"""What is wrong with the files of a call is said before anything large is imported."""

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


def test_help_needs_nothing_large(tmp_path: Path) -> None:
    told, _ = called(["--help"], tmp_path)
    assert told.splitlines()[-1] == "0"
