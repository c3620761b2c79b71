"""Changes the code in single places and sees whether the tests notice.

    OMP_NUM_THREADS=1 python benchmarks/mutation_testing.py --sample 300 --seed 0

First every test runs once, and the functions that it calls are written down (`--calls` keeps them).
Then each change is judged by the tests that call the changed function, quickest of every file
first, until one fails or their --seconds are used up. A change that stands in no function is judged
by tests that call a function of its module, in a process that imports it anew. No file is changed:
functions get their new code in a fork. A change is unreached when no test calls it, and undecided
when its tests take four times as long as before, or end their process; the score counts the others.
`--log` keeps what was found: a later call with the same file goes on. The table goes to the
standard output; docs/testing.md quotes it.
"""

import argparse
import json
import os
import random
import sys
import tempfile
import time
from collections import Counter, defaultdict
from importlib import import_module
from pathlib import Path

from mutation.calls import read_calls
from mutation.mutants import Mutant, mutants
from mutation.run import Run
from mutation.score import table
from mutation.tests_of import BESIDE_LAVA, COMPILED, MATTER, files_of_tests, package_of

ROOT = Path(__file__).resolve().parent.parent
BUILD = ROOT / "build/mutation"
LIBRARIES = ("numpy", "scipy.stats", "numba", "llvmlite.binding", "PIL.Image", "click",
             "rich.console", "safetensors.numpy", "torch")  # fmt: skip
os.environ["OMP_NUM_THREADS"] = "1"  # a fork has no threads and would wait for its parent's


def every_mutant() -> list[Mutant]:
    files = [path for package in MATTER for path in sorted((ROOT / package).rglob("*.py"))]
    names = [str(path.relative_to(ROOT)) for path in files]
    return [
        each
        for name in dict.fromkeys(names)
        if name not in COMPILED and not name.startswith(BESIDE_LAVA)
        for each in mutants(name, (ROOT / name).read_text())
    ]


def sampled(every: list[Mutant], count: int, seed: int) -> list[Mutant]:
    """As many of each package as its share, at least 5, in random order."""
    rng, found = random.Random(seed), list[Mutant]()  # noqa: S311
    for package in MATTER:
        own = [each for each in every if package_of(each.file) == package]
        found += rng.sample(own, min(len(own), max(5, round(count * len(own) / len(every)))))
    rng.shuffle(found)
    return found


def main() -> int:
    """Prints every survivor, and the table at the end."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--sample", type=int, default=300, help="0: every mutant")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", nargs="+", default=[""], help="only files whose path begins so")
    parser.add_argument("--tests", nargs="+", default=[], help="only these test files")
    kept = "which test calls what: read where it is there, else written"
    parser.add_argument("--calls", type=Path, default=BUILD / "calls.jsonl", help=kept)
    parser.add_argument("--log", type=Path, default=BUILD / "judged.jsonl")
    parser.add_argument("--file-seconds", type=int, default=120, help="of CPU time, a test file")
    parser.add_argument("--seconds", type=float, default=30.0, help="of CPU time, a mutant's tests")
    parser.add_argument("--verbose", action="store_true", help="print what was killed too")
    parser.add_argument("--minutes", type=float, default=0.0, help="0: until all are done")
    given = parser.parse_args()
    every = [each for each in every_mutant() if each.file.startswith(tuple(given.only))]
    chosen = sampled(every, given.sample or len(every), given.seed)
    print(f"{len(chosen)} of {len(every)} mutants", flush=True)
    for name in LIBRARIES:
        import_module(name)
    for each in (given.calls, given.log):
        each.parent.mkdir(parents=True, exist_ok=True)
    given.log.touch()
    lines = map(json.loads, given.log.read_text().splitlines())
    done = {(file, begin, after) for file, _, begin, after, *_ in lines}
    chosen = [each for each in chosen if (each.file, each.span[0], each.after) not in done]
    until = time.monotonic() + (60 * given.minutes or float("inf"))
    with tempfile.TemporaryDirectory(prefix="snncc-mutants-") as place:
        run = Run(ROOT, Path(place) / "t", given.log, given.seconds, until, given.verbose)
        if not given.calls.exists():
            run.write_calls(given.tests or files_of_tests(ROOT), given.calls, given.file_seconds)
        run.judge(chosen, read_calls(given.calls))
    results: dict[str, Counter[str]] = defaultdict(Counter)
    for line in given.log.read_text().splitlines():
        file, found, *_ = json.loads(line)
        results[package_of(file)][found] += 1
    print(table(results))
    return 0


if __name__ == "__main__":
    sys.path.insert(0, str(ROOT))
    sys.exit(main())
