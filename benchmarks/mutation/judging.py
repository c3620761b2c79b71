"""Runs tests on changed code, each change in a fork of a process that has collected the tests."""

import os
import resource
import signal
import sys
import time
import traceback
from collections.abc import Callable, Sequence
from contextlib import suppress
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from pathlib import Path
from types import CodeType, ModuleType
from typing import Literal

import pytest

from mutation.calls import Called
from mutation.functions import real_path

Verdict = Literal["killed", "survived", "unreached", "undecided"]
NOTICED = 1
UNDECIDED = 2
SLOWER = 4
"""Tests may take so many times as long as they did without a change, and 20 s."""


def chosen_tests(callers: Sequence[Called], seconds: float) -> list[Called]:
    """The quickest of every file, then the next of every file, until their time is used up."""
    rank: dict[str, int] = {}
    ordered = list[tuple[int, float, Called]]()
    for each in sorted(callers, key=lambda each: each.seconds):
        rank[each.file] = rank.get(each.file, -1) + 1
        ordered.append((rank[each.file], each.seconds, each))
    found, spent = list[Called](), 0.0
    for _, cost, each in sorted(ordered, key=lambda entry: entry[:2]):
        if not found or spent + cost <= seconds:
            found.append(each)
            spent += cost
    return found


def in_fork(work: Callable[[], int | None], limit: float) -> int | None:
    """What work answers in a fork; None when it takes more CPU time than the limit."""
    child = os.fork()
    if child == 0:
        code = UNDECIDED
        try:
            os.setpgid(0, 0)
            resource.setrlimit(resource.RLIMIT_CPU, (int(limit) + 1, int(limit) + 5))
            code = work() or 0
        except BaseException:
            traceback.print_exc()
        finally:
            sys.stderr.flush()
            os._exit(code)
    patience, code = time.monotonic() + 20 * limit, None  # a test that sleeps takes no CPU time
    while time.monotonic() < patience:
        pid, status = os.waitpid(child, os.WNOHANG)
        if pid:
            code = os.WEXITSTATUS(status) if os.WIFEXITED(status) else None
            break
        time.sleep(0.01)
    with suppress(ProcessLookupError):
        os.killpg(child, signal.SIGKILL)  # what its tests have started, too
    if time.monotonic() >= patience:
        os.waitpid(child, 0)
    return code


def verdict_of(code: int | None) -> Verdict:
    """Of an exit code of `in_fork`; a crash of the interpreter cannot be told from a limit."""
    if code == 0:
        return "survived"
    return "killed" if code == NOTICED else "undecided"


class Collected:
    """A plugin that collects tests, gives them to `work` and runs none of them itself.

    Args:
        work: takes the tests by their ids.
    """

    def __init__(self, work: Callable[[dict[str, pytest.Item]], None]) -> None:
        self.work = work

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        self.work({item.nodeid: item for item in session.items})
        return True


class FirstFailure:
    """A plugin that ends the process with the first failure."""

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed:
            os._exit(NOTICED)


def run_items(items: Sequence[pytest.Item]) -> int:
    """Runs collected tests; does not come back from the first failure."""
    items[0].config.pluginmanager.register(FirstFailure())
    for item, after in zip(items, [*items[1:], None], strict=True):
        item.config.hook.pytest_runtest_protocol(item=item, nextitem=after)
    return 0


def run_pytest(root: Path, tests: Sequence[str], temporaries: Path, *plugins: object) -> int:
    """Pytest in this process, without a word; NOTICED for a failure."""
    sys.dont_write_bytecode = True
    os.chdir(root)
    options = ["-o", "addopts=--import-mode=importlib --strict-markers", "-p", "no:terminal"]
    options += ["-p", "no:cacheprovider", f"--basetemp={temporaries}"]
    code = int(pytest.main([*options, *tests], plugins=list(plugins)))
    return {0: 0, 1: NOTICED, 2: NOTICED}.get(code, UNDECIDED)


class ChangedModule(MetaPathFinder):
    """Imports one module from another source.

    Args:
        path: of the module.
        text: what takes the place of its content.
    """

    def __init__(self, path: Path, text: str) -> None:
        self.path, self.text = real_path(str(path)), text

    def find_spec(
        self, name: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        spec = PathFinder.find_spec(name, path)
        if spec is None or spec.origin is None or real_path(spec.origin) != self.path:
            return None
        spec.loader = _Loader(name, spec.origin, self.text)
        return spec


class _Loader(SourceFileLoader):
    def __init__(self, name: str, path: str, text: str) -> None:
        super().__init__(name, path)
        self.text = text

    def get_code(self, fullname: str) -> CodeType:
        return compile(self.text, self.path, "exec")
