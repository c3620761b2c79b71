"""Finding and making Lava environments, and `snncc doctor`; interpreters are asked for real."""

import fcntl
import json
import os
import shutil
import signal
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from lava_environment import REQUIRED
from left_behind import wait_until

from snncc.backends.lava_nc import environment
from snncc.backends.lava_nc.environment import (
    COMPLETE,
    VARIABLE,
    LavaEnvironment,
    find_lava,
    find_python,
    own_folder,
    read_state,
)
from snncc.backends.lava_nc.making import make_lava
from snncc.cli.main import run
from snncc.diagnostics import SnnccError

GOOD = {"version": [3, 10, 13], "lava": "0.10.0", "numpy": "1.26.4", "imported": True}


@pytest.fixture
def bare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home without any Python 3.10."""
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    for name in ("PYENV_ROOT", "XDG_DATA_HOME", VARIABLE):
        monkeypatch.delenv(name, raising=False)
    for name in ("home", "bin"):
        (tmp_path / name).mkdir()
    return tmp_path


def script(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return path


def answering(path: Path, **changes: object) -> Path:
    """An interpreter that answers as one with Lava does."""
    return script(path, f"echo '{json.dumps(GOOD | changes)}'")


def reason(python: Path) -> str:
    search = find_lava(python)
    assert search.found is None
    (refused,) = search.refused
    assert str(refused.place).startswith(str(python)) or python.is_dir()
    return refused.reason


def test_every_interpreter_without_lava_is_refused_with_a_reason(
    bare: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    version = ".".join(map(str, sys.version_info[:3]))
    assert reason(Path(sys.executable)) == f"it is Python {version}; Lava needs 3.10"
    assert reason(bare / "none").startswith("it cannot be run: No such file")
    assert reason(script(bare / "a", "true")) == "it is no Python"
    assert reason(script(bare / "b", "echo '?'")) == "it is no Python"
    shim = script(bare / "c", "echo 'pyenv: command not found' >&2; exit 127")
    assert reason(shim) == "it fails with exit status 127: pyenv: command not found"
    assert reason(answering(bare / "d", lava=None, imported=False)) == "it has no lava-nc"
    assert reason(answering(bare / "e", lava="0.9.0")) == "it has lava-nc 0.9.0, not 0.10.0"
    broken = answering(bare / "f", imported=False, reason="ImportError: no libm")
    assert reason(broken) == "lava-nc 0.10.0 fails: ImportError: no libm"
    monkeypatch.setattr(environment, "CHECK_SECONDS", 0.3)
    slow = script(bare / "g", "exec /bin/sleep 20")
    assert reason(slow) == "it does not answer within 0.3 s"


def test_the_question_is_answered_by_a_real_python(lava: LavaEnvironment) -> None:
    assert lava.lava == "0.10.0"
    assert lava.version.startswith("3.10.")
    assert int(lava.numpy.split(".")[0]) == 1


def test_places_are_looked_at_in_order(bare: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def found() -> Path:
        search = find_lava()
        assert search.found is not None
        return search.found.python

    assert find_lava().found is None
    old = answering(bare / "home/.pyenv/versions/3.10.9/bin/python")
    assert found() == old
    new = answering(bare / "home/.pyenv/versions/3.10.13/bin/python")
    assert found() == new
    other = answering(bare / "pyenv/versions/3.10.2/bin/python")
    monkeypatch.setenv("PYENV_ROOT", str(bare / "pyenv"))
    assert found() == other
    on_path = answering(bare / "bin/python3.10")
    assert found() == on_path
    own = answering(own_folder() / "bin/python")
    assert own == bare / "home/.local/share/snncc/lava/bin/python"
    assert found() == own
    monkeypatch.setenv("XDG_DATA_HOME", str(bare / "data"))
    assert found() == on_path
    own = answering(bare / "data/snncc/lava/bin/python")
    assert found() == own
    (own.parent.parent / environment.STATE_FILE).write_text('{"state": "making"}')
    assert found() == on_path, "a half-made environment is passed over"
    assert find_lava().refused[0].reason.startswith("half made")
    named = answering(bare / "venv/bin/python")
    monkeypatch.setenv(VARIABLE, str(bare / "venv"))
    assert found() == named
    monkeypatch.setenv(VARIABLE, str(bare / "nowhere"))
    assert find_lava().found is None, "what the user names is not replaced by something else"
    search = find_lava(own_folder())
    assert search.refused[0].source == "--lava-python"


def test_without_python_3_10_doctor_says_what_to_do(
    bare: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["doctor"]) == 0
    text = capsys.readouterr().out
    assert "Lava          not found" in text
    assert f"kernel cache  {os.environ['SNNCC_CACHE_DIR']}\n" in text
    assert "Python 3.10   not found" in text
    assert "install it (python3.10 on the PATH, or pyenv)" in text
    assert "snncc doctor --make-lava" in text
    assert run(["doctor", "--make-lava"]) == 5
    assert not own_folder().exists()
    text = capsys.readouterr().err
    assert "error[SNN052]" in text
    assert "there is no Python 3.10 on this machine" in text
    with pytest.raises(SnnccError, match="no Lava environment") as error:
        environment.require_lava()
    assert error.value.exit_code == 5
    assert error.value.findings[0].help.startswith("install Python 3.10")
    answers = f"echo '{json.dumps({'version': [3, 10, 13], 'lava': None})}'"
    script(
        bare / "bin/python3.10", f'case "$*" in *ensurepip*) echo "[3, 10]";; *) {answers};; esac'
    )
    with pytest.raises(SnnccError, match="no Lava environment") as error:
        environment.require_lava()
    assert error.value.findings[0].help.startswith("`snncc doctor --make-lava` makes one")


def test_doctor_in_json(
    bare: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["doctor", "--json"]) == 0
    record = json.loads(capsys.readouterr().out)
    assert record["schema"] == 1
    assert record["python"]["path"] == sys.executable
    assert record["packages"]["numpy"].split(".")[0].isdecimal()
    assert record["threads"] >= 1
    assert record["unit_cache"] == os.environ["SNNCC_CACHE_DIR"]
    assert record["python310"] is None
    assert record["lava"]["found"] is False
    assert record["lava"]["refused"][0]["reason"] == "it does not exist"
    monkeypatch.setenv(VARIABLE, str(answering(bare / "python")))
    assert run(["doctor", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)["lava"]
    assert found["found"] is True
    assert found["source"] == VARIABLE
    assert found["lava-nc"] == "0.10.0"


def wheel(folder: Path, name: str, version: str, files: dict[str, str]) -> None:
    """A package small enough to make environments with."""
    info = f"{name}-{version}.dist-info"
    files = files | {
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\n"
        "Tag: py3-none-any\n",
    }
    record = "".join(f"{path},,\n" for path in [*files, f"{info}/RECORD"])
    with zipfile.ZipFile(folder / f"{name}-{version}-py3-none-any.whl", "w") as archive:
        for path, text in [*files.items(), (f"{info}/RECORD", record)]:
            archive.writestr(path, text)


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A package index with a lava-nc of one empty module; Python 3.10, venv and pip are real."""
    if find_python() is None:
        if os.environ.get(REQUIRED):
            pytest.fail("no Python 3.10 on this machine")
        pytest.skip("no Python 3.10 on this machine")
    packages = tmp_path / "packages"
    packages.mkdir()
    modules = dict.fromkeys(
        [f"lava/magma/core/process/{n}.py" for n in ("__init__", "process")], ""
    )
    wheel(packages, "lava_nc", "0.10.0", modules | {"numpy.py": '__version__ = "1.26.4"\n'})
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(packages))
    for name in ("PIP_EXTRA_INDEX_URL", "PIP_INDEX_URL"):
        monkeypatch.delenv(name, raising=False)
    return packages


def test_an_environment_is_made_once_and_repaired_when_broken(index: Path, tmp_path: Path) -> None:
    said: list[str] = []
    target = tmp_path / "new/lava"
    made = make_lava(target, said.append)
    assert made.python == target / "bin/python"
    assert (made.lava, made.numpy) == ("0.10.0", "1.26.4")
    assert find_lava(target).found is not None
    assert any("Successfully installed lava-nc-0.10.0" in line for line in said)
    said.clear()
    assert make_lava(target, said.append) == made
    assert said == [f"{target} is there already and works"]
    (site,) = target.glob("lib/python3.10/site-packages")
    shutil.rmtree(site / "lava")
    (target / "lib/rubbish").write_text("")
    assert find_lava(target).refused[0].reason.startswith("lava-nc 0.10.0 fails: ModuleNotFound")
    (target / "thesis.txt").write_text("mine")
    with pytest.raises(SnnccError, match=r"lava holds something else: thesis.txt") as error:
        make_lava(target, said.append)
    assert error.value.code == "SNN052"
    (target / "thesis.txt").rename(tmp_path / "thesis.txt")
    assert make_lava(target, said.append) == made
    assert not (target / "lib/rubbish").exists()


def test_an_installation_that_fails_is_not_taken_for_a_whole_one(
    index: Path, tmp_path: Path
) -> None:
    (package,) = index.iterdir()
    away = package.rename(tmp_path / package.name)
    target = tmp_path / "lava"
    with pytest.raises(SnnccError, match="a step fails with exit status 1") as error:
        make_lava(target, print)
    assert error.value.code == "SNN052"
    assert error.value.exit_code == 5
    assert "No matching distribution found for lava-nc==0.10.0" in str(error.value)
    assert find_lava(target).refused[0].reason.startswith("half made")
    away.rename(package)
    assert make_lava(target, print).lava == "0.10.0"
    wheel(index, "lava_nc", "0.10.0", {"lava/__init__.py": ""})
    shutil.rmtree(target)
    with pytest.raises(SnnccError, match="what was installed does not work"):
        make_lava(target, print)
    assert find_lava(target).refused[0].reason.startswith("half made")


def test_a_killed_making_is_made_again(index: Path, tmp_path: Path) -> None:
    target = tmp_path / "lava"
    command = [sys.executable, "-m", "snncc", "doctor", "--make-lava", str(target)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as maker:
        wait_until((target / "pyvenv.cfg").exists, "the environment is being made")
        maker.send_signal(signal.SIGKILL)
    assert maker.returncode == -signal.SIGKILL
    assert find_lava(target).refused[0].reason.startswith("half made")

    def again() -> bool:  # what the killed one had started holds the lock until it ends
        return subprocess.run(command, capture_output=True, check=False).returncode == 0

    wait_until(again, "it is made again")
    assert find_lava(target).found is not None
    state = read_state(target)
    assert state is not None
    assert state["state"] == COMPLETE


def test_no_folder_of_the_user_is_touched(index: Path, tmp_path: Path) -> None:
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "thesis.tex").write_text("x")
    with pytest.raises(SnnccError, match="holds something else"):
        make_lava(mine, print)
    assert [path.name for path in mine.iterdir()] == ["thesis.tex"]
    with pytest.raises(SnnccError, match="cannot be made: Not a directory"):
        make_lava(mine / "thesis.tex/lava", print)


def test_two_makers_do_not_meet(index: Path, tmp_path: Path) -> None:
    target = tmp_path / "lava"
    target.mkdir()
    lock = os.open(target, os.O_RDONLY)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(SnnccError, match="another process is making"):
            make_lava(target, print)
    finally:
        os.close(lock)
    assert list(target.iterdir()) == []
