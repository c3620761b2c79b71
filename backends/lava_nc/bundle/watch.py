"""Lava's processes end together: with the main process, and when one ends before its time.

Lava itself waits for ever for a message of a process that is gone.
"""

from __future__ import annotations

import ctypes
import multiprocessing
import os
import signal
import sys
import threading
from contextlib import suppress

POLL_SECONDS = 0.2
PR_SET_PDEATHSIG = 1


def end_children_with_this_process() -> None:
    """Processes forked from now on are killed when this one ends, even by SIGKILL; Linux only."""
    if sys.platform == "linux":
        prctl = ctypes.CDLL(None).prctl
        os.register_at_fork(after_in_child=lambda: prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0))


class Watch:
    """Watches this process's children for as long as the block lasts.

    None of them ends while the network runs: one that does was killed, or a process model raised an
    exception, which Lava keeps to itself until somebody stops the network.
    """

    def __init__(self) -> None:
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> Watch:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _watch(self) -> None:
        children: set[multiprocessing.Process] = set()
        while not self._over.wait(POLL_SECONDS):
            children |= set(multiprocessing.active_children())
            ended = [child for child in children if exit_code(child) is not None]
            if ended:
                with suppress(OSError, ValueError):  # the main thread may be closing it
                    report(ended[0])
                for child in children - set(ended):
                    with suppress(ValueError):
                        child.kill()
                os._exit(1)  # the main thread waits in Lava and cannot be woken


def exit_code(child: multiprocessing.Process) -> int | None:
    """What a process ended with; None while it runs."""
    try:
        return child.exitcode
    except ValueError:  # Lava's main thread was quicker: it has joined and closed it
        return 1


def report(child: multiprocessing.Process) -> None:
    """Says which process ended, and the traceback that Lava keeps of it."""
    raised = getattr(child, "exception", None)
    if raised:
        print(raised[1], file=sys.stderr)
    code = exit_code(child) or 0
    how = f"was killed by signal {-code}" if code < 0 else "ended"
    print(f"error: Lava's {child.name} {how} in the middle of the run", file=sys.stderr, flush=True)
