"""Changes programs by the thousand: python tests/helpers/fuzz_programs.py --count 100000 [--bytes].

Manifests are changed and sealed again, or with --bytes some bytes of the file are. What must not be
is printed with its seed; the exit code is then 1. Memory is limited to a gigabyte beyond what the
process has when all code is loaded.
"""

import argparse
import resource
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

import numpy as np
from program_outcomes import outcome
from structure_fuzzer import bases, changed_program, sealed

BASES = 40
MEMORY = 1 << 30
RUN_EACH = 4
"""One in so many accepted programs is run by both executors."""


def damaged(seed: int, content: bytes) -> bytes:
    """A file with some bytes other, missing or more; the same for the same seed."""
    rng = np.random.default_rng([seed, 78])
    changed = bytearray(content)
    for _ in range(int(rng.choice([1, 1, 2, 5]))):
        at = int(rng.integers(len(changed)))
        kind = int(rng.integers(6))
        if kind < 2:
            changed[at] ^= 1 << int(rng.integers(8))
        elif kind == 2:
            changed[at] = int(rng.integers(256))
        elif kind == 3:
            del changed[at : at + int(rng.integers(1, 20))]
        elif kind == 4:
            changed[at:at] = rng.bytes(int(rng.integers(1, 20)))
        else:
            other = int(rng.integers(len(changed)))
            changed[at : at + 8] = changed[other : other + 8]
        if not changed:
            break
    return bytes(changed)


def limit_memory() -> None:
    """The address space that is used now, and `MEMORY` more."""
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    most = pages * resource.getpagesize() + MEMORY
    resource.setrlimit(resource.RLIMIT_AS, (most, most))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=2000)
    parser.add_argument("--first", type=int, default=0, help="the first seed")
    parser.add_argument("--seconds", type=float, default=float("inf"), help="stop after so many")
    parser.add_argument("--bytes", action="store_true", help="change bytes, not manifests")
    given = parser.parse_args()
    programs = bases(BASES)
    files = [sealed(*program) for program in programs]
    found: Counter[str] = Counter()
    begin, faults = time.monotonic(), 0
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "p.snncc"
        for content in files:
            outcome(content, path)  # loads all code
        limit_memory()
        for seed in range(given.first, given.first + given.count):
            which = seed % len(files)
            if given.bytes:
                content = damaged(seed, files[which])
            else:
                content = changed_program(seed, programs[which])
            became = outcome(content, path, seed % RUN_EACH == 0)
            if given.bytes and became.verdict == "accepted" and content != files[which]:
                print(f"seed {seed}: a damaged file is accepted")
                faults += 1
            found[f"{became.verdict} {became.code}".strip()] += 1
            if became.fault:
                faults += 1
                print(f"seed {seed}: {became.verdict}: {became.fault}", flush=True)
            if time.monotonic() - begin > given.seconds:
                break
    print(f"{sum(found.values())} programs in {time.monotonic() - begin:.0f} s: {dict(found)}")
    print(f"{faults} faults")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
