"""Runs a command in a child process that never outlives its owner, with time-outs and progress."""

import json
import os
import selectors
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import deque
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import IO, Any

from snncc.backends.lava_nc.running import process_guard
from snncc.diagnostics import SnnccError

LONGEST_ROOT = 50
"""Characters of a temporary root below which multiprocessing's socket (limit 108) still fits."""
GUARD_SECONDS = process_guard.KILL_SECONDS + 10.0
LAST_LINES = 12


@dataclass(frozen=True)
class Limits:
    """How long a child may take.

    Attributes:
        seconds: for all of it.
        idle: without progress.
    """

    seconds: float
    idle: float


class GuardedFolder:
    """A temporary folder and the commands that run in it; both end with their owner.

    Use `guarded_folder`. What cleans up is a process of its own (`process_guard`), so that it works
    even when this one is killed.

    Attributes:
        path: the folder.
    """

    def __init__(self, guard: subprocess.Popen[bytes], status: IO[bytes]) -> None:
        self._guard, self._status = guard, status
        self.path = Path(self._answer()["folder"])

    def run(
        self,
        command: Sequence[str],
        limits: Limits,
        advance: Callable[[int, int], None] = lambda _done, _total: None,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        """Runs a command in the folder and waits for its end.

        Lines `{"done": k, "of": n}` on its stdout are progress when k grows; other lines are not
        looked at.

        Args:
            command: program and arguments.
            limits: how long it may take.
            advance: called with k and n.
            environment: variables to set beside this process's own.

        Raises:
            SnnccError: SNN053 when it cannot be started or fails, with the last lines of its
                stderr; SNN054 when it takes too long. Its processes have ended by the time the
                folder is left.
        """
        temporary = self.path / "tmp"
        temporary.mkdir(exist_ok=True)
        variables = {**os.environ, **(environment or {}), "TMPDIR": str(temporary)}
        order = {"command": list(command), "cwd": str(self.path), "environment": variables}
        if self._guard.stdin is None:
            raise TypeError("the guard has no stdin")
        self._guard.stdin.write(json.dumps(order).encode() + b"\n")
        self._guard.stdin.flush()
        _Watch(self._guard, self._status, limits, advance).until_exit()

    def _answer(self) -> dict[str, Any]:
        line = self._status.readline()
        if not line:
            raise RuntimeError(f"the guard of child processes ended: {self._guard.wait()}")
        answer: dict[str, Any] = json.loads(line)
        return answer


class _Watch:
    """Reads what a child and its guard say until the child has ended."""

    def __init__(
        self,
        guard: subprocess.Popen[bytes],
        status: IO[bytes],
        limits: Limits,
        advance: Callable[[int, int], None],
    ) -> None:
        if guard.stdout is None or guard.stderr is None:
            raise TypeError("the guard has no pipes")
        self.streams = {
            guard.stdout.fileno(): self._progress,
            guard.stderr.fileno(): self._complaint,
            status.fileno(): self._verdict,
        }
        self.pending = dict.fromkeys(self.streams, b"")
        self.limits, self.advance = limits, advance
        self.start = self.moved = time.monotonic()
        self.done, self.total = 0, 0
        self.last: deque[str] = deque(maxlen=LAST_LINES)
        self.verdict: dict[str, Any] | None = None

    def until_exit(self) -> None:
        with selectors.DefaultSelector() as selector:
            for stream in self.streams:
                selector.register(stream, selectors.EVENT_READ)
            while self.verdict is None:
                ready = selector.select(self._patience())
                for key, _ in ready:
                    self._read(selector, key.fd)
            while ready := selector.select(0):  # what the child said before it ended
                for key, _ in ready:
                    self._read(selector, key.fd)
        if self.verdict.get("exit") != 0:
            raise self._failed(self.verdict)

    def _patience(self) -> float:
        """Seconds until a limit is reached. Raises SnnccError (SNN054) when one is."""
        now = time.monotonic()
        whole, idle = self.start + self.limits.seconds - now, self.moved + self.limits.idle - now
        if whole <= 0:
            raise self._late(f"did not end within {round(self.limits.seconds, 1):g} s")
        if idle <= 0:
            raise self._late(f"made no progress for {self.limits.idle:g} s")
        return min(whole, idle)

    def _read(self, selector: selectors.BaseSelector, stream: int) -> None:
        received = os.read(stream, 1 << 16)
        if not received:
            selector.unregister(stream)
            if self.streams[stream] == self._verdict and self.verdict is None:
                self.verdict = {"error": "its guard was killed"}
            return
        *lines, self.pending[stream] = (self.pending[stream] + received).split(b"\n")
        for line in lines:
            self.streams[stream](line)

    def _progress(self, line: bytes) -> None:
        try:
            said: Any = json.loads(line)
            done, total = int(said["done"]), int(said["of"])
        except (ValueError, KeyError, TypeError):
            return
        if done > self.done:
            self.done, self.total, self.moved = done, total, time.monotonic()
            self.advance(done, total)

    def _complaint(self, line: bytes) -> None:
        if text := line.decode(errors="replace").rstrip():
            self.last.append(text)

    def _verdict(self, line: bytes) -> None:
        self.verdict = json.loads(line)

    def _late(self, what: str) -> SnnccError:
        far = f"{self.done} of {self.total} images were done" if self.total else "no image was done"
        return SnnccError(
            "SNN054",
            f"the backend's process {what}",
            why=f"{far}{self._stderr()}",
            help="give more time with --timeout S, or fewer images with --limit N",
            details=tuple(self.last),
        )

    def _failed(self, verdict: dict[str, Any]) -> SnnccError:
        code = verdict.get("exit")
        how = f"exit status {code}"
        if code is None:
            how = str(verdict["error"])
        elif code < 0:
            how = f"killed by {signal.Signals(-code).name}"
        return SnnccError(
            "SNN053",
            f"the backend's process failed: {how}",
            why=f"{self.done} of {self.total or '?'} images were done{self._stderr()}",
            help="`snncc doctor` checks the environment",
            details=tuple(self.last),
        )

    def _stderr(self) -> str:
        for stream, read in self.streams.items():  # a line that never ended
            if read == self._complaint and self.pending[stream]:
                self._complaint(self.pending.pop(stream))
        return "; it said last:" if self.last else "; it said nothing on stderr"


@contextmanager
def guarded_folder() -> Generator[GuardedFolder]:
    """A temporary folder in which commands run; on every way out, nothing of it is left.

    Processes, their shared memory and the folder go when the block ends, by success, by an
    exception, by Ctrl-C, by SIGTERM or SIGHUP to this process, and when this process is killed.
    """
    with _signals_as_exceptions():
        known = process_guard.shared_memory()
        reading, writing = os.pipe()
        guard = subprocess.Popen(  # noqa: S603 (our own script)
            [sys.executable, "-I", process_guard.__file__, str(writing), _temporary_root()],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            pass_fds=(writing,),
            start_new_session=True,
        )
        os.close(writing)
        with os.fdopen(reading, "rb", buffering=0) as status:
            path: Path | None = None
            try:
                folder = GuardedFolder(guard, status)
                path = folder.path
                yield folder
            finally:
                _close(guard, path, known)


def _close(guard: subprocess.Popen[bytes], path: Path | None, known: set[Path]) -> None:
    """Lets the guard clean up; does it here should somebody have killed the guard."""
    for stream in (guard.stdin, guard.stdout, guard.stderr):
        if stream is not None:
            try:
                stream.close()
            except BrokenPipeError:
                continue  # the guard is dead
    try:
        clean = guard.wait(GUARD_SECONDS) == 0
    except subprocess.TimeoutExpired:
        guard.kill()
        guard.wait()
        clean = False
    if not clean:
        process_guard.end_all(guard.pid, known)
        if path is not None:
            shutil.rmtree(path, ignore_errors=True)


def _temporary_root() -> str:
    """Where temporary folders are, or a shorter place when sockets would not fit into it."""
    root = tempfile.gettempdir()
    short = "/tmp"  # noqa: S108 (the folder in it is made by mkdtemp)
    return short if len(root) > LONGEST_ROOT and os.access(short, os.W_OK) else root


@contextmanager
def _signals_as_exceptions() -> Generator[None]:
    """SIGTERM and SIGHUP end the block as exceptions do, instead of ending Python at once."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def stop(number: int, _frame: FrameType | None) -> None:
        for each in before:
            signal.signal(each, signal.SIG_IGN)  # a second one must not stop the cleaning
        raise SystemExit(128 + number)

    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGHUP)}
    for number in before:
        signal.signal(number, stop)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
