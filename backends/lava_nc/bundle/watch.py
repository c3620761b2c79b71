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
from collections.abc import Sequence
from contextlib import suppress
from types import FrameType, TracebackType
from typing import Any

from lava.magma.core.model.py.model import PyLoihiProcessModel
from lava.magma.core.run_configs import Loihi2SimCfg

POLL_SECONDS = 0.2
PR_SET_PDEATHSIG = 1


class ReportingSimCfg(Loihi2SimCfg):
    """Runs the same models; each prints what it raises, in its own process, before it ends."""

    def select(self, proc: Any, proc_models: Sequence[type]) -> type:
        """The model that Lava selects, with a `run` that reports."""
        model = super().select(proc, proc_models)
        return reporting(model) if issubclass(model, PyLoihiProcessModel) else model


def reporting(model: type) -> type:
    """A process model that prints the traceback of an exception which ends it."""

    def run(self: Any) -> None:
        try:
            model.run(self)
        except Exception:
            print(traceback.format_exc(), file=sys.stderr, flush=True)
            raise

    return type(model.__name__, (model,), {"run": run, "__module__": model.__module__})


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
        self._pipes = selectors.DefaultSelector()
        self._pids: dict[int, int] = {}
        self._reading = threading.RLock()
        self._next = (-1, -1)
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
        self._over.set()
        self._thread.join()
        if raised is not None:
            traceback.print_exception(kind, raised, raised.__traceback__)
            self._end_all(1)

    def _before_fork(self) -> None:
        self._next = os.pipe()

    def _after_fork(self) -> None:
        reading, writing = self._next
        os.close(writing)
        self._pipes.register(reading, selectors.EVENT_READ)

    def _in_child(self) -> None:
        os.write(self._next[1], b"%d" % os.getpid())
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        if sys.platform == "linux":  # killed when the main process ends, even by SIGKILL
            ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        if os.getppid() != self._main:  # it ended before that was in force
            os._exit(1)

    def _watch(self) -> None:
        while not self._over.is_set():
            for key, _ in self._pipes.select(POLL_SECONDS):
                if key.fd not in self._pids:
                    self._pid(key.fd)
                    continue
                how = how_it_ended(self._pids[key.fd])
                print(f"error: a process of Lava {how} in the middle of the run", file=sys.stderr)
                self._end_all(1)

    def _pid(self, pipe: int) -> int:
        """A process writes its number first of all; 0 if it ended before it could."""
        with self._reading:
            if pipe not in self._pids:
                self._pids[pipe] = int(os.read(pipe, 32) or 0)
            return self._pids[pipe]

    def _terminate(self, number: int, _frame: FrameType | None) -> None:
        if os.getpid() != self._main:  # a fork that has not put its own handler in place
            os._exit(128 + number)
        self._end_all(128 + number)

    def _end_all(self, status: int) -> None:
        """Ends this process and Lava's, which may be waiting for each other."""
        pids = {pipe: self._pid(pipe) for pipe in list(self._pipes.get_map())}
        ended = {key.fd for key, _ in self._pipes.select(0)}
        for pipe in pids.keys() - ended:
            with suppress(ProcessLookupError):
                os.kill(pids[pipe], signal.SIGKILL)
        sys.stderr.flush()
        os._exit(status)


def how_it_ended(pid: int) -> str:
    """In words; a process that Lava has waited for has no status any more."""
    with suppress(ChildProcessError):
        if pid:
            _, status = os.waitpid(pid, 0)
            if os.WIFSIGNALED(status):
                return f"was killed by signal {os.WTERMSIG(status)}"
    return "ended"
