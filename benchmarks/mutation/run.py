"""Writes down what tests call, and judges changes by the tests that call what they change."""

import json
import sys
import time
from collections.abc import Callable, Sequence
from importlib import import_module
from pathlib import Path

import pytest

from mutation.calls import Called, Tracer
from mutation.functions import LiveFunctions, Place, place_of
from mutation.judging import (
    SLOWER,
    UNDECIDED,
    ChangedModule,
    Collected,
    Verdict,
    chosen_tests,
    in_fork,
    run_items,
    run_pytest,
    verdict_of,
)
from mutation.mutants import Mutant
from mutation.tests_of import MATTER

CONTROLS = 20
"""After so many changes one set of tests runs without a change: it must pass."""
ALWAYS = float(1 << 20)
Items = dict[str, pytest.Item]


class Run:
    """Judges changes, and tells each as it is judged.

    Args:
        root: the checkout.
        temporaries: a folder for what tests write.
        log: a file; a line of JSON is added for each change.
        seconds: of CPU time that the tests of one change may take together.
        until: when to stop, by `time.monotonic`.
        verbose: whether to tell what was killed too.
    """

    def __init__(
        self, root: Path, temporaries: Path, log: Path, seconds: float, until: float, verbose: bool
    ) -> None:
        self.root, self.temporaries, self.log = root, temporaries, log
        self.seconds, self.until, self.verbose = seconds, until, verbose
        self.calls: list[Called] = []
        self.sources: dict[str, str] = {}

    def write_calls(self, files: Sequence[str], out: Path, limit: int) -> None:
        """Runs every test once; of a file that takes longer than the limit, those that end."""
        tracer, partial = Tracer(self.root, MATTER), out.with_name(f"{out.name}.part")
        partial.write_text("")

        def work(items: Items) -> None:
            warm()
            for file in files:
                own = [item for item in items.values() if item.nodeid.startswith(f"{file}::")]
                if own and in_fork(lambda own=own: tracer.write(own, partial), limit) is None:
                    print(f"{file}: not all of its tests end in {limit} s", flush=True)

        self._collected(files, work, tracer)
        partial.rename(out)

    def judge(self, chosen: Sequence[Mutant], calls: list[Called]) -> None:
        """First the changes in functions, all from one process, then the others."""
        self.calls = calls
        self.sources = {each.file: (self.root / each.file).read_text() for each in chosen}
        places = [(each, place_of(each, self.sources[each.file])) for each in chosen]

        def work(items: Items) -> None:
            warm()
            for file in self.sources:
                import_module(module_of(file))
            live, left = LiveFunctions(f"{self.root}/"), CONTROLS
            for mutant, place in places:
                if place and time.monotonic() < self.until:
                    tests = self._judge_function(mutant, place, live, items)
                    left -= 1
                    if tests and left <= 0:
                        self._control(tests)
                        left = CONTROLS

        self._collected(sorted({each.file for each in calls}), work)
        for mutant, place in places:
            if place is None and time.monotonic() < self.until:
                self._judge_module(mutant)

    def _collected(
        self, files: Sequence[str], work: Callable[[Items], None], *more: object
    ) -> None:
        plugins = (Collected(work), *more)
        done = in_fork(lambda: run_pytest(self.root, files, self.temporaries, *plugins), ALWAYS)
        if done != 0:
            raise RuntimeError(f"the process that collects tests ends with {done}")

    def _judge_function(
        self, mutant: Mutant, place: Place, live: LiveFunctions, items: Items
    ) -> list[pytest.Item]:
        """Gives the tests it was judged by."""
        name, source = f"{mutant.file}:{place.name}", self.sources[mutant.file]
        callers = [each for each in self.calls if name in each.functions]
        tests = chosen_tests(callers, self.seconds)
        given = [items[each.test] for each in tests]

        def work() -> int:
            path, after = str(self.root / mutant.file), mutant.applied(source)
            known = live.change(path, source, after, place.outer)
            return run_items(given) if known else UNDECIDED

        self._tell(mutant, tests, len(callers), work)
        return given

    def _judge_module(self, mutant: Mutant) -> None:
        near = self._calling(mutant.file) or self._calling(str(Path(mutant.file).parent))
        tests = chosen_tests(near, self.seconds)

        def work() -> int:
            text = mutant.applied(self.sources[mutant.file])
            sys.meta_path.insert(0, ChangedModule(self.root / mutant.file, text))
            return run_pytest(self.root, ["-x", *(e.test for e in tests)], self.temporaries)

        self._tell(mutant, tests, len(near), work)

    def _calling(self, start: str) -> list[Called]:
        return [e for e in self.calls if any(name.startswith(start) for name in e.functions)]

    def _control(self, given: list[pytest.Item]) -> None:
        if in_fork(lambda: run_items(given), ALWAYS) != 0:
            raise RuntimeError(f"tests fail without a change: {[each.nodeid for each in given]}")

    def _tell(
        self, mutant: Mutant, tests: list[Called], reaching: int, work: Callable[[], int]
    ) -> None:
        limit = 20 + SLOWER * sum(each.seconds for each in tests)
        found: Verdict = verdict_of(in_fork(work, limit)) if tests else "unreached"
        if found != "killed" or self.verbose:
            print(f"{found}: {mutant} ({len(tests)} of {reaching} tests)", flush=True)
        with self.log.open("a") as log:
            place = [mutant.file, found, mutant.span[0], mutant.after]
            print(json.dumps([*place, str(mutant), len(tests), reaching]), file=log)


def module_of(file: str) -> str:
    """The name by which a file of the checkout is imported."""
    name = file.removesuffix(".py").removesuffix("/__init__").replace("/", ".")
    return name if name.startswith("snncc.") else f"snncc.{name}"


def warm() -> None:
    """The machine code of the compiled units, once for all forks."""
    from snncc.backends.cpu.vm.runner import compile_ahead

    compile_ahead()
