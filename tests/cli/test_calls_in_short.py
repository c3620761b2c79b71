"""Usage errors, `snncc explain`, `snncc.toml` and what a shell completes."""

import json
import re
import subprocess
import sys
from pathlib import Path

import click
import pytest

from snncc.cli.explain_command import section
from snncc.cli.main import COMMANDS, cli, run
from snncc.cli.project_file import by_hand
from snncc.diagnostics import CODES

WRONG = {
    "compil": "perhaps compile or compare",
    "zzz": "there are compile, verify",
    "compile -o x --calibrat y": "perhaps --calibrate",
    "compile -o x --gain shift": "perhaps shift-add",
    "run p.snncc d.npz --on lva": "perhaps lava",
    "run": "Missing argument 'PROGRAM'",
    "run a b c d": "unexpected extra argument",
    "inspect p --batch x": "--batch: 'x' is not a valid integer",
    "inspect p --batch": "--batch",
    "compile x --normalize 1 -o y": "--normalize: give MEAN,STD",
    "verify": "give a program",
    "explain SNN299": "there is no code SNN299",
    "--colour never run": "perhaps --color",
}


@pytest.mark.parametrize("call", WRONG)
def test_usage_errors_look_like_all_others(call: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(call.split()) == 2
    plain = capsys.readouterr()
    assert plain.out == ""
    assert plain.err.startswith("error[SNN005]: ")
    assert WRONG[call] in plain.err
    assert "   = help: " in plain.err
    assert run([*call.split(), "--json"]) == 2
    told = capsys.readouterr()
    assert told.err.startswith("error[SNN005]: ")
    (error,) = json.loads(told.out)["errors"]
    assert error["code"] == "SNN005"


def test_no_command_at_all_is_help(capsys: pytest.CaptureFixture[str]) -> None:
    run([])
    told = capsys.readouterr()
    assert "Commands:" in told.out + told.err


@pytest.mark.parametrize("code", CODES)
def test_every_code_is_explained(code: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["explain", code.removeprefix("SNN").lstrip("0")]) == 0
    first, exit_code, empty, *text = capsys.readouterr().out.splitlines()
    assert first == f"{code}: {CODES[code].title}"
    assert exit_code.startswith(f"exit code {CODES[code].exit_code}: ")
    assert empty == ""
    assert len(" ".join(text)) > 25
    assert "](" not in "".join(text)


def test_the_headings_of_the_page_are_the_registrys_titles(root: Path) -> None:
    page = (root / "docs/diagnostics.md").read_text()
    assert {*re.findall(r"^## `(SNN\d+)` (.*)$", page, re.MULTILINE)} == {
        (code, entry.title) for code, entry in CODES.items()
    }
    rows = re.findall(r"^\| `(SNN\d+)` \| (\d) \| (.*) \|$", page, re.MULTILINE)
    assert sorted(rows) == sorted(
        (code, str(entry.exit_code), entry.title) for code, entry in CODES.items()
    )


def test_all_codes_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["explain", "--json"]) == 0
    codes = json.loads(capsys.readouterr().out)["codes"]
    assert set(codes) == set(CODES)
    assert codes["SNN020"]["text"] == section("SNN020")


@pytest.fixture
def project(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "net.pth").symlink_to(root / "examples/digits_mixer.pth")
    return tmp_path / "snncc.toml"


def test_options_of_a_project(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    project.write_text(
        """
[compile]
normalize = "0.3,0.35"
weight-bits = 4
layer-bits = ["token*=5", "mlp*=6"]
agreement = 0.5
dt = 3
[inspect]
batch = 3
"""
    )
    assert run(["compile", "net.pth", "-o", "a.snncc", "--weight-bits", "5"]) == 2
    assert "--agreement goes with" in capsys.readouterr().err
    project.write_text(project.read_text().replace("agreement = 0.5\n", ""))
    assert run(["compile", "net.pth", "-o", "a.snncc", "--weight-bits", "7"]) == 0
    noted = capsys.readouterr().err.splitlines()[0]
    told = "note: from snncc.toml: --normalize 0.3,0.35, --layer-bits token*=5 mlp*=6"
    assert noted == told, "--dt has no effect, --weight-bits comes from the call"
    options = "--normalize 0.3,0.35 --layer-bits token*=5 --layer-bits mlp*=6 --weight-bits 7"
    text = project.read_text()
    project.unlink()
    assert run(["compile", "net.pth", "-o", "b.snncc", *options.split()]) == 0
    assert Path("a.snncc").read_bytes() == Path("b.snncc").read_bytes()
    capsys.readouterr()
    project.write_text(text)
    assert run(["inspect", "a.snncc", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["memory"]["batch"] == 3
    assert run(["inspect", "a.snncc", "--text"]) == 0
    assert "--batch" not in capsys.readouterr().err, "it would have no effect"


WRONG_FILES = {
    "[compil]\nsteps = 1": "perhaps [compile]",
    "compile = 3": "write [compile]",
    "[compile]\nstep = 1": "perhaps steps",
    "[compile]\nsteps = true": "write a text or a number",
    "[compile]\nsteps = [1]": "write a text or a number",
    "[compile]\njson = 1": "write true or false",
    "[compile]\nlayer-bits = [[1]]": "or a list of them",
    "[compile]\nmodel = 'evil:make'": "give --model on the command line",
    "[compile]\narg = 'a=b'": "give --arg on the command line",
    "[compile]\noutput = 'x'": "give --output on the command line",
    "[compile]\ndump-ir = 'x'": "give --dump-ir on the command line",
    "[compile": "cannot be read",
    "[compile]\nsteps = 'a\ud800'": "cannot be read",
    "a = " + "[" * 3000: "cannot be read",
}


@pytest.mark.parametrize("text", WRONG_FILES)
def test_what_is_wrong_in_the_file_is_said(
    text: str, project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    project.write_bytes(text.encode("utf-8", "surrogatepass"))
    assert run(["compile", "net.pth", "-o", "a.snncc"]) == 3
    error = capsys.readouterr().err
    assert error.startswith("error[SNN006]: snncc.toml")
    assert WRONG_FILES[text] in error
    assert not Path("a.snncc").exists()


def test_a_wrong_value_says_where_it_stands(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    project.write_text("[compile]\nweight-bits = 99")
    assert run(["compile", "net.pth", "-o", "a.snncc"]) == 2
    assert "why: it stands in snncc.toml" in capsys.readouterr().err
    assert run(["compile", "--help"]) == 0


def test_what_runs_code_or_writes_is_given_by_hand() -> None:
    context = click.Context(cli)
    found = {
        f"{name} {param.opts[-1]}"
        for name in COMMANDS
        for param in cli.get_command(context, name).params  # type: ignore[union-attr]
        if isinstance(param, click.Option) and by_hand(param)
    }
    assert found == {
        *("compile --output", "compile --model", "compile --arg", "compile --dump-ir"),
        *("verify --model", "verify --arg", "verify --certificate"),
        *("run --output", "run --record", "run --lava-python", "frames --output", "map --output"),
        *("report --output", "export --output", "export --force"),
        *("evaluate --output", "evaluate --store", "evaluate --restart", "evaluate --scheduler"),
        *("doctor --make-lava", "doctor --lava-python"),
    }


@pytest.mark.parametrize(
    ("words", "number", "found"),
    [
        ("snncc expl", 1, "plain,explain"),
        ("snncc compile --calib", 2, "plain,--calibrate"),
        ("snncc compile ne", 2, "file,ne"),
        ("snncc explain SNN02", 2, "plain,SNN020"),
        ("snncc compile --gain un", 3, "plain,unshared"),
        ("snncc run --on la", 3, "plain,lava"),
    ],
)
def test_a_shell_completes(words: str, number: int, found: str) -> None:
    environment = {"_SNNCC_COMPLETE": "bash_complete", "COMP_WORDS": words}
    done = subprocess.run(
        [sys.executable, "-c", "from snncc.cli.main import main; main()"],
        env={"COMP_CWORD": str(number), **environment, "PYTHONPATH": ":".join(sys.path)},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert found in done.stdout.splitlines(), done.stderr


def test_names_of_layers_and_chips_have_near_ones(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    call = "compile net.pth -o a.snncc --layer-bits token_mix.0.fuse.9=4"
    assert run(call.split()) == 2
    assert "token_mix.0.fuse.0" in capsys.readouterr().err
    assert run(["compile", "net.pth", "-o", "a.snncc", "-q"]) == 0
    assert run(["fit", "a.snncc", "--chip", "loihi"]) == 2
    assert "help: perhaps loihi" in capsys.readouterr().err
    assert run(["inspect", "a.snncc", "--node", "token_mixlif.0"]) == 2
    assert "help: perhaps token_mix_lif.0" in capsys.readouterr().err
