"""Changes the code in single places and sees whether the tests notice.

    OMP_NUM_THREADS=1 python benchmarks/mutation_testing.py --sample 200 --seed 0

Works in a copy of the checkout. Each mutant runs in a fork of one process that has imported the
libraries, on the test files of its module (`mutation/tests_of.py`), until the first failure. A
mutant is undecided when a test file takes longer than --limit; the score counts the others. Tests
that fail or are too slow without any change are left out, with a line. The table goes to the
standard output; docs/testing.md quotes it.
"""

import argparse
import os
import random
import resource
import shutil
import subprocess
import sys
import tempfile
import time
import traceback
from collections import Counter, defaultdict
from importlib import import_module
from pathlib import Path
from typing import Literal

from mutation.mutants import Mutant, mutants
from mutation.tests_of import BESIDE_LAVA, COMPILED, MATTER, package_of, path_of_tests, tests_of

ROOT = Path(__file__).resolve().parent.parent
LIBRARIES = ("numpy", "scipy.stats", "numba", "llvmlite", "PIL.Image", "click", "rich.console",
             "safetensors.numpy", "torch")  # fmt: skip
SLOW = 60
"""Seconds of CPU: a test file that takes more is left out."""
os.environ["OMP_NUM_THREADS"] = "1"  # a fork has no threads and would wait for its parent's
Verdict = Literal["killed", "survived", "undecided"]


def copy_of_checkout(folder: Path) -> None:
    """What git knows of, links as links."""
    listed = subprocess.run(
        ["git", "-C", str(ROOT), "ls-files", "-co", "--exclude-standard"],  # noqa: S607
        check=True, capture_output=True, text=True,
    )  # fmt: skip
    for name in listed.stdout.splitlines():
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if (ROOT / name).exists():
            shutil.copy2(ROOT / name, target, follow_symlinks=False)


def pytest_in_fork(
    folder: Path, name: str, skipped: set[str], limit: int, to_the_end: bool = False
) -> int:
    """The exit code of pytest on a test file; -1 when it took more CPU time than the limit."""
    child = os.fork()
    if child == 0:
        _child(folder, name, skipped, limit, [] if to_the_end else ["-x"])
    patience = time.monotonic() + 20 * limit  # a test that sleeps takes no CPU time
    while time.monotonic() < patience:
        pid, status = os.waitpid(child, os.WNOHANG)
        if pid:
            return os.WEXITSTATUS(status) if os.WIFEXITED(status) else -1
        time.sleep(0.05)
    os.killpg(child, 9)
    os.waitpid(child, 0)
    return -1


def _child(folder: Path, name: str, skipped: set[str], limit: int, options: list[str]) -> None:
    code = 99
    try:
        os.setpgid(0, 0)
        resource.setrlimit(resource.RLIMIT_CPU, (limit, limit + 5))
        os.chdir(folder)
        log = os.open(folder / "pytest.log", os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(log, 1)
        os.dup2(log, 2)
        os.environ["PYTHONPATH"] = str(folder)
        os.environ["PYTHONDONTWRITEBYTECODE"] = "1"
        sys.dont_write_bytecode = True
        sys.path[:] = [str(folder), *(p for p in sys.path if Path(p or ".").resolve() != ROOT)]
        deselected = [f"--deselect={each}" for each in sorted(skipped)]
        import pytest

        file = str(path_of_tests(folder, name))
        given = ["-q", "-p", "no:cacheprovider", *options, *deselected, file]
        code = int(pytest.main(given))
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


class Baseline:
    """What the tests do without a change.

    Args:
        folder: the copy.
        limit: seconds of CPU time.
        trusted: whether they are known to pass, so that they need not run.
    """

    def __init__(self, folder: Path, limit: int, trusted: bool) -> None:
        self.folder, self.limit, self.trusted = folder, limit, trusted
        self.skipped: set[str] = set()
        self.left_out: set[str] = set()
        self.known: set[str] = set()

    def leave_out(self, names: list[str]) -> None:
        """Test files that are not to be run."""
        self.known.update(names)
        self.left_out.update(names)

    def usable(self, names: tuple[str, ...]) -> list[str]:
        """Those that exist, pass and are quick; what fails is deselected."""
        for name in names:
            if name in self.known:
                continue
            self.known.add(name)
            exists = path_of_tests(self.folder, name) is not None
            if self.trusted and exists:
                continue
            if not exists:
                self.left_out.add(name)
                continue
            code = pytest_in_fork(self.folder, name, self.skipped, self.limit, to_the_end=True)
            if code == 1:
                self.skipped |= self._failed()
                code = pytest_in_fork(self.folder, name, self.skipped, self.limit)
            if code not in (0, 5):
                self.left_out.add(name)
                print(f"left out: test_{name}.py ends with {code} without a change")
        return [name for name in names if name not in self.left_out]

    def _failed(self) -> set[str]:
        """Ids of tests that the last run says failed."""
        lines = (self.folder / "pytest.log").read_text(errors="replace").splitlines()
        marks = ("FAILED ", "ERROR ")
        found = {line.split(" ", 1)[1].split(" - ")[0] for line in lines if line.startswith(marks)}
        for each in found - self.skipped:
            print(f"left out: {each} fails without a change")
        return found


def verdict(folder: Path, mutant: Mutant, baseline: Baseline, limit: int) -> Verdict:
    names = baseline.usable(tests_of(mutant.file))
    path = folder / mutant.file
    original = path.read_text()
    try:
        path.write_text(mutant.applied(original))
    except SyntaxError:
        return "undecided"
    try:
        for name in names:
            code = pytest_in_fork(folder, name, baseline.skipped, limit)
            if code == -1:
                return "undecided"
            if code not in (0, 5):
                return "killed"
    finally:
        path.write_text(original)
    return "survived"


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


def table(results: dict[str, Counter[str]]) -> str:
    lines = [
        "| package | mutants | killed | survived | undecided | score |",
        "|---|---|---|---|---|---|",
    ]
    total: Counter[str] = sum(results.values(), Counter())
    for name, counts in [*sorted(results.items()), ("all", total)]:
        decided = counts["killed"] + counts["survived"]
        score = f"{100 * counts['killed'] / decided:.0f} %" if decided else "-"
        cells = (sum(counts.values()), counts["killed"], counts["survived"], counts["undecided"])
        lines.append(f"| {name} | {' | '.join(map(str, cells))} | {score} |")
    return "\n".join(lines)


def main() -> int:
    """Prints every survivor, and the table at the end."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--sample", type=int, default=200, help="0: every mutant")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", default="", help="only files whose path begins so")
    parser.add_argument(
        "--limit", type=int, default=SLOW, help="seconds of CPU a test file may take"
    )
    parser.add_argument("--trust", action="store_true", help="all tests pass without a change")
    parser.add_argument("--without", nargs="*", default=[], help="test files to leave out: soak")
    parser.add_argument("--verbose", action="store_true", help="print what was killed too")
    parser.add_argument("--minutes", type=float, default=0.0, help="0: until all are done")
    given = parser.parse_args()
    every = [each for each in every_mutant() if each.file.startswith(given.only)]
    chosen = sampled(every, given.sample or len(every), given.seed)
    print(f"{len(chosen)} of {len(every)} mutants", flush=True)
    for name in LIBRARIES:
        import_module(name)
    results: dict[str, Counter[str]] = defaultdict(Counter)
    start = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="snncc-mutants-") as place:
        folder = Path(place)
        copy_of_checkout(folder)
        baseline = Baseline(folder, given.limit, given.trust)
        baseline.leave_out(given.without)
        for mutant in chosen:
            if given.minutes and time.monotonic() - start > 60 * given.minutes:
                break
            found = verdict(folder, mutant, baseline, given.limit)
            results[package_of(mutant.file)][found] += 1
            if found != "killed" or given.verbose:
                print(f"{found}: {mutant}", flush=True)
    print(table(results))
    return 0


if __name__ == "__main__":
    sys.exit(main())
