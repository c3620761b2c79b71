"""No command writes what it reads, or one output over another: every command, every pair of paths.

The pairs come from the commands themselves: a new option that takes a path is in them by its type,
and one that takes a path in another way fails the first test.
"""

import hashlib
import importlib
import os
from itertools import product
from pathlib import Path

import click
import pytest

from snncc.cli.main import COMMANDS, run
from snncc.cli.path_types import (
    DataPath,
    KeyOrDataPath,
    ModelName,
    OutputFile,
    OutputFolder,
    PathType,
)

NO_PATHS = {
    *("model_arguments", "input_shape", "normalize", "weight_bits", "layer_bits", "profile"),
    "activation_bits",
    *("neuron", "record_only", "node", "axes", "weights", "domain", "sensor", "changes", "layers"),
    *("convention", "answer"),
}
"""Parameters that take a text which is no path."""
GO_WITH = {
    ("run", "lava_python"): ["--on", "lava"],
    ("compile", "labels"): ["--evaluate", "other-evaluate"],
    ("report", "chip"): ["--mapping", "other-mapping"],
    ("report", "spikes"): ["--mapping", "other-mapping"],
}
EXCLUDE_EACH_OTHER = {
    ("verify", "certificate", "checked"),
    ("verify", "certificate", "model"),
    ("map", "output", "checked"),
    ("doctor", "making", "lava_python"),
}
"""Options that are refused together whatever paths they have; `test_options_in_vain` holds that."""


def command_of(name: str) -> click.Command:
    return importlib.import_module(COMMANDS[name]).command


def takes(name: str, kind: type | tuple[type, ...]) -> list[click.Parameter]:
    return [param for param in command_of(name).params if isinstance(param.type, kind)]


def outputs(name: str) -> list[click.Parameter]:
    return [p for p in takes(name, PathType) if p.type.writes]  # type: ignore[attr-defined]


def inputs(name: str) -> list[click.Parameter]:
    every = takes(name, (PathType, ModelName))
    return [p for p in every if not getattr(p.type, "writes", False)]


PAIRS = [
    (name, one.name, other.name)
    for name in COMMANDS
    for one in outputs(name)
    for other in [*inputs(name), *outputs(name)]
    if one is not other and (name, one.name, other.name) not in EXCLUDE_EACH_OTHER
]


def test_every_parameter_says_whether_it_is_a_path() -> None:
    writing = []
    for name in COMMANDS:
        for param in command_of(name).params:
            assert not isinstance(param.type, click.Path | click.File), (name, param.name)
            plain = param.type is click.STRING
            assert not plain or param.name in NO_PATHS, (name, param.name, "a path or no path?")
        writing += [(name, param.name) for param in outputs(name)]
    assert len(writing) == 10
    assert {name for name, _ in writing} == {
        "compile",
        "verify",
        "run",
        "frames",
        "export",
        "map",
        "doctor",
        "report",
    }
    assert len(PAIRS) == 39


def words(param: click.Parameter, value: str) -> list[str]:
    return [value] if isinstance(param, click.Argument) else [param.opts[-1], value]


def called(name: str, values: dict[str, str]) -> list[str]:
    """A call with these values, and what else the command wants."""
    command = command_of(name)
    arguments, options = [], []
    for param in command.params:
        value = values.get(param.name or "")
        if value is None and isinstance(param, click.Argument):
            value = f"other-{param.name}"
            Path(value).write_text(value)
        if value is None and param.required:
            value = "lava" if param.name == "target" else f"new-{param.name}"
        if value is not None:
            into = arguments if isinstance(param, click.Argument) else options
            into += words(param, value)
            options += GO_WITH.get((name, param.name or ""), [])
    return [name, *arguments, *options]


def everything(root: Path) -> dict[str, str]:
    files = [file for file in sorted(root.rglob("*")) if file.is_file()]
    return {str(f.relative_to(root)): hashlib.sha256(f.read_bytes()).hexdigest() for f in files}


def refused(call: list[str], options: tuple[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    root = Path.cwd()
    before = everything(root)
    assert run(call) == 2, call
    error = capsys.readouterr().err
    assert error.startswith("error[SNN002]"), (call, error)
    for option in options:
        assert option in error, (call, error)
    assert "help: give " in error
    assert everything(root) == before


def known_as(name: str, parameter: str) -> str:
    (param,) = (p for p in command_of(name).params if p.name == parameter)
    if isinstance(param, click.Argument):
        return param.human_readable_name
    return next(opt for opt in param.opts if opt.startswith("--"))


def type_of(name: str, parameter: str) -> click.ParamType:
    (param,) = (p for p in command_of(name).params if p.name == parameter)
    return param.type


def spelled(name: str, parameter: str, path: str) -> str:
    """A path as a value of a parameter."""
    kind = type_of(name, parameter)
    if isinstance(kind, ModelName):
        return f"{Path(path).stem}:make"
    return f"{path}:x" if isinstance(kind, DataPath) and path.endswith(".npz") else path


@pytest.fixture
def there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a file, and other ways to it."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "sub").mkdir()
    return tmp_path


@pytest.mark.parametrize(("name", "output", "other"), PAIRS)
@pytest.mark.parametrize("way", ["same", "spelling", "symlink", "hard link", "linked folder"])
def test_an_output_is_no_input_and_no_other_output(
    name: str,
    output: str,
    other: str,
    way: str,
    there: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    kinds = type_of(name, output), type_of(name, other)
    folder = any(isinstance(kind, OutputFolder) for kind in kinds)
    suffix = ".npz" if isinstance(kinds[1], DataPath) else ".py"
    first = there / f"sub/net{suffix}"
    if isinstance(kinds[1], ModelName):
        first = there / "net.py"
    if folder:
        first.mkdir() if not isinstance(kinds[1], ModelName) else first.write_text("x")
        if way == "hard link":
            pytest.skip("there are no hard links to folders")
    else:
        first.write_text("something that nobody can make again")
    second = {
        "same": str(first.relative_to(there)),
        "spelling": f"./sub/../{first.relative_to(there)}",
        "symlink": "link",
        "hard link": "hard",
        "linked folder": f"folder/{first.relative_to(there)}",
    }[way]
    if way == "symlink":
        (there / "link").symlink_to(first)
    elif way == "hard link":
        os.link(first, there / "hard")
    elif way == "linked folder":
        (there / "folder").symlink_to(there, target_is_directory=True)
    values = {
        output: spelled(name, output, second),
        other: spelled(name, other, str(first.relative_to(there))),
    }
    options = known_as(name, output), known_as(name, other)
    refused(called(name, values), options, capsys)


@pytest.mark.parametrize(
    ("name", "output"), [(name, param.name) for name in COMMANDS for param in outputs(name)]
)
@pytest.mark.parametrize("value", ["d.npz:x", "not-there.npz:x", "sub/d.npz:", "notes.txt:x"])
def test_an_output_is_not_called_as_the_key_of_a_file(
    name: str, output: str, value: str, there: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for file in ("d.npz", "notes.txt"):
        (there / file).write_text("something that nobody can make again")
    refused(called(name, {output: value}), (known_as(name, output), "FILE:KEY"), capsys)


@pytest.mark.parametrize(
    ("name", "output", "other"),
    [
        (name, output, other)
        for name, output, other in PAIRS
        if isinstance(type_of(name, other), DataPath)
        and not isinstance(type_of(name, other), KeyOrDataPath)
    ],
)
def test_an_output_is_in_no_folder_of_images(
    name: str, output: str, other: str, there: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (there / "images/ant").mkdir(parents=True)
    (there / "images/ant/1.png").write_bytes(b"a picture")
    (there / "link").symlink_to(there / "images/ant", target_is_directory=True)
    for path in ("images/new", "images/ant/1.png", "link/new", "images/ant/new"):
        values = {output: path, other: "images"}
        refused(called(name, values), (known_as(name, output), known_as(name, other)), capsys)


@pytest.mark.parametrize(
    ("name", "output", "other"),
    [pair for pair in PAIRS if isinstance(type_of(pair[0], pair[1]), OutputFolder)],
)
def test_an_output_folder_holds_no_input(
    name: str, output: str, other: str, there: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (there / "all/inner").mkdir(parents=True)
    suffix = ".npz" if isinstance(type_of(name, other), DataPath) else ".py"
    file = there / f"all/inner/net{suffix}"
    if isinstance(type_of(name, other), ModelName):
        file = there / "net.py"
    file.write_text("something")
    (there / "link").symlink_to(there / "all", target_is_directory=True)
    (there / "elsewhere.txt").write_text("else")
    folders = [".", "../" + there.name] if file.parent == there else ["all", "all/inner", "link"]
    for folder in folders:
        values = {output: folder, other: spelled(name, other, str(file.relative_to(there)))}
        refused(called(name, values), (known_as(name, output), known_as(name, other)), capsys)
    if file.parent != there and not isinstance(type_of(name, other), DataPath):
        (there / "all/inner/link").symlink_to(there / "elsewhere.txt")  # the link would be lost
        values = {output: "all", other: "all/inner/link"}
        refused(called(name, values), (known_as(name, output), known_as(name, other)), capsys)


def test_names_that_differ_by_case_are_one_on_some_disks(
    there: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (there / "p.snncc").write_text("p")
    call = ["run", "p.snncc", "d.npz", "-o", "out.npz", "--record", "OUT.npz"]
    refused(call, ("--output", "--record"), capsys)
    assert "case" not in "".join(os.listdir(there))


def test_paths_apart_are_not_refused(there: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The guard lets through what is apart; the error is then of what the files hold."""
    (there / "sub/p.snncc").write_text("p")
    (there / "images").mkdir()
    (there / "images-out").mkdir()
    for call in (
        ["run", "sub/p.snncc", "images", "-o", "images-out/o.npz"],
        ["run", "sub/p.snncc", "images", "-o", "sub/o.npz", "--record", "sub/r.npz"],
        ["export", "sub/p.snncc", "--to", "lava", "-o", "sub/p"],
        ["export", "sub/p.snncc", "--to", "onnx", "-o", "sub/p.onnx"],
        ["export", "sub/p.snncc", "--to", "c", "-o", "sub/p"],
        ["compare", "sub/p.snncc", "sub/p.snncc", "--data", "sub/p.snncc"],
        ["compile", "sub/p.snncc", "-o", "sub/q.snncc", "--dump-ir", "sub/ir"],
    ):
        assert run(call) == 3, call
        assert "SNN002" not in capsys.readouterr().err


@pytest.mark.parametrize("name", COMMANDS)
def test_no_path_is_empty_or_a_dash(
    name: str, there: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for param in takes(name, PathType):
        for value, says in (("", "the path is empty"), ("-", "nothing goes ")):
            if param.name == "making" and value == "":
                continue  # the user's data folder
            if value == "-" and getattr(param.type, "piped", False):
                assert param.name == "program"
                continue  # stdin: tests/cli/test_standard_input.py
            assert run(called(name, {param.name or "": value})) == 2
            error = capsys.readouterr().err
            assert says in error, (name, param.name, error)
    for param in takes(name, DataPath):
        assert run(called(name, {param.name or "": ":x"})) == 2
        assert "':x' names a key and no file: give FILE.npz:x" in capsys.readouterr().err


@pytest.mark.parametrize("name", COMMANDS)
def test_an_output_is_not_named_as_another_kind_of_file(
    name: str, there: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for param in takes(name, OutputFile):
        kind = param.type
        assert isinstance(kind, OutputFile)
        for suffix in {".pth", ".npz", ".snncc", ".PNG", ".json"} - {kind.suffix}:
            assert run(called(name, {param.name or "": f"out{suffix}"})) == 2
            error = capsys.readouterr().err
            assert "error[SNN002]" in error
            assert f"give a name that ends in {kind.suffix}" in error
        assert run(called(name, {param.name or "": "out.of.mine"})) != 0
        assert f"out.of.mine: the usual ending is {kind.suffix}" in capsys.readouterr().err


def test_devices_pipes_and_folders_are_not_replaced(
    there: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    os.mkfifo(there / "pipe")
    (there / "link").symlink_to("/dev/null")
    for out in ("pipe", "link", "/dev/null", "sub"):
        assert run(called("compile", {"output": out})) == 2
        error = capsys.readouterr().err
        assert "error[SNN002]" in error
        assert "a device, a pipe or a socket" in error or "it is a folder" in error
    assert (there / "pipe").is_fifo()
    assert Path("/dev/null").is_char_device()


def test_pairs_are_products() -> None:
    """What the table above rests on: each output of each command meets each of its paths."""
    for name in COMMANDS:
        found = {(a, b) for command, a, b in PAIRS if command == name}
        found |= {(a, b) for command, a, b in EXCLUDE_EACH_OTHER if command == name}
        names = [param.name for param in outputs(name)]
        wanted = set(product(names, [*names, *(param.name for param in inputs(name))]))
        assert found == {(a, b) for a, b in wanted if a != b}
