"""`-` in the place of a program: it comes through stdin, and nothing of it is left."""

import json
import os
import subprocess
import sys
from pathlib import Path

import click
import pytest
from programs import lowered

from snncc.artifact import Program, save_program
from snncc.cli.main import COMMANDS, cli


@pytest.fixture
def here(tmp_path: Path) -> Path:
    save_program(tmp_path / "p.snncc", Program(lowered(3), {}))
    (tmp_path / "kept").mkdir()
    return tmp_path


def snncc(call: str, given: bytes | None, here: Path) -> tuple[int, str, str]:
    words = ["-c", "from snncc.cli.main import main; main()", *call.split()]
    done = subprocess.run(
        [sys.executable, *words],
        input=given,
        stdin=subprocess.DEVNULL if given is None else None,
        cwd=here,
        env=os.environ | {"TMPDIR": str(here / "kept"), "PYTHONPATH": ":".join(sys.path)},
        capture_output=True,
        timeout=120,
    )
    assert list((here / "kept").iterdir()) == [], "what was kept is removed"
    return done.returncode, done.stdout.decode(), done.stderr.decode()


def test_a_program_through_a_pipe_is_the_program(here: Path) -> None:
    content = (here / "p.snncc").read_bytes()
    for call in ("inspect {} --json", "verify {} --json", "inspect {} --text"):
        code, out, _ = snncc(call.format("-"), content, here)
        expected = snncc(call.format("p.snncc"), None, here)
        assert (code, expected[0]) == (0, 0)
        if "--json" in call:
            one, other = json.loads(out), json.loads(expected[1])
            assert one.pop("program").endswith("/stdin.snncc")
            assert other.pop("program") == "p.snncc"
            for record in (one, other):
                record.pop("memory", None)  # of planning it is measured, in each process anew
            assert one == other
        else:
            assert out == expected[1]


@pytest.mark.parametrize("given", [b"", b"\x89PNG\r\n\x1a\n", None, b"damaged"])
def test_what_is_no_program_is_refused(given: bytes | None, here: Path) -> None:
    for command in ("inspect -", "verify -"):
        code, out, error = snncc(command, given, here)
        assert (code, out) == (3, "")
        assert error.startswith("error[SNN01")
        assert "stdin" in error


def test_every_program_can_be_piped_and_nothing_else() -> None:
    context = click.Context(cli)
    piped = {
        (name, param.name)
        for name in COMMANDS
        for param in cli.get_command(context, name).params  # type: ignore[union-attr]
        if getattr(param.type, "piped", False)
    }
    names = ("verify", "run", "evaluate", "inspect", "count", "fit", "map", "report", "warm")
    assert piped == {(name, "program") for name in (*names, "export")}
