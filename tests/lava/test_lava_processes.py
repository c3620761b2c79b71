"""Real Lava under `snncc run --on lava`: killed, hung, twice at once; nothing is left behind."""

import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
from executions import images_of
from left_behind import MARK, check_nothing_left, marked, wait_until
from programs import lowered

from snncc.artifact import Program, save_program
from snncc.backends.lava_nc import write_bundle
from snncc.backends.lava_nc.environment import LavaEnvironment
from snncc.backends.lava_nc.running.child_process import guarded_folder
from snncc.backends.lava_nc.running.executor import lava_executor
from snncc.backends.lava_nc.running.process_guard import segments
from snncc.diagnostics import SnnccError

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
SEED = 7
MANY = 4000
"""Images that keep Lava busy for long enough to be killed in the middle."""


@dataclass
class Run:
    """`snncc run --on lava` in a process of its own."""

    token: str
    snncc: subprocess.Popen[str]
    seen: set[Path] = field(default_factory=set)

    def in_the_middle(self) -> list[int]:
        """Waits until Lava's processes share memory and have taken steps; gives their ids."""
        wait_until(lambda: bool(segments(marked(self.token))), "Lava's processes share memory")
        wait_until(lambda: len(self.own()) > 3, "the main process, the memory manager, Lava's own")
        number = 0
        while number != len(self.own()):  # they are still forked
            number = len(self.own())
            time.sleep(1.0)
        assert self.snncc.poll() is None, self.snncc.communicate()
        own = self.own()
        self.seen |= segments(own) | {Path(os.readlink(f"/proc/{own[0]}/cwd"))}
        return own

    def own(self) -> list[int]:
        """Processes of the bundle, without snncc and its guard."""
        return [pid for pid in marked(self.token) if b"run.py" in arguments(pid)]

    def end(self) -> tuple[int, str]:
        said = self.snncc.communicate(timeout=60)
        return self.snncc.returncode, said[0] + said[1]

    def check_nothing_left(self) -> None:
        assert len(self.seen) > 1
        check_nothing_left(self.token, *self.seen)


def arguments(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


def parent(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path, images = tmp_path_factory.mktemp("lava"), images_of(SEED)
    save_program(path / "p.snncc", Program(lowered(SEED), {}))
    np.save(path / "few.npy", images)
    np.save(path / "many.npy", np.resize(images, (MANY, *images.shape[1:])))
    return path


@pytest.fixture
def start(folder: Path, lava: LavaEnvironment, request: pytest.FixtureRequest) -> Iterator:
    runs: list[Run] = []

    def run(data: str, *options: str) -> Run:
        token = f"{os.getpid()}-{request.node.name}-{len(runs)}"
        command = [sys.executable, "-m", "snncc", "run", str(folder / "p.snncc")]
        command += [str(folder / data), "--on", "lava", "--lava-python", str(lava.python)]
        snncc = subprocess.Popen(
            [*command, "--json", *options],
            env={**os.environ, MARK: token},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        runs.append(Run(token, snncc))
        return runs[-1]

    yield run
    for each in runs:
        each.snncc.kill()
        each.snncc.communicate()
        check_nothing_left(each.token)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_snncc_is_killed_in_mid_run(start, number: signal.Signals) -> None:
    run = start("many.npy")
    run.in_the_middle()
    run.snncc.send_signal(number)
    code, _ = run.end()
    assert code == {signal.SIGINT: 130, signal.SIGTERM: 143}.get(number, -number)
    run.check_nothing_left()


def test_lava_is_killed_in_mid_run(start) -> None:
    run = start("many.npy")
    own = run.in_the_middle()
    (main,) = (pid for pid in own if parent(pid) not in own)
    os.kill(main, signal.SIGKILL)
    code, said = run.end()
    assert code == 6
    assert "killed by SIGKILL" in said
    assert json.loads(said.splitlines()[0])["errors"][0]["code"] == "SNN053"
    run.check_nothing_left()


def test_one_of_its_processes_is_killed_in_mid_run(start) -> None:
    """Lava would wait for its message for ever."""
    run = start("many.npy")
    own = run.in_the_middle()
    os.kill(max(pid for pid in own if parent(pid) in own), signal.SIGKILL)
    begin = time.monotonic()
    code, said = run.end()
    assert code == 6
    assert "was killed by signal 9 in the middle of the run" in said
    assert time.monotonic() - begin < 30.0, "not when a time-out is reached"
    run.check_nothing_left()


def test_an_exception_in_a_process_model_is_shown(lava: LavaEnvironment) -> None:
    """Lava would keep it to itself and wait for ever."""
    graph = lowered(SEED)
    with guarded_folder() as folder:
        bundle = folder.path / "bundle"
        write_bundle(Program(graph, {}), bundle)
        text = (bundle / "neurons.py").read_text()
        start = text.index("    def run_spk", text.index("class PyPopulationModel"))
        body = text.index("\n", start) + 1
        planted = "        if self.time_step == 9:\n            raise ValueError('planted')\n"
        (bundle / "neurons.py").write_text(text[:body] + planted + text[body:])
        manifest = json.loads((bundle / "manifest.json").read_text())
        sha = hashlib.sha256((bundle / "neurons.py").read_bytes()).hexdigest()
        manifest["files"]["neurons.py"] = sha
        (bundle / "manifest.json").write_text(json.dumps(manifest))
        execute = lava_executor(graph, bundle, lava, folder, 60.0)
        with pytest.raises(SnnccError, match="exit status 1") as error:
            execute(images_of(SEED), ())
        assert "ValueError: planted" in str(error.value)
        assert "PyPopulationModel" in str(error.value) or "run_spk" in str(error.value)
        (bundle / "neurons.py").write_text(text)
        with pytest.raises(SnnccError, match="exit status 3") as error:
            execute(images_of(SEED), ())
        assert "not as exported: ['neurons.py']" in str(error.value)


def test_lava_hangs(start) -> None:
    run = start("many.npy", "--timeout", "12")
    for pid in run.in_the_middle():
        os.kill(pid, signal.SIGSTOP)
    begin = time.monotonic()
    code, said = run.end()
    assert code == 6
    assert "did not end within 12 s" in said
    assert time.monotonic() - begin < 40
    run.check_nothing_left()


def test_snncc_and_its_guard_are_killed_in_one_moment(start) -> None:
    """Nobody is left to clean up: processes and shared memory still go."""
    run = start("many.npy")
    run.in_the_middle()
    (guard,) = (pid for pid in marked(run.token) if b"process_guard" in arguments(pid))
    run.snncc.send_signal(signal.SIGSTOP)
    os.kill(guard, signal.SIGKILL)
    run.snncc.kill()
    run.end()
    (folder,) = (path for path in run.seen if path.is_dir())
    run.seen.remove(folder)
    wait_until(lambda: not marked(run.token), "Lava ended")
    shutil.rmtree(folder)
    run.check_nothing_left()


def test_two_runs_at_once_do_not_meet(start) -> None:
    """One is killed while the other runs; then two run to their ends."""
    one, two, three = start("many.npy"), start("few.npy"), start("few.npy")
    one.in_the_middle()
    one.snncc.kill()
    one.end()
    for run in (two, three):
        code, said = run.end()
        assert code == 0, said
        record = json.loads(said)["lava"]
        assert [record[key] for key in ("spikes", "membranes", "answers")] == [0, 0, 0]
        assert record["compared"] > 0
        check_nothing_left(run.token)
    one.check_nothing_left()
