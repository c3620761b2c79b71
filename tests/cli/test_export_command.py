"""`snncc export` as a user meets it."""

import hashlib
import json
import os
from pathlib import Path

import numpy as np
import pytest
from random_programs import IMAGE, random_program

from snncc.artifact import Program, program_digest, save_program
from snncc.backends import bundle_folder
from snncc.cli.main import run
from snncc.ir.dialects.integer import IntegerPopulation
from snncc.ir.dialects.projections import Contract

SEED = 5
FILES = {"README.md", "manifest.json", "network.py", "run.py", "tensors.npz"}
FILES |= {"arithmetic.py", "host.py", "neurons.py", "projections.py", "watch.py", "window.py"}


@pytest.fixture
def program(tmp_path: Path) -> Path:
    path = tmp_path / "p.snncc"
    save_program(path, Program(random_program(SEED), {}))
    return path


def export(program: Path, folder: Path, *options: str) -> int:
    return run(["export", str(program), "--to", "lava", "-o", str(folder), *options])


def test_a_bundle_is_complete_and_its_manifest_says_what_it_holds(
    program: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "new" / "bundle"
    assert export(program, folder) == 0
    assert {p.name for p in folder.iterdir()} == FILES
    assert {p.name for p in (tmp_path / "new").iterdir()} == {"bundle"}
    graph = random_program(SEED)
    manifest = json.loads((folder / "manifest.json").read_text())
    assert manifest["program"] == program_digest(Program(graph, {}))
    assert (manifest["profile"], manifest["T"]) == ("exact", graph.steps)
    assert set(manifest["files"]) == FILES - {"manifest.json"}
    for name, sha in manifest["files"].items():
        assert hashlib.sha256((folder / name).read_bytes()).hexdigest() == sha
    populations = {n.name: n.type for n in graph.select(IntegerPopulation)}
    assert {n: p["axes"] for n, p in manifest["populations"].items()} == {
        name: {a.name: a.size for a in kind.axes} for name, kind in populations.items()
    }
    with np.load(folder / "tensors.npz", allow_pickle=False) as tensors:
        assert set(tensors.files) == set(graph.constants)
        assert all(np.array_equal(tensors[n], graph.constants[n]) for n in tensors.files)
    out = capsys.readouterr().out
    for name in populations:
        assert name in out
        assert f"`{name}`" in (folder / "README.md").read_text()
        assert f'name="{name}"' in (folder / "network.py").read_text()
    assert f"depth      {manifest['depth']} steps" in out


def test_json_holds_the_schedule(
    program: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert export(program, tmp_path / "b", "--json") == 0
    record = json.loads(capsys.readouterr().out)
    assert record["target"] == "lava"
    assert record["schedule"][-1]["value"] == "readout"
    assert record["steps"] == record["period"] == random_program(SEED).steps


def test_a_directory_that_is_not_empty_stays_unless_forced(
    program: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "bundle"
    folder.mkdir()
    assert export(program, folder) == 0, "an empty one is taken"
    (folder / "mine.txt").write_text("notes")
    assert export(program, folder) == 2
    assert "not empty" in capsys.readouterr().err
    assert (folder / "mine.txt").read_text() == "notes"
    assert export(program, folder, "--force") == 2, "somebody's notes are in it"
    assert "it also holds mine.txt" in capsys.readouterr().err
    (folder / "mine.txt").unlink()
    assert export(program, folder, "--force") == 0
    assert {p.name for p in folder.iterdir()} == FILES


def test_a_failure_leaves_the_old_bundle_and_nothing_else(
    program: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "bundle"
    assert export(program, folder) == 0
    content = {p.name: p.read_bytes() for p in folder.iterdir()}
    before = sorted(p.name for p in tmp_path.iterdir())
    replace, calls = os.replace, []

    def fail_at_the_second(a: object, b: object) -> None:
        calls.append(a)
        if len(calls) == 2:
            raise OSError(28, "No space left on device")
        replace(a, b)

    monkeypatch.setattr(bundle_folder, "_exchanged", lambda *_: False)  # as on other disks
    monkeypatch.setattr(bundle_folder.os, "replace", fail_at_the_second)
    assert export(program, folder, "--force") == 2
    assert len(calls) == 3
    assert {p.name: p.read_bytes() for p in folder.iterdir()} == content
    assert sorted(p.name for p in tmp_path.iterdir()) == before


def test_a_file_in_the_way_is_not_replaced(program: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("notes")
    assert export(program, tmp_path / "file", "--force") == 2
    assert (tmp_path / "file").read_text() == "notes"


def test_emitted_python_compiles_and_names_no_path(program: Path, tmp_path: Path) -> None:
    assert export(program, tmp_path / "bundle") == 0
    for path in (tmp_path / "bundle").glob("*.py"):
        text = path.read_text()
        compile(text, path.name, "exec")
        assert str(tmp_path) not in text


def test_the_network_is_grouped_by_parts_of_the_model(program: Path, tmp_path: Path) -> None:
    assert export(program, tmp_path / "bundle") == 0
    text = (tmp_path / "bundle" / "network.py").read_text()
    parts = {n.name.rpartition(".")[0] for n in random_program(SEED).select(Contract)}
    blocks = [part for part in parts if f'"""{part}"""' in text]
    assert blocks
    assert "class Network(LavaNetwork):" in text
    assert f"IMAGE = {IMAGE!r}" in text
