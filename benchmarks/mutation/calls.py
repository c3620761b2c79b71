"""Which test calls which function: every test once, with what it enters written down."""

import json
import sys
import threading
import time
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

import pytest

from mutation.functions import OPTIMIZED, real_path


@dataclass(frozen=True)
class Called:
    """One test that passes.

    Attributes:
        test: its id.
        seconds: of CPU time.
        functions: what it calls, as `file:qualified name`.
    """

    test: str
    seconds: float
    functions: frozenset[str]

    @property
    def file(self) -> str:
        return self.test.partition("::")[0]


def read_calls(path: Path) -> list[Called]:
    """What `Tracer` has written."""
    lines = map(json.loads, path.read_text().splitlines())
    return [Called(test, seconds, frozenset(functions)) for test, seconds, functions in lines]


class Tracer:
    """A plugin that writes what tests call.

    What a fixture of a module or session calls counts for every test that uses it, not only for
    the one for which it is made.

    Args:
        root: the checkout.
        packages: folders in it whose functions count.
    """

    def __init__(self, root: Path, packages: tuple[str, ...]) -> None:
        self.root, self.packages = f"{root}/", packages
        self.codes: dict[int, CodeType] = {}
        self.shared: dict[int, dict[int, CodeType]] = {}
        self.passed = True

    def write(self, items: list[pytest.Item], out: Path) -> None:
        """Runs tests of one file, and appends a line for each that passes."""
        with out.open("a") as file:
            for item, after in zip(items, [*items[1:], None], strict=True):
                self.codes, self.passed = {}, True
                begin = time.process_time()
                self._watch(True)
                item.config.hook.pytest_runtest_protocol(item=item, nextitem=after)
                self._watch(False)
                seconds = round(time.process_time() - begin, 2)
                for used in self._fixtures(item):
                    self.codes |= self.shared.get(id(used), {})
                if self.passed:
                    print(json.dumps([item.nodeid, seconds, sorted(self._names())]), file=file)
                    file.flush()

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self.passed &= report.passed

    @pytest.hookimpl(wrapper=True)
    def pytest_fixture_setup(self, fixturedef: Any) -> Generator[None, object, object]:
        if fixturedef.scope == "function":
            return (yield)
        before, self.codes = self.codes, {}
        try:
            return (yield)
        finally:
            self.shared.setdefault(id(fixturedef), {}).update(self.codes)
            self.codes = before | self.codes

    def _watch(self, on: bool) -> None:
        sys.settrace(self._entered if on else None)
        threading.settrace(self._entered if on else None)  # type: ignore[arg-type]

    def _entered(self, frame: FrameType, event: str, argument: object) -> None:
        self.codes[id(frame.f_code)] = frame.f_code

    def _fixtures(self, item: pytest.Item) -> Iterator[object]:
        known = getattr(item, "_fixtureinfo", None)
        for each in known.name2fixturedefs.values() if known else ():
            yield from each

    def _names(self) -> set[str]:
        found = set[str]()
        for code in self.codes.values():
            file = real_path(code.co_filename).removeprefix(self.root)
            if code.co_flags & OPTIMIZED and file.startswith(self.packages):
                found.add(f"{file}:{code.co_qualname}")
        return found
