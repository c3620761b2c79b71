"""The units' machine code is kept, found again, and never taken for what it is not."""

import compileall
import json
import os
import shutil
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from shutil import ignore_patterns

import numpy as np
import pytest
from executions import images_of
from programs import lowered

import snncc
from snncc.backends.cpu.dense import timing as kernel_timing
from snncc.backends.cpu.vm import machine_code, shipped_code
from snncc.backends.cpu.vm import runner as unit_runner
from snncc.backends.cpu.vm.machine_code import (
    ARGUMENTS,
    Executable,
    MachineCode,
    code_file,
    load,
    needed_code,
    save,
)
from snncc.backends.cpu.vm.shipped_code import shipped, shipped_text
from snncc.machine.user_cache import cache_folder, keep
from snncc.runtime.simulator import Simulator


@pytest.fixture(scope="module")
def code() -> MachineCode:
    from snncc.backends.cpu.vm.compiler import compile_units

    return shipped() or compile_units()


def test_what_was_kept_is_found(code: MachineCode, tmp_path: Path) -> None:
    path = tmp_path / "new" / "folder" / "x.o"
    assert load(path) is None
    assert save(path, code)
    assert load(path) == code
    assert [each.name for each in path.parent.iterdir()] == ["x.o"]


def test_writers_with_one_number_do_not_meet_and_leave_nothing(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Processes of two containers that share a folder."""
    monkeypatch.setattr(os, "getpid", lambda: 1)
    contents = [bytes([number]) * 300_000 for number in range(8)]
    path = tmp_path / "x.o"
    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(keep, [path] * 8 * 8, contents * 8))
    assert path.read_bytes() in contents
    (tmp_path / "taken" / "folder").mkdir(parents=True)
    assert not keep(tmp_path / "taken", b"code")  # it can be written, not renamed
    assert {each.name for each in tmp_path.iterdir()} == {"x.o", "taken"}


def test_who_has_no_home_keeps_nothing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("SNNCC_CACHE_DIR", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)

    def no_home() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(Path, "home", no_home)
    for system in ("linux", "darwin"):
        monkeypatch.setattr(sys, "platform", system)
        assert cache_folder() is None
    monkeypatch.setattr(sys, "platform", "win32")
    monkeypatch.setenv("LOCALAPPDATA", str(tmp_path))
    assert cache_folder() == tmp_path / "snncc"
    monkeypatch.undo()
    monkeypatch.setattr(Path, "home", no_home)
    for name in ("SNNCC_CACHE_DIR", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    assert code_file() is None
    assert kernel_timing.cache_file() is None
    assert unit_runner._load_executable.__wrapped__()[1].folder is None
    graph = lowered(2)
    times = kernel_timing.KernelTimes(graph, frozenset())
    assert times.known == {}
    times.save()


def test_damaged_code_is_made_anew_and_not_run(code: MachineCode, tmp_path: Path) -> None:
    data = code.to_bytes()
    path = tmp_path / "x.o"
    rng = np.random.default_rng(0)
    places = rng.integers(0, len(data), 300)
    for place in places:
        damaged = bytearray(data)
        damaged[place] ^= 1 << int(rng.integers(8))
        path.write_bytes(damaged)
        assert load(path) is None, place
    for size in (0, 1, 31, 32, 33, len(data) - 1):
        path.write_bytes(data[:size])
        assert load(path) is None, size
    path.write_bytes(data + b"\0")
    assert load(path) is None


def test_code_of_another_compiler_processor_or_source_has_another_name(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    own = needed_code()
    assert needed_code() == own
    with monkeypatch.context() as patch:
        patch.setenv("NUMBA_CPU_NAME", "generic")
        assert needed_code() != own
    with monkeypatch.context() as patch:
        patch.setattr(machine_code, "version", lambda name: f"{name} 0")
        assert needed_code() != own
    with monkeypatch.context() as patch:
        patch.setattr(machine_code.llvm, "get_host_cpu_name", lambda: "another")
        assert needed_code() != own
    names = [*(f"{name}.py" for name in machine_code.SOURCES), *machine_code.MAKERS]
    assert shipped_code.FILE.name in names
    for name in names:
        (tmp_path / name).write_bytes(Path(machine_code.__file__).with_name(name).read_bytes())
    with monkeypatch.context() as patch:
        patch.setattr(machine_code, "__file__", str(tmp_path / "machine_code.py"))
        assert needed_code() == own
        for name in names:
            source = (tmp_path / name).read_bytes()
            (tmp_path / name).write_bytes(source + b"\n")
            assert needed_code() != own, name
            (tmp_path / name).write_bytes(source)
        assert needed_code() == own
        (tmp_path / shipped_code.FILE.name).unlink()
        without = needed_code()
        assert without not in (None, own)
        (tmp_path / shipped_code.FILE.name).write_bytes(b"")
        assert needed_code() == without


def test_the_suite_does_not_run_what_the_user_kept() -> None:
    path = code_file()
    assert path is not None
    assert path.parent == Path(os.environ["SNNCC_CACHE_DIR"])
    assert path.is_relative_to(Path(tempfile.gettempdir()))


def test_byte_code_alone_is_compiled_and_nothing_is_kept(tmp_path: Path) -> None:
    """Without sources nothing tells what the code is of."""
    (tmp_path / "installed").mkdir()
    package = tmp_path / "installed" / "snncc"
    shutil.copytree(Path(snncc.__file__).parent, package, ignore=ignore_patterns("__pycache__"))
    compileall.compile_dir(package, quiet=1, legacy=True)
    for source in package.rglob("*.py"):
        source.unlink()
    environment = os.environ | {"SNNCC_CACHE_DIR": str(tmp_path / "cache")}
    environment |= {"PYTHONPATH": str(package.parent)}
    command = [sys.executable, "-m", "snncc", "warm", "--json"]
    done = subprocess.run(
        command, check=True, capture_output=True, env=environment, cwd=package.parent
    )
    record = json.loads(done.stdout)
    assert (record["machine_code"], record["folder"]) == ("compiled", None)
    assert not (tmp_path / "cache").exists()


def test_every_module_that_numba_compiles_counts() -> None:
    """A kernel moved to another module must not be run from old code."""
    from snncc.backends.cpu.vm import compiler as unit_compiler

    done, waiting = set(), [unit_compiler.run_units.py_func]
    while waiting:
        function = waiting.pop()
        if function in done:
            continue
        done.add(function)
        named = [function.__globals__.get(name) for name in function.__code__.co_names]
        waiting += [each.py_func for each in named if hasattr(each, "py_func")]
    assert len(done) > 20
    modules = {function.__module__.rpartition(".")[2] for function in done}
    assert modules <= set(machine_code.SOURCES)


def test_code_that_fails_says_so() -> None:
    source = """
    define i32 @fails(i8** %result, i8** %error, i64 %a, REST) {
        %narrow = trunc i64 %a to i32
        ret i32 %narrow
    }
    """.replace("REST", ", ".join(["i64"] * (ARGUMENTS - 1)))
    llvm = machine_code.llvm
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    machine = llvm.Target.from_default_triple().create_target_machine()
    run = Executable(MachineCode("fails", machine.emit_object(llvm.parse_assembly(source))))
    run(*[0] * ARGUMENTS)
    with pytest.raises(RuntimeError, match="status 3"):
        run(3, *[0] * (ARGUMENTS - 1))


def test_without_a_folder_that_can_be_written_every_process_makes_it(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    environment = os.environ | {"SNNCC_CACHE_DIR": str(tmp_path / "file" / "cache")}
    command = [sys.executable, "-m", "snncc", "warm"]
    done = subprocess.run([*command, "--json"], check=True, capture_output=True, env=environment)
    record = json.loads(done.stdout)
    assert (record["machine_code"], record["folder"]) == ("shipped", None)
    assert (tmp_path / "file").read_text() == ""


@pytest.mark.parametrize("settings", [{}, {"NUMBA_OPT": "2"}], ids=["shipped", "compiled"])
def test_code_just_made_and_code_found_give_the_same(
    tmp_path: Path, settings: dict[str, str]
) -> None:
    """In one process each: the first compiles if it is told how; only that imports Numba."""
    program = f"""
import sys
sys.path.insert(0, {str(Path(__file__).parents[1] / "helpers")!r})
import numpy as np
from executions import images_of
from programs import lowered
from snncc.execution import ALL
from snncc.backends.cpu.vm.shipped_code import shipped, shipped_text
from snncc.runtime.simulator import Simulator
result = Simulator(lowered(2)).run(images_of(2), ALL)
spikes = sum(int(each.sum()) for each in result.spikes.values())
print("numba" in sys.modules, result.readout.tolist(), spikes)
"""
    environment = os.environ | {"SNNCC_CACHE_DIR": str(tmp_path), **settings}
    command = [sys.executable, "-c", program]
    seen = [
        subprocess.run(command, check=True, capture_output=True, env=environment, text=True).stdout
        for _ in range(2)
    ]
    assert seen[0].startswith(str(bool(settings)))
    assert seen[0].partition(" ")[2] == seen[1].partition(" ")[2]
    readout = Simulator(lowered(2)).run(images_of(2)).readout
    assert seen[1].startswith(f"False {readout.tolist()}")


def test_what_the_package_ships_is_of_these_sources(tmp_path: Path, root: Path) -> None:
    """`make kernels` writes it, with the compiler that the constraints name."""
    text = shipped_text()
    assert text is not None
    made_by = text.splitlines()[2].removeprefix("; ")
    pins = (root / "constraints.txt").read_text().splitlines()
    assert {each.replace(" ", "==") for each in made_by.split(", ")[1:]} <= set(pins)
    if made_by != shipped_code.compiler():
        pytest.skip(f"only {made_by} makes what is shipped")
    assert shipped() is not None
    target = {"NUMBA_CPU_NAME": "generic", "NUMBA_CPU_FEATURES": ""}
    path = tmp_path / "units.ll.gz"
    command = [sys.executable, "-m", "snncc.backends.cpu.vm.compiler", str(path)]
    subprocess.run(command, check=True, env=os.environ | target)
    assert shipped_text(path) == text


def test_what_is_shipped_has_no_words_that_older_llvm_does_not_know() -> None:
    new = """\
declare i64 @llvm.smin.i64(i64, i64) #0
declare void @llvm.lifetime.start.p0(ptr captures(none)) #1
  call void @llvm.lifetime.start.p0(ptr nonnull %a)
attributes #0 = { nocallback nocreateundeforpoison nofree memory(none) }
attributes #1 = { nounwind memory(read, argmem: readwrite, target_mem0: none, target_mem1: none) }
"""
    old = """\
declare i64 @llvm.smin.i64(i64, i64) #0
attributes #0 = { nocallback nofree memory(none) }
attributes #1 = { nounwind memory(read, argmem: readwrite) }
"""
    assert shipped_code.text_of("f", new).endswith(f"; symbol f\n{old}")
    text = shipped_text()
    assert text is not None
    assert shipped_code.NEWER.search(text) is None


def test_what_is_not_of_these_sources_or_this_machine_is_not_used(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    path, text = tmp_path / "x.ll.gz", shipped_text()
    assert text is not None
    assert shipped(path) is None  # there is none
    triple = machine_code.llvm.get_process_triple()
    for damaged in (
        text.replace(machine_code.sources(), "0" * 64),
        text.replace(f'triple = "{triple}"', 'triple = "aarch64-apple-darwin"'),
        text.replace("define ", "defines ", 1),  # as LLVM would find what it does not know yet
        text[: len(text) // 2],
        "",
    ):
        assert damaged != text
        shipped_code.write(path, damaged)
        assert shipped(path) is None
    path.write_bytes(shipped_code.FILE.read_bytes()[:-100])
    assert shipped(path) is None
    shipped_code.write(path, text)
    assert shipped(path) == shipped()
    monkeypatch.setenv("NUMBA_OPT", "3")
    assert shipped(path) is None  # the user tells Numba how to compile
