"""Child processes end with their owner, however it ends; real processes, nothing mocked."""

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from multiprocessing import shared_memory
from pathlib import Path

import pytest
from left_behind import MARK, check_nothing_left, marked, wait_until

from snncc.backends.lava_nc.running import process_guard
from snncc.backends.lava_nc.running.child_process import LONGEST_ROOT, Limits, guarded_folder
from snncc.diagnostics import SnnccError

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
LONG = Limits(60.0, 60.0)

# Does with processes what Lava does: a memory manager in a process of its own, segments that forked
# workers have mapped, a resource tracker. Hard to end: SIGTERM is ignored.
STAND_IN = """
import json, multiprocessing, os, signal, sys, time
from multiprocessing.managers import SharedMemoryManager

def work():
    while True:
        time.sleep(1)

facts, mode = sys.argv[1:]
if mode != "crash":  # there, multiprocessing ends its daemons with SIGTERM
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
multiprocessing.set_start_method("fork")
manager = SharedMemoryManager()
manager.start()
segments = [manager.SharedMemory(4096) for _ in range(3)]
stuck = mode == "stuck"  # multiprocessing joins at exit whatever is no daemon
workers = [multiprocessing.Process(target=work, daemon=not stuck) for _ in range(2)]
for worker in workers:
    worker.start()
if mode == "untracked":
    from multiprocessing import resource_tracker
    os.kill(resource_tracker._resource_tracker._pid, signal.SIGKILL)
with open(facts + ".new", "w") as file:
    json.dump({"segments": [s.name for s in segments], "temporary": os.environ["TMPDIR"],
               "folder": os.getcwd(), "pid": os.getpid()}, file)
os.rename(facts + ".new", facts)
done = 0
while True:
    time.sleep(0.05)
    done += mode == "busy"
    print(json.dumps({"done": done, "of": 1000}), flush=True)
    if mode in ("crash", "stuck"):
        raise ValueError("the network is broken")
    if mode == "vanish":
        os._exit(0)
    if mode == "finish" or os.path.exists(facts + ".finish"):
        for worker in workers:
            worker.kill()
            worker.join()
        manager.shutdown()
        break
"""

OWNER = """
import sys
from snncc.backends.lava_nc.running.child_process import Limits, guarded_folder
with guarded_folder() as folder:
    folder.run(sys.argv[1:], Limits(60, 60))
"""


@dataclass
class Run:
    """A run of the stand-in.

    Attributes:
        token: marks its processes.
        facts: the file in which it says what it made.
        script: its source.
    """

    token: str
    facts: Path
    script: Path

    def command(self, mode: str) -> list[str]:
        return [sys.executable, str(self.script), str(self.facts), mode]

    def made(self) -> list[Path]:
        """Segments and folders, once they are there; checked to exist."""
        wait_until(self.facts.exists, "the stand-in started")
        said = json.loads(self.facts.read_text())
        segments = [process_guard.SHARED_MEMORY / name for name in said["segments"]]
        return [*segments, Path(said["temporary"]), Path(said["folder"])]

    def owner(self, mode: str) -> subprocess.Popen[bytes]:
        """A process like snncc that runs it."""
        return subprocess.Popen(
            [sys.executable, "-c", OWNER, *self.command(mode)],
            env={**os.environ, MARK: self.token},
            stderr=subprocess.PIPE,
        )


@pytest.fixture
def new_run(tmp_path: Path, request: pytest.FixtureRequest):
    script = tmp_path / "stand_in.py"
    script.write_text(STAND_IN)
    count = 0

    def make() -> Run:
        nonlocal count
        count += 1
        token = f"{os.getpid()}-{request.node.name}-{count}"
        return Run(token, tmp_path / f"facts{count}", script)

    return make


def run_here(run: Run, mode: str, limits: Limits = LONG, progress: list | None = None) -> None:
    with guarded_folder() as folder:
        folder.run(
            run.command(mode),
            limits,
            lambda done, of: None if progress is None else progress.append((done, of)),
            {MARK: run.token},
        )


def test_a_run_that_succeeds_leaves_nothing(new_run) -> None:
    run, progress = new_run(), []
    with guarded_folder() as folder:
        (folder.path / "given").write_text("x")
        folder.run(run.command("finish"), LONG, environment={MARK: run.token})
        made = run.made()
        assert made[-1] == folder.path
        assert made[-2].parent == folder.path
        assert not marked(run.token), "all ended before the folder is left"
        script = 'print(\'{"done": 1, "of": 2}\\nnoise\\n[]\\n{"done": 2, "of": 2}\')'
        folder.run([sys.executable, "-c", script], LONG, lambda *p: progress.append(p))
    assert progress == [(1, 2), (2, 2)]
    check_nothing_left(run.token, *made)


def test_a_crash_shows_its_traceback_and_leaves_nothing(new_run) -> None:
    run = new_run()
    with pytest.raises(SnnccError, match="exit status 1") as error:
        run_here(run, "crash")
    assert error.value.code == "SNN053"
    assert error.value.exit_code == 6
    assert "ValueError: the network is broken" in str(error.value)
    check_nothing_left(run.token, *run.made())


def test_a_crash_that_cannot_exit_is_ended_in_time_and_shows_its_traceback(new_run) -> None:
    run = new_run()
    with pytest.raises(SnnccError, match="no progress for") as error:
        run_here(run, "stuck", Limits(60.0, 1.5))
    assert "ValueError: the network is broken" in str(error.value)
    check_nothing_left(run.token, *run.made())


def test_workers_whose_main_process_vanished_are_ended(new_run) -> None:
    run = new_run()
    run_here(run, "vanish")
    check_nothing_left(run.token, *run.made())


@pytest.mark.parametrize(
    ("mode", "limits", "message"),
    [
        ("hang", Limits(60.0, 1.0), "made no progress for 1 s"),
        ("hang", Limits(1.0, 60.0), "did not end within 1 s"),
        ("busy", Limits(4.0, 3.5), "did not end within 4 s"),
    ],
)
def test_a_hung_process_is_ended_in_time(new_run, mode: str, limits: Limits, message: str) -> None:
    """`hang` repeats one line of progress, which is none; `busy` moves on and takes too long."""
    run, start = new_run(), time.monotonic()
    with pytest.raises(SnnccError, match=message) as error:
        run_here(run, mode, limits)
    assert error.value.code == "SNN054"
    assert error.value.exit_code == 6
    assert ("no image was done" in str(error.value)) == (mode == "hang")
    assert time.monotonic() - start < 30.0, "not when the other limit is reached"
    check_nothing_left(run.token, *run.made())


def test_what_cannot_be_started_is_said(tmp_path: Path) -> None:
    with pytest.raises(SnnccError, match="No such file") as error, guarded_folder() as folder:
        folder.run([str(tmp_path / "python")], LONG)
    assert error.value.code == "SNN053"
    assert not folder.path.exists()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGKILL])
def test_a_killed_owner_takes_everything_with_it(new_run, number: signal.Signals) -> None:
    run = new_run()
    with run.owner("busy") as owner:
        made = run.made()
        assert all(path.exists() for path in made)
        assert len(marked(run.token)) >= 6, "owner, guard, main, manager, two workers"
        owner.send_signal(number)
        wait_until(lambda: owner.poll() is not None, "the owner ended")
        handled = {signal.SIGTERM: 143, signal.SIGHUP: 129}
        assert owner.returncode == handled.get(number, -number)
        if number != signal.SIGKILL:
            assert not marked(run.token), "the owner waited for the end of all"
        wait_until(lambda: not made[-1].exists(), "the guard removed the folder")
    check_nothing_left(run.token, *made)


def test_when_the_guard_is_killed_the_owner_cleans_up(new_run) -> None:
    run = new_run()
    with run.owner("busy") as owner:
        made = run.made()
        main = json.loads(run.facts.read_text())["pid"]
        guard = int(Path(f"/proc/{main}/stat").read_text().rpartition(")")[2].split()[1])
        assert b"process_guard" in Path(f"/proc/{guard}/cmdline").read_bytes()
        os.kill(guard, signal.SIGKILL)
        _, said = owner.communicate(timeout=30)
    assert owner.returncode == 1
    assert b"its guard was killed" in said
    check_nothing_left(run.token, *made)


def test_the_end_of_one_run_does_not_touch_another(new_run) -> None:
    one, two = new_run(), new_run()
    with one.owner("busy") as first, two.owner("busy") as second:
        made = one.made(), two.made()
        assert not set(made[0]) & set(made[1])
        first.kill()
        first.wait()
        wait_until(lambda: not made[0][-1].exists(), "the first one's folder is gone")
        check_nothing_left(one.token, *made[0])
        assert all(path.exists() for path in made[1])
        assert len(marked(two.token)) >= 6
        Path(f"{two.facts}.finish").touch()
        _, said = second.communicate(timeout=30)
        assert second.returncode == 0, said
    check_nothing_left(two.token, *made[1])


def test_a_daemon_in_a_session_of_its_own_is_ended(tmp_path: Path) -> None:
    token = f"{os.getpid()}-daemon"
    source = "import os, time\nif os.fork() == 0:\n    os.setsid()\n    if os.fork() == 0:\n"
    source += '        print(\'{"done": 1, "of": 1}\', flush=True)\n        time.sleep(60)\n'
    source += "    os._exit(0)\nos.wait()\ntime.sleep(0.3)\n"
    progress: list = []
    with guarded_folder() as folder:
        command = [sys.executable, "-c", source]
        folder.run(command, LONG, lambda *p: progress.append(p), {MARK: token})
        assert progress == [(1, 1)], "the daemon ran"
        assert not marked(token)


def test_shared_memory_goes_without_a_resource_tracker_too(new_run) -> None:
    run = new_run()
    with pytest.raises(SnnccError, match="no progress"):
        run_here(run, "untracked", Limits(60.0, 0.7))
    check_nothing_left(run.token, *run.made())


def test_shared_memory_of_others_stays(new_run) -> None:
    """Neither what was there before nor what another process has mapped is removed."""
    source = "from multiprocessing import resource_tracker, shared_memory\nimport sys, time\n"
    source += "resource_tracker.register = lambda *_: None\n"  # else its own tracker unlinks it
    source += "there = [shared_memory.SharedMemory(name) for name in sys.argv[1:]]\n"
    source += 'print(\'{"done": 1, "of": 1}\', flush=True)\ntime.sleep(60)\n'
    theirs = [shared_memory.SharedMemory(create=True, size=4096)]
    mapped: list = []
    try:
        theirs[0].close()
        with guarded_folder() as folder:
            theirs.append(shared_memory.SharedMemory(create=True, size=4096))
            command = [sys.executable, "-c", source, *(each.name for each in theirs)]
            with pytest.raises(SnnccError, match="no progress"):
                folder.run(command, Limits(60.0, 0.7), lambda *p: mapped.append(p))
        assert mapped == [(1, 1)]
        assert all((process_guard.SHARED_MEMORY / each.name).exists() for each in theirs)
    finally:
        for each in theirs:
            each.close()
            each.unlink()


def test_sockets_fit_below_a_long_temporary_root(
    new_run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    deep = tmp_path / ("d" * 60)
    deep.mkdir()
    assert len(str(deep)) > LONGEST_ROOT
    monkeypatch.setattr(tempfile, "tempdir", str(deep))
    run = new_run()
    run_here(run, "finish")  # its manager opens a socket below TMPDIR
    check_nothing_left(run.token, *run.made())
    assert not list(deep.iterdir())
