"""How much memory this machine has left, and what does not fit into it."""

import os
from pathlib import Path

from snncc.diagnostics import SnnccError

UNNOTICED = 1 << 26
"""A run that takes less is not checked against the machine's memory."""

CGROUP = Path("/sys/fs/cgroup")


def require_memory(what: str, images: int, each: int, besides: int = 0) -> None:
    """Refuses what the machine has no memory for.

    Args:
        what: needs it.
        images: how many there are.
        each: bytes that one of them takes.
        besides: bytes that do not depend on how many there are.

    Raises:
        SnnccError: SNN004 when less is free, with what to do.
    """
    needed = images * each + besides
    free = free_memory() if needed > UNNOTICED else None
    if free is None or needed <= free:
        return
    fitting = max(0, free - besides) // max(1, each)
    fewer = f"give fewer images: {fitting:,} fit (--limit {fitting}); or " if fitting else ""
    raise SnnccError(
        "SNN004",
        f"{what} of {images:,} images take {megabytes(needed)}, {megabytes(free)} are free",
        why="spikes and membranes of every recorded neuron at every step are kept in memory",
        help=f"{fewer}record fewer populations (--record-only NAME)",
    )


def free_memory() -> int | None:
    """Bytes that can still be had, of the machine or of its container; None where nobody says."""
    known = [size for size in (_machine(), _container()) if size is not None]
    return min(known, default=None)


def _machine() -> int | None:
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
    except OSError:
        names = getattr(os, "sysconf_names", {})
        if "SC_AVPHYS_PAGES" not in names:
            return None
        return os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    found = [line.split() for line in lines if line.startswith("MemAvailable:")]
    return int(found[0][1]) << 10 if found else None


def _container() -> int | None:
    try:
        limit = (CGROUP / "memory.max").read_text().strip()
        used = int((CGROUP / "memory.current").read_text())
    except (OSError, ValueError):
        return None
    return max(0, int(limit) - used + _cached()) if limit.isdigit() else None


def _cached() -> int:
    """Bytes of files that the container's system keeps and gives back when memory is wanted."""
    try:
        lines = (CGROUP / "memory.stat").read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("inactive_file "))
    except (OSError, ValueError, IndexError, StopIteration):
        return 0


def megabytes(size: int) -> str:
    """A size for people, with about three digits."""
    for unit, scale in (("MB", 1e6), ("kB", 1e3)):
        if size >= scale:
            number = size / scale
            return f"{number:,.{0 if number >= 100 else 1}f} {unit}"
    return f"{size} bytes"
