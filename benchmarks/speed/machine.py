"""What the machine is and what it could do at most: int16 additions, bytes read from caches."""

import os
import platform
import re
import time
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numba as nb
import numpy as np

PACKAGES = (
    *("numpy", "numba", "torch", "spikingjelly", "snntorch", "norse"),
    *("onnxruntime", "brian2", "lava-nc"),
)
FLAGS = re.compile(r"^(avx2|avx512(f|bw|_vnni|_bf16)|avx_vnni|amx_(tile|int8))$")
WIDTH = 512
"""Lanes of int16 in the probes' arrays of sums."""
CHAIN = 16
"""Pairs of operations in registers for one load and one store: these cost next to nothing."""
L1_BYTES, L2_BYTES = 1 << 14, 1 << 18
SECONDS = 0.3


def describe(threads: int) -> dict[str, Any]:
    """CPU, caches, flags that matter, versions; no name of the machine."""
    told = Path("/proc/cpuinfo").read_text() if Path("/proc/cpuinfo").exists() else ""
    model = re.search(r"^model name\s*:\s*(.+)$", told, re.MULTILINE)
    flags = re.search(r"^flags\s*:\s*(.+)$", told, re.MULTILINE)
    return {
        "cpu": model[1] if model else platform.machine(),
        "cores": os.cpu_count(),
        "threads": threads,
        "caches": _caches(),
        "flags": sorted(f for f in (flags[1].split() if flags else []) if FLAGS.match(f)),
        "python": platform.python_version(),
        "packages": {name: found for name in PACKAGES if (found := _version(name))},
        "load": round(os.getloadavg()[0], 1),
    }


def _caches() -> dict[str, str]:
    found: dict[str, str] = {}
    for index in sorted(Path("/sys/devices/system/cpu/cpu0/cache").glob("index*")):
        level, kind, size = ((index / n).read_text().strip() for n in ("level", "type", "size"))
        if kind != "Instruction":
            found[f"L{level}"] = size
    return found


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return ""


def limits() -> dict[str, float]:
    """Of one core: int16 additions a second, bytes a second read from L1 and from L2."""
    lanes = np.arange(WIDTH, dtype=np.int16)
    near = np.ones(L1_BYTES // 2, np.int16)
    words, far = near.view(np.uint64), np.ones(L2_BYTES // 8, np.uint64)
    return {
        "register_adds": _rate(lambda n: _chains(lanes, n), 2 * CHAIN * lanes.size),
        "l1_adds": _rate(lambda n: _row_adds(lanes, near, n), near.size),
        "l1_bytes": _rate(lambda n: _read(words, n), words.nbytes),
        "l2_bytes": _rate(lambda n: _read(far, n), far.nbytes),
    }


def _rate(run: Callable[[int], object], work: int) -> float:
    """Work a second at the best of a few runs, each long enough to be timed."""
    run(1)
    times, best = 1, 0.0
    end = time.perf_counter() + SECONDS
    while time.perf_counter() < end:
        start = time.perf_counter()
        run(times)
        took = time.perf_counter() - start
        if took < SECONDS / 30:
            times *= 2
        else:
            best = max(best, work * times / took)
    return best


@nb.njit(cache=True)
def _chains(lanes: Any, times: int) -> int:
    """CHAIN pairs of an addition and an exclusive or on each lane between its load and store.

    An exclusive or runs where an addition does; additions alone would be folded into one.
    """
    a = lanes.copy()
    for _ in range(times):
        for j in range(a.size):
            x = a[j]
            for _ in range(CHAIN):
                x = np.int16(np.int16(x + np.int16(12345)) ^ np.int16(21845))
            a[j] = x
    return int(a[0])


@nb.njit(cache=True)
def _row_adds(lanes: Any, rows: Any, times: int) -> int:
    """Rows of int16 from L1 added to sums in L1: what a plain event kernel does."""
    total, width = lanes.copy(), lanes.size
    for _ in range(times):
        for start in range(0, rows.size, width):
            row = rows[start : start + width]
            for j in range(width):
                total[j] += row[j]
    return int(total[0])


@nb.njit(cache=True)
def _read(words: Any, times: int) -> int:
    """Reads everything once a turn: one exclusive or for a vector and nothing else."""
    found = np.uint64(0)
    for turn in range(times):
        seen = np.uint64(turn)
        for j in range(words.size):
            seen ^= words[j]
        found += seen
    return int(found & np.uint64(1))
