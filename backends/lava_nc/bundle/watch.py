"""Lava's processes end together: with the main process, and when one ends before its time.

Lava itself waits for ever for a message of a process that is gone, and keeps what it raised.
"""

from __future__ import annotations

import ctypes
import os
import selectors
import signal
import sys
import threading
import traceback
from collections.abc import Callable, Sequence
from contextlib import suppress
from types import FrameType, TracebackType
from typing import Any

from lava.magma.core.model.py.model import PyLoihiProcessModel
from lava.magma.core.run_configs import Loihi2SimCfg

POLL_SECONDS = 0.2
PR_SET_PDEATHSIG = 1
NO_PIPE = (-1, -1)


class ReportingSimCfg(Loihi2SimCfg):
    """Runs the same models; each prints what it raises, in its own process, before it ends."""

    def select(self, proc: Any, proc_models: Sequence[type]) -> type:
        """The model that Lava selects, made to report."""
        model = super().select(proc, proc_models)
        return reporting(model) if issubclass(model, PyLoihiProcessModel) else model


def reporting(model: type) -> type:
    """A process model that prints the traceback of an exception which ends it."""

    def reported(name: str) -> Callable[..., None]:
        def call(self: Any, *arguments: Any, **named: Any) -> None:
            try:
                getattr(model, name)(self, *arguments, **named)
            except Exception:
                say(traceback.format_exc())
                raise

        return call

    own = {name: reported(name) for name in ("__init__", "start")}
    return type(model.__name__, (model,), {**own, "__module__": model.__module__})


def say(text: str) -> None:
    """To stderr; nobody may be there to read it."""
    with suppress(OSError, ValueError):
        print(text, file=sys.stderr, flush=True)


class Watch:
    """Ends this program, exit status 1, when the block fails or a process ends while it lasts.

    None of Lava's processes ends while the network runs: one that does was killed, or its model
    raised. Lava's main thread then waits in a place from which it cannot be woken, or raises, and
    would wait while it stops.

    Every process that is forked from now on is watched by a pipe of its own, which closes when it
    ends. multiprocessing's own objects serve only the thread that joins and closes them: Lava's.
    """

    def __init__(self) -> None:
        self._main = os.getpid()
        self._ends = selectors.DefaultSelector()
        self._pipes: list[int] = []
        self._pids: dict[int, int] = {}
        self._next = NO_PIPE
        self._deciding = threading.RLock()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        os.register_at_fork(
            before=self._before_fork,
            after_in_parent=self._after_fork,
            after_in_child=self._in_child,
        )
        signal.signal(signal.SIGTERM, self._terminate)

    def __enter__(self) -> Watch:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        raised: BaseException | None,
        _: TracebackType | None,
    ) -> None:
        if raised is not None:
            with self._deciding:
                say("".join(traceback.format_exception(kind, raised, raised.__traceback__)))
                self._end_all(1)
        self._over.set()
        self._thread.join()

    def end_within(self, seconds: float) -> None:
        """Ends this program, exit status 0, unless it ends by itself in time.

        For when its work is done: Lava stops its processes one after the other, and waits for ever
        for one that was killed meanwhile.
        """

        def end() -> None:
            say(f"note: Lava's processes did not stop within {seconds:g} s and were ended")
            self._end_all(0)

        timer = threading.Timer(seconds, end)
        timer.daemon = True
        timer.start()

    def _before_fork(self) -> None:
        with suppress(OSError):
            self._next = os.pipe()

    def _after_fork(self) -> None:
        (reading, writing), self._next = self._next, NO_PIPE
        if reading < 0:
            say("error: no file descriptor is left for another process of Lava")
            self._end_all(1)
        os.close(writing)
        os.set_blocking(reading, False)
        self._pipes.append(reading)
        self._ends.register(reading, selectors.EVENT_READ)

    def _in_child(self) -> None:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        if sys.platform == "linux":  # killed when the main process ends, even by SIGKILL
            ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        if os.getppid() != self._main:  # it ended before that was in force
            os._exit(1)
        if self._next != NO_PIPE:
            os.write(self._next[1], b"%d" % os.getpid())

    def _watch(self) -> None:
        try:
            how = self._how_one_ended()
            with self._deciding:
                if self._over.is_set():
                    return
                say(f"error: a process of Lava {how} in the middle of the run")
                self._end_all(1)
        except BaseException:
            say(traceback.format_exc())
            self._end_all(1)

    def _how_one_ended(self) -> str:
        """Waits for it; empty when the block is over."""
        while not self._over.is_set():
            for key, _ in self._ends.select(POLL_SECONDS):
                if key.fd in self._pids:
                    return how_it_ended(self._pids[key.fd])
                self._pid(key.fd)
        return ""

    def _pid(self, pipe: int) -> int:
        """What a process wrote before all else; 0 if it ended before that, or has not yet."""
        with self._deciding:
            if pipe not in self._pids:
                try:
                    self._pids[pipe] = int(os.read(pipe, 32) or 0)
                except BlockingIOError:
                    return 0
            return self._pids[pipe]

    def _terminate(self, number: int, _frame: FrameType | None) -> None:
        if os.getpid() != self._main:  # a fork that has not put its own handler in place
            os._exit(128 + number)
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        self._end_all(128 + number)

    def _end_all(self, status: int) -> None:
        """Ends this process and Lava's, which may be waiting for each other."""
        with self._deciding:  # who comes first says with which status
            self._over.set()
            try:
                pids = {pipe: self._pid(pipe) for pipe in list(self._pipes)}
                ended = {key.fd for key, _ in self._ends.select(0)}
                for pipe, pid in pids.items():
                    if pid and pipe not in ended:
                        with suppress(ProcessLookupError):
                            os.kill(pid, signal.SIGKILL)
            finally:
                os._exit(status)


def how_it_ended(pid: int) -> str:
    """In words; a process that Lava has waited for has no status any more."""
    with suppress(ChildProcessError):
        if pid:
            _, status = os.waitpid(pid, 0)
            code = os.waitstatus_to_exitcode(status)
            if code < 0:
                return f"was killed by signal {-code}"
            if code > 0:
                return f"ended with status {code}"
    return "ended"
