"""A bundle's own run.py: what a killed run leaves is cleared by the next, and nothing else is."""

import fcntl
import importlib.util
import os
import signal
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest


@pytest.fixture
def bundle(root: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(
        "bundle_run", root / "backends/lava_nc/bundle/run.py"
    )
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


KILLED = """
import importlib.util, os, signal, sys
from pathlib import Path
spec = importlib.util.spec_from_file_location("bundle_run", sys.argv[1])
run = importlib.util.module_from_spec(spec)
spec.loader.exec_module(run)
run.np.savez = lambda *_, **__: os.kill(os.getpid(), signal.SIGKILL)
run.write(Path(sys.argv[2]), {"a": run.np.zeros(3)})
"""


def test_what_a_killed_run_left_is_cleared(bundle: ModuleType, tmp_path: Path) -> None:
    call = [sys.executable, "-c", KILLED, str(bundle.__file__), str(tmp_path / "o.npz")]
    assert subprocess.run(call, check=False).returncode == -signal.SIGKILL
    (left,) = tmp_path.iterdir()
    assert left.name.startswith(".lava-")
    bundle.write(tmp_path / "o.npz", {"a": np.arange(3)})
    assert [path.name for path in tmp_path.iterdir()] == ["o.npz"]
    assert (np.load(tmp_path / "o.npz")["a"] == np.arange(3)).all()


def test_what_is_being_written_and_what_is_none_of_ours_stays(
    bundle: ModuleType, tmp_path: Path
) -> None:
    held = tmp_path / ".lava-held.tmp"
    held.write_bytes(b"half")
    elsewhere = tmp_path / "elsewhere"
    elsewhere.write_bytes(b"whole")
    (tmp_path / ".lava-link.tmp").symlink_to(elsewhere)
    (tmp_path / ".lava-folder.tmp").mkdir()
    handle = os.open(held, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        bundle.write(tmp_path / "o.npz", {"a": np.arange(3)})
        assert held.read_bytes() == b"half"
    finally:
        os.close(handle)
    assert elsewhere.read_bytes() == b"whole"
    assert (tmp_path / ".lava-folder.tmp").is_dir()
    bundle.write(tmp_path / "o.npz", {"a": np.arange(3)})
    assert not held.exists()


def test_a_file_that_is_being_written_is_locked(
    bundle: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[int] = []

    def save(_file: object, **_arrays: object) -> None:
        bundle.clear_stale(tmp_path)
        seen.append(len([*tmp_path.glob(".lava-*.tmp")]))
        raise ValueError("stop")

    monkeypatch.setattr(bundle.np, "savez", save)
    with pytest.raises(ValueError, match="stop"):
        bundle.write(tmp_path / "o.npz", {"a": np.arange(3)})
    assert seen == [1]
    assert [*tmp_path.iterdir()] == []
