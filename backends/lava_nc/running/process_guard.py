"""The guard: stands between snncc and a child process, and cleans up however snncc ends.

A script of its own, of the standard library alone:

    python -I process_guard.py STATUS_FD TEMPORARY_ROOT

It leads a session of its own, makes a temporary folder, and takes one order a line on stdin:
`{"command": [...], "cwd": ..., "environment": {...}}`. On STATUS_FD it says, one JSON object a
line, `folder`, then for every order `exit` (status, negative for a signal) or `error`. The end of
stdin means that its owner is done, or was killed: then every process that descends from the guard
is killed and waited for, their shared memory is unlinked, and the folder is removed.

Shared memory: multiprocessing's resource tracker unlinks all that was registered with it once the
other processes are gone, so it is killed last and late. What is still there is unlinked here: only
segments that our processes had mapped, that were not there before, and that nobody else has mapped.
"""

import contextlib
import ctypes
import json
import os
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import FrameType
from typing import Any

LINUX = sys.platform == "linux"
PROC = Path("/proc")
SHARED_MEMORY = Path("/dev/shm")  # noqa: S108 (where POSIX shared memory lives, not a temporary)
PR_SET_PDEATHSIG = 1
PR_SET_CHILD_SUBREAPER = 36
POLL_SECONDS = 0.05
TRACKER_SECONDS = 3.0
KILL_SECONDS = 20.0
"""A process in an uninterruptible wait cannot be killed: give up after so long."""


def members(leader: int) -> list[int]:
    """Living processes of a session and all that descend from its leader, without the leader."""
    parents: dict[int, int] = {}
    found: set[int] = set()
    for pid in _pids():
        try:
            fields = (PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue  # it ended
        if fields[0] in "ZX":
            continue
        parents[pid] = int(fields[1])
        if int(fields[3]) == leader:
            found.add(pid)
    for pid in parents:
        above = pid
        while above in parents and above != leader:
            above = parents[above]
        if above == leader:
            found.add(pid)
    return sorted(found - {leader})


def segments(pids: Iterable[int]) -> set[Path]:
    """Shared memory that any of these processes has mapped."""
    found: set[Path] = set()
    for pid in pids:
        try:
            lines = (PROC / str(pid) / "maps").read_text().splitlines()
        except OSError:
            continue  # it ended, or is another user's
        paths = (line.split(maxsplit=5)[5] for line in lines if str(SHARED_MEMORY) in line)
        found |= {Path(path) for path in paths if Path(path).parent == SHARED_MEMORY}
    return found


def shared_memory() -> set[Path]:
    """All segments of this machine."""
    return set(SHARED_MEMORY.iterdir()) if LINUX and SHARED_MEMORY.is_dir() else set()


def end_all(leader: int, kept: set[Path]) -> None:
    """Kills and waits for what `members` finds; unlinks the shared memory it leaves.

    Args:
        leader: process id of the session's leader, which is spared.
        kept: segments that are not ours.
    """
    start = time.monotonic()
    found: set[Path] = set()
    while pids := members(leader):
        waited = time.monotonic() - start
        if waited > KILL_SECONDS:
            break
        found |= segments(pids)
        for pid in pids:
            if waited > TRACKER_SECONDS or not _is_tracker(pid):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
        _reap(leader)
        time.sleep(0.01)
    _reap(leader)
    for path in found - kept - segments(_pids()):
        path.unlink(missing_ok=True)


def _pids() -> Iterator[int]:
    if LINUX:
        yield from (int(entry) for entry in os.listdir(PROC) if entry.isdecimal())


def _is_tracker(pid: int) -> bool:
    try:
        return b"multiprocessing.resource_tracker" in (PROC / str(pid) / "cmdline").read_bytes()
    except OSError:
        return False


def _reap(leader: int) -> None:
    """Takes the exit status of the guard's children, adopted orphans among them."""
    with contextlib.suppress(ChildProcessError):
        while leader == os.getpid() and os.waitpid(-1, os.WNOHANG)[0]:
            pass


def _prctl(option: int, value: int) -> None:
    if LINUX:
        ctypes.CDLL(None).prctl(option, value, 0, 0, 0)


def _start(order: dict[str, Any]) -> subprocess.Popen[bytes]:
    return subprocess.Popen(  # noqa: S603 (what the owner ordered)
        order["command"],
        stdin=subprocess.DEVNULL,
        cwd=order["cwd"],
        env=order["environment"],
        process_group=0,
        preexec_fn=lambda: _prctl(PR_SET_PDEATHSIG, signal.SIGKILL),
    )


def _end(child: subprocess.Popen[bytes] | None, kept: set[Path]) -> None:
    """Ends an order: all its processes, or, where there is no /proc, its process group."""
    if not LINUX and child is not None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(child.pid, signal.SIGKILL)
    end_all(os.getpid(), kept)


class _Guard:
    def __init__(self, status: int, root: str) -> None:
        self.status = status
        self.kept = shared_memory()
        self.child: subprocess.Popen[bytes] | None = None
        self.folder = tempfile.mkdtemp(prefix="snncc-", dir=root)

    def say(self, **facts: object) -> None:
        with contextlib.suppress(BrokenPipeError):  # the owner was killed: stdin ends as well
            os.write(self.status, json.dumps(facts).encode() + b"\n")

    def serve(self) -> None:
        """Takes orders until stdin ends."""
        self.say(folder=self.folder)
        pending = b""
        while True:
            if select.select([0], [], [], None if self.child is None else POLL_SECONDS)[0]:
                received = os.read(0, 1 << 16)
                if not received:
                    return
                *lines, pending = (pending + received).split(b"\n")
                for line in lines:
                    self.obey(json.loads(line))
            if self.child is not None and self.child.poll() is not None:
                code = self.child.returncode
                _end(self.child, self.kept)
                self.child = None
                self.say(exit=code)

    def obey(self, order: dict[str, Any]) -> None:
        try:
            self.child = _start(order)
        except OSError as error:
            self.say(error=str(error))

    def close(self) -> None:
        for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
            signal.signal(number, signal.SIG_IGN)
        _end(self.child, self.kept)
        shutil.rmtree(self.folder, ignore_errors=True)


def _stop(number: int, _frame: FrameType | None) -> None:
    raise SystemExit(128 + number)


def main(status: int, root: str) -> None:
    """Serves one owner."""
    _prctl(PR_SET_CHILD_SUBREAPER, 1)
    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
        signal.signal(number, _stop)
    guard = _Guard(status, root)
    try:
        guard.serve()
    finally:
        guard.close()


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2])
