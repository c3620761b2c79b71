"""Kept machine code is used only where nobody else can have put it."""

import hashlib
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from executions import images_of
from programs import lowered

from snncc.artifact import Program, save_program
from snncc.backends.cpu.dense.timing import KernelTimes, cache_file, machine
from snncc.backends.cpu.vm import machine_code
from snncc.backends.cpu.vm import runner as unit_runner
from snncc.backends.cpu.vm.machine_code import (
    ARGUMENTS,
    Executable,
    MachineCode,
    code_file,
    load,
    save,
)
from snncc.backends.cpu.vm.object_symbols import why_unusable
from snncc.backends.cpu.vm.shipped_code import shipped
from snncc.diagnostics.notices import Notice
from snncc.machine.trust import distrust, read_trusted, why_not
from snncc.machine.user_cache import keep
from snncc.runtime.simulator import Simulator

OTHER = 4321
"""A user that nobody is."""
root_only = pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root gives files away"
)


def planted(symbol: str, body: str = "ret i32 77") -> MachineCode:
    """Code with the right form and checksum that does something else."""
    arguments = ", ".join(["i8**", "i8**", *["i64"] * ARGUMENTS])
    llvm = machine_code.llvm
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    machine_ = llvm.Target.from_default_triple().create_target_machine()
    text = f"declare i32 @nobody_has_this()\ndefine i32 @{symbol}({arguments}) {{\n {body}\n}}"
    return MachineCode(symbol, machine_.emit_object(llvm.parse_assembly(text)))


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder of kept code, and processes' first use of it."""
    folder = tmp_path / "cache"
    monkeypatch.setenv("SNNCC_CACHE_DIR", str(folder))
    unit_runner._load_executable.cache_clear()
    yield folder
    unit_runner._load_executable.cache_clear()


def kept_file() -> Path:
    path = code_file()
    assert path is not None
    return path


def test_a_new_folder_is_the_user_s_alone(cache: Path) -> None:
    before = os.umask(0o002)
    try:
        assert keep(cache / "file", b"content")
    finally:
        os.umask(before)
    assert cache.stat().st_mode & 0o777 == 0o700
    assert (cache / "file").stat().st_mode & 0o777 == 0o644
    assert read_trusted(cache / "file") == b"content"
    assert why_not([cache, cache / "file", cache / "none"]) == ""


def opened_to(mode: int) -> Callable[[Path], None]:
    return lambda path: path.chmod(path.stat().st_mode | mode)


def given_away(path: Path) -> None:
    os.chown(path, OTHER, OTHER)


WAYS = [
    pytest.param(opened_to(0o020), "its group may write it", id="group"),
    pytest.param(opened_to(0o002), "everybody may write it", id="everybody"),
    pytest.param(given_away, f"it belongs to user {OTHER}", id="owner", marks=root_only),
]


@pytest.mark.parametrize("what", ["folder", "file"])
@pytest.mark.parametrize(("change", "reason"), WAYS)
def test_planted_code_does_not_run(
    what: str, change: Callable[[Path], None], reason: str, cache: Path
) -> None:
    """It would end every call with status 77."""
    code = shipped()
    assert code is not None
    path = kept_file()
    assert save(path, planted(code.symbol))
    change(path if what == "file" else cache)
    assert load(path) is None
    graph = lowered(2)
    with pytest.warns(Notice, match=rf"kept machine code is not used: .*: {reason} \(chmod go-w"):
        readout = Simulator(graph).run(images_of(2)).readout
    assert readout.any()
    found = unit_runner.compile_ahead()
    assert (found.folder, found.origin) == (None, "shipped")
    assert reason in found.refused
    assert path.read_bytes() == planted(code.symbol).to_bytes()  # left as it is


def test_the_planted_code_would_have_run(cache: Path) -> None:
    """What the tests above hold is not that such code is harmless."""
    code = shipped()
    assert code is not None
    assert save(kept_file(), planted(code.symbol))
    with pytest.raises(RuntimeError, match="status 77"):
        Simulator(lowered(2)).run(images_of(2))


@pytest.mark.parametrize("way", ["symlink", "folder", "pipe"])
def test_only_a_file_itself_is_read(way: str, cache: Path) -> None:
    cache.mkdir(mode=0o700)
    path = cache / "file"
    (cache / "real").write_bytes(b"content")
    {
        "symlink": lambda: path.symlink_to(cache / "real"),
        "folder": path.mkdir,
        "pipe": lambda: os.mkfifo(path),
    }[way]()
    assert read_trusted(path) is None
    assert read_trusted(cache / "real") == b"content"
    assert read_trusted(cache / "none") is None
    assert read_trusted(cache / "none/file") is None


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        (planted("another"), "it has no function wanted"),
        (planted("wanted", "%r = call i32 @nobody_has_this() ret i32 %r"), "nobody_has_this"),
        (MachineCode("wanted", b"\x7fELF" + b"\xff" * 200), "its table of symbols"),
        (MachineCode("wanted", b"\x7fELF"), "its table of symbols"),
        (MachineCode("wanted", b"no object file"), "it is no object file"),
    ],
    ids=["no symbol", "needs what is nowhere", "torn", "cut off", "nothing"],
)
def test_code_without_its_symbols_is_made_anew(code: MachineCode, reason: str, cache: Path) -> None:
    """With the right checksum; calling it would end the process."""
    wrong = MachineCode("wanted", code.code)
    assert reason in why_unusable(wrong.code, "wanted")
    if reason:
        with pytest.raises(ValueError, match="it"):
            Executable(wrong)
    path = kept_file()
    assert save(path, wrong)
    assert load(path) == wrong
    assert Simulator(lowered(2)).run(images_of(2)).readout.any()
    assert unit_runner.compile_ahead().origin == "shipped"
    assert load(path) == shipped(), "and kept in place of the wrong one"


def test_good_code_has_what_it_needs(cache: Path) -> None:
    code = shipped()
    assert code is not None
    assert why_unusable(code.code, code.symbol) == ""
    assert unit_runner.compile_ahead().origin == "shipped"
    unit_runner._load_executable.cache_clear()
    assert unit_runner.compile_ahead().origin == "kept"


def test_times_that_others_may_write_are_not_read(cache: Path) -> None:
    path = cache_file()
    assert path is not None
    assert keep(path, f'{{"{machine()}": {{"x": [0, 0, 0]}}}}'.encode())
    assert set(KernelTimes(lowered(2), frozenset()).known) == {"x"}
    path.chmod(0o666)
    assert KernelTimes(lowered(2), frozenset()).known == {}


@root_only
def test_the_command_says_whose_the_cache_is(cache: Path, tmp_path: Path, root: Path) -> None:
    """A note on stderr, no traceback, and the right answer."""
    save_program(tmp_path / "p.snncc", Program(lowered(2), {}))
    np.save(tmp_path / "x.npy", images_of(2))
    expected = Simulator(lowered(2)).run(images_of(2)).logits
    kept = sorted(cache.iterdir())
    cache.chmod(0o777)
    command = [sys.executable, "-m", "snncc", "run", "p.snncc", "x.npy", "-o", "o.npz"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stderr.startswith(f"note: kept machine code is not used: {cache}: everybody may")
    assert done.stderr.count("\n") == 1
    assert sorted(cache.iterdir()) == kept
    with np.load(tmp_path / "o.npz") as file:
        assert np.array_equal(file["logits"], expected)


def test_nobody_distrusts_the_superuser(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "file"
    path.write_text("x")
    path.chmod(0o644)
    status = path.stat()
    monkeypatch.setattr(os, "geteuid", lambda: status.st_uid + 1)
    assert bool(distrust(status)) is (status.st_uid != 0)
    monkeypatch.setattr(sys, "platform", "win32")
    assert distrust(status) == ""


def test_the_checksum_is_no_signature(cache: Path) -> None:
    """Whoever may write the file can give it a right one: that is why owners and modes count."""
    made = planted("f").to_bytes()
    assert hashlib.sha256(made[32:]).digest() == made[:32]
