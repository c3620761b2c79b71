"""Outputs appear whole or not at all, whenever a process is killed; what it leaves is cleared."""

import fcntl
import json
import os
import re
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest
from random_programs import random_program

from snncc.artifact import Program, save_program
from snncc.artifact.temporaries import OLD, TARGET, clear_stale, temporary
from snncc.artifact.writing import check_writable, write_atomically
from snncc.backends import bundle_folder
from snncc.backends.bundle_folder import place_files
from snncc.cli.main import run
from snncc.diagnostics import SnnccError


def content(folder: Path) -> dict[str, bytes]:
    return {each.name: each.read_bytes() for each in folder.iterdir() if each.is_file()}


@pytest.mark.parametrize("directory", [False, True])
def test_what_is_under_construction_is_named_so_and_goes_at_the_end(
    directory: bool, tmp_path: Path
) -> None:
    with temporary(tmp_path, directory=directory) as made:
        assert re.fullmatch(r"\.snncc-[0-9a-f]{16}\.tmp", made.name)
        assert made.is_dir() is directory
        assert stat.S_IMODE(made.stat().st_mode) == (0o700 if directory else 0o600)
        clear_stale(tmp_path)  # in the same process: it is being written
        assert made.exists()
    with pytest.raises(ZeroDivisionError), temporary(tmp_path, directory=directory) as made:
        raise ZeroDivisionError
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("directory", [False, True])
def test_a_killed_process_s_is_cleared_and_a_living_one_s_is_not(
    directory: bool, tmp_path: Path
) -> None:
    program = (
        "import sys, time; from pathlib import Path\n"
        "from snncc.artifact.temporaries import temporary\n"
        f"with temporary(Path(sys.argv[1]), directory={directory}) as made:\n"
        "    print(made, flush=True); time.sleep(600)\n"
    )
    writers = [
        subprocess.Popen(
            [sys.executable, "-c", program, str(tmp_path)], stdout=subprocess.PIPE, text=True
        )
        for _ in range(2)
    ]
    try:
        paths = [Path(writer.stdout.readline().strip()) for writer in writers]
        if directory:
            (paths[0] / "new").mkdir()
            (paths[0] / "new/file").write_text("half of it")
        writers[0].kill()
        writers[0].wait()
        assert all(path.exists() for path in paths)
        write_atomically(tmp_path / "out", lambda file: file.write(b"whole"))
        assert not paths[0].exists()
        assert paths[1].exists()
    finally:
        for writer in writers:
            writer.kill()
            writer.communicate()
    clear_stale(tmp_path)
    assert [each.name for each in tmp_path.iterdir()] == ["out"]


def test_only_what_is_ours_by_name_and_owner_is_cleared(tmp_path: Path) -> None:
    kept = [".snncc-lava.json", ".snncc-0", "snncc-1.tmp", ".other.tmp"]
    for name in kept:
        (tmp_path / name).write_text("mine")
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere/file").write_text("mine")
    (tmp_path / ".snncc-2.tmp").symlink_to(tmp_path / "elsewhere")
    (tmp_path / ".snncc-3.tmp").write_text("left")
    if os.geteuid() == 0:
        (tmp_path / ".snncc-4.tmp").write_text("another user's")
        os.chown(tmp_path / ".snncc-4.tmp", 4321, 4321)
    held = os.open(tmp_path / ".snncc-5.tmp", os.O_CREAT | os.O_RDWR)
    fcntl.flock(held, fcntl.LOCK_EX)
    clear_stale(tmp_path)
    left = {each.name for each in tmp_path.iterdir()}
    assert left >= {*kept, "elsewhere", ".snncc-5.tmp"}
    assert (tmp_path / "elsewhere/file").read_text() == "mine"
    assert ".snncc-3.tmp" not in left
    assert (".snncc-4.tmp" in left) == (os.geteuid() == 0)
    os.close(held)
    clear_stale(tmp_path / "none")  # nothing there, nothing to do


def test_a_failure_leaves_nothing_and_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "out"
    path.write_text("old")

    def fails(_: object) -> None:
        raise OSError(28, "No space left on device")

    with pytest.raises(SnnccError, match="cannot be written"):
        write_atomically(path, fails)
    with pytest.raises(KeyboardInterrupt):
        write_atomically(path, lambda _: exec("raise KeyboardInterrupt"))  # noqa: S102
    assert content(tmp_path) == {"out": b"old"}


def test_links_are_followed_and_stay(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    for name in ("there", "not there yet"):
        link = tmp_path / f"link to {name}"
        link.symlink_to(tmp_path / "real" / name)
        (tmp_path / "real/there").write_text("old")
        write_atomically(link, lambda file: file.write(b"new"))
        assert link.is_symlink()
        assert (tmp_path / "real" / name).read_bytes() == b"new"
    (tmp_path / "into nothing").symlink_to(tmp_path / "none/file")
    with pytest.raises(SnnccError, match="cannot be written"):
        check_writable(tmp_path / "into nothing")
    assert {each.name for each in (tmp_path / "real").iterdir()} == {"there", "not there yet"}


def bundle(name: str) -> dict[str, bytes]:
    """Files with the manifest of an export."""
    import hashlib

    files = {"run.py": name.encode(), "tensors.npz": b"numbers of " + name.encode()}
    shas = {key: hashlib.sha256(data).hexdigest() for key, data in files.items()}
    manifest = {"program": name, "snncc": "0", "files": shas}
    return {**files, "manifest.json": json.dumps(manifest).encode()}


@pytest.mark.parametrize("at_once", [True, False])
def test_a_folder_changes_as_a_whole(
    at_once: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not at_once:
        monkeypatch.setattr(bundle_folder, "_exchanged", lambda *_: False)
    folder = tmp_path / "bundle"
    for name in ("one", "two"):
        place_files(folder, bundle(name))
        assert content(folder) == bundle(name)
        assert [each.name for each in tmp_path.iterdir()] == ["bundle"]


def test_a_folder_that_was_moved_away_comes_back(tmp_path: Path) -> None:
    """Killed between two moves, where the disk cannot swap in one."""
    left = tmp_path / ".snncc-00.tmp"
    (left / OLD).mkdir(parents=True)
    (left / OLD / "file").write_text("of the user")
    (left / TARGET).write_text("bundle")
    clear_stale(tmp_path)
    assert [each.name for each in tmp_path.iterdir()] == ["bundle"]
    assert content(tmp_path / "bundle") == {"file": b"of the user"}
    left.mkdir()
    (left / OLD).mkdir()
    (left / TARGET).write_text("../outside")
    clear_stale(tmp_path)
    assert not (tmp_path.parent / "outside").exists()


def test_what_somebody_puts_into_a_folder_meanwhile_is_not_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "bundle"
    place_files(folder, bundle("one"))
    exchanged = bundle_folder._exchanged

    def late(one: Path, two: Path) -> bool:
        if not (one / "notes.txt").exists() and one.name == "new":
            (two / "notes.txt").write_text("of the user")
        return exchanged(one, two)

    monkeypatch.setattr(bundle_folder, "_exchanged", late)
    with pytest.raises(SnnccError, match="cannot be written"):
        place_files(folder, bundle("two"))
    assert content(folder) == {**bundle("one"), "notes.txt": b"of the user"}


# export --force.


@pytest.fixture
def exported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for seed, name in ((5, "p"), (6, "q")):
        save_program(tmp_path / f"{name}.snncc", Program(random_program(seed), {}))
    assert run(["export", "p.snncc", "--to", "lava", "-o", "bundle"]) == 0
    return tmp_path / "bundle"


def refusal(capsys: pytest.CaptureFixture[str], folder: Path | str, program: str = "q") -> str:
    capsys.readouterr()
    assert run(["export", f"{program}.snncc", "--to", "lava", "-o", str(folder), "--force"]) == 2
    error = capsys.readouterr().err
    assert error.startswith("error[SNN002]"), error
    return error


def test_force_replaces_a_bundle(exported: Path) -> None:
    before = content(exported)
    cache = exported / "__pycache__"
    cache.mkdir()
    (cache / "network.cpython-310.pyc").write_bytes(b"made when it ran")
    assert run(["export", "q.snncc", "--to", "lava", "-o", "bundle", "--force"]) == 0
    assert content(exported) != before
    assert not cache.exists()
    assert json.loads(content(exported)["manifest.json"])["files"]


def test_force_replaces_nothing_else(exported: Path, capsys: pytest.CaptureFixture[str]) -> None:
    whole = content(exported)

    def stays(says: str) -> None:
        before = {f: f.read_bytes() for f in exported.rglob("*") if f.is_file()}
        assert says in refusal(capsys, exported)
        assert {f: f.read_bytes() for f in exported.rglob("*") if f.is_file()} == before

    (exported / "out.npz").write_bytes(b"results")
    stays("it also holds out.npz")
    (exported / "out.npz").unlink()
    (exported / "notes").mkdir()
    (exported / "notes/a.txt").write_text("mine")
    stays("it also holds notes")
    (exported / "notes/a.txt").unlink()
    (exported / "notes").rmdir()
    (exported / "__pycache__").mkdir()
    (exported / "__pycache__/mine.txt").write_text("mine")
    stays("it also holds __pycache__")
    (exported / "__pycache__/mine.txt").unlink()
    (exported / "network.py").write_text("# changed by hand")
    stays("network.py in it changed since the export")
    (exported / "network.py").write_bytes(whole["network.py"])
    (exported / "manifest.json").write_text("{}")
    stays("it has no manifest.json of an export")
    (exported / "manifest.json").unlink()
    stays("it has no manifest.json of an export")


def test_force_spares_the_folders_of_people(
    exported: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Even when they hold a bundle and nothing else."""
    save_program(exported.parent / "p.snncc", Program(random_program(5), {}))
    monkeypatch.setenv("HOME", str(exported))
    assert "home folder" in refusal(capsys, exported)
    monkeypatch.setenv("HOME", str(exported / "inner"))
    assert "home folder" in refusal(capsys, exported)
    monkeypatch.delenv("HOME")
    whole = content(exported)
    monkeypatch.chdir(exported)
    for spelled in (".", str(exported), "../bundle"):
        assert "working folder" in refusal(capsys, spelled, "../q")
    for holder in ("..", "/"):
        assert "is not apart from the input PROGRAM" in refusal(capsys, holder, "../q")
    assert content(exported) == whole


@pytest.mark.skipif(sys.platform != "linux", reason="audit hooks and forks of Linux")
def test_kills_harm_nothing(root: Path) -> None:
    """At every change to the disk, and at some random moments; more of them by hand."""
    script = [sys.executable, "-W", "error", str(root / "benchmarks/kill_commands.py")]
    commands = ["run", "verify", "export", "compile", "c", "map"]
    start = time.monotonic()
    done = subprocess.run(
        [*script, "--kills", "1", "--next-calls", "4", "--commands", *commands],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, (done.stdout, done.stderr, time.monotonic() - start)
    lines = done.stdout.splitlines()
    assert [line.split()[0] for line in lines] == commands
    for line in lines:
        moments, kills, left, harm = map(int, re.findall(r"(?<![\w-])\d+", line))
        assert moments > 3, line
        assert (kills, harm) == (1, 0), line
        assert left > 0, line
