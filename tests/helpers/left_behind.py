"""Finds what a run has left on the machine: processes, shared memory, temporary folders.

A run is marked by an environment variable, which every process that it starts inherits.
"""

import os
import time
from pathlib import Path

MARK = "SNNCC_TEST_RUN"
PATIENCE = 60.0
"""Seconds; a loaded machine takes its time."""


def marked(token: str) -> list[int]:
    """Living processes of a run, by /proc: also those that left its session."""
    found = []
    for entry in os.listdir("/proc"):
        if not entry.isdecimal() or int(entry) == os.getpid():
            continue
        try:
            variables = Path(f"/proc/{entry}/environ").read_bytes()
            state = Path(f"/proc/{entry}/stat").read_text().rpartition(")")[2].split()[0]
        except OSError:
            continue
        if f"{MARK}={token}".encode() in variables.split(b"\0") and state not in "ZX":
            found.append(int(entry))
    return found


def wait_until(holds, what: str) -> None:
    """Fails when a condition does not come true in time."""
    end = time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < end, f"not within {PATIENCE:g} s: {what}"
        time.sleep(0.02)


def check_nothing_left(token: str, *paths: Path) -> None:
    """Soon no process of a run lives, and none of these files and folders exists."""
    wait_until(lambda: not marked(token), f"processes of run {token} ended")
    left = [path for path in paths if path.exists()]
    assert not left, left
