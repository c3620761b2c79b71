"""The mutation run changes what is computed, and knows tests for every file that it changes."""

import ast
from collections import Counter
from pathlib import Path
from typing import Any

from mutation.calls import Called
from mutation.functions import LiveFunctions, Place, place_of
from mutation.judging import chosen_tests, in_fork, verdict_of
from mutation.mutants import Mutant, mutants
from mutation.score import table
from mutation.tests_of import COMPILED, MATTER, WITHOUT, files_of_tests, package_of
from mutation_testing import sampled

ROOT = Path(__file__).resolve().parents[2]
SOURCE = '''"""Docstring 1 < 2."""
LIMIT = 7  # é

def f(x: int = 3) -> "a < b":
    """Another."""
    if x < LIMIT and not x == 2:
        raise ValueError(f"{x} < 2")
    return max(x << 1, -x)
'''


def test_every_change_compiles_and_is_one() -> None:
    found = list(mutants("f.py", SOURCE))
    changed = [each.applied(SOURCE) for each in found]
    assert len(set(changed)) == len(changed)
    assert SOURCE not in changed
    for text in changed:
        before, after = (ast.dump(ast.parse(t)) for t in (SOURCE, text))
        assert before != after
    pairs = {(each.before, each.after) for each in found}
    assert ("x < LIMIT", "(x <= LIMIT)") in pairs
    assert ("max", "min") in pairs
    assert ("x << 1", "((x) >> (1))") in pairs
    assert ("7", "(8)") in pairs
    assert ("-x", "(x)") in pairs
    assert ("x == 2", "(x != 2)") in pairs


def test_docstrings_annotations_and_messages_stay() -> None:
    for each in mutants("f.py", SOURCE):
        text = each.applied(SOURCE)
        for kept in ('"""Docstring 1 < 2."""', '-> "a < b"', 'f"{x} < 2"', '"""Another."""'):
            assert kept in text, each


INNER = """
class Kind:
    limit = 3

    def holds(self, x: int = 4) -> bool:
        def near(y: int) -> bool:
            return y < 5

        return near(x)

    if limit:
        @staticmethod
        def other() -> int:
            return max(6, 2)
"""


def test_a_change_knows_its_function() -> None:
    found = {each.before: place_of(each, INNER) for each in mutants("f.py", INNER)}
    assert found["3"] is found["4"] is None
    near = Place("Kind.holds.<locals>.near", 0)
    assert found["y < 5"] == found["5"] == near
    assert found["6"] == found["max"] == Place("Kind.other", 1)


def test_a_change_takes_effect_where_the_function_is_known(tmp_path: Path) -> None:
    """Also where another module or a table holds the function."""
    path = tmp_path / "kind.py"
    path.write_text(INNER)
    scope: dict[str, Any] = {}
    exec(compile(INNER, str(path), "exec"), scope)  # noqa: S102
    kept = scope["Kind"].other
    (six,) = (each for each in mutants("kind.py", INNER) if each.after == "min")
    live = LiveFunctions(f"{tmp_path.resolve()}/")
    assert kept() == 6
    assert live.change(str(path), INNER, six.applied(INNER), 1)
    assert kept() == 2
    assert not live.change(str(tmp_path / "other.py"), INNER, six.applied(INNER), 1)


def test_tests_are_taken_quickest_first_of_every_file() -> None:
    callers = [
        Called(f"{file}.py::t{number}", seconds, frozenset())
        for file, numbers in {"a": (1.0, 2.0, 3.0), "b": (5.0,)}.items()
        for number, seconds in enumerate(numbers)
    ]
    assert [each.test for each in chosen_tests(callers, 9.0)] == [
        "a.py::t0",
        "b.py::t0",
        "a.py::t1",
    ]
    assert [each.test for each in chosen_tests(callers, 0.1)] == ["a.py::t0"]


def test_a_fork_says_what_its_work_says_or_nothing_in_time() -> None:
    def long() -> int:
        while True:
            pass

    assert [verdict_of(in_fork(lambda code=code: code, 5.0)) for code in (0, 1, 2)] == [
        *("survived", "killed", "undecided")
    ]
    assert in_fork(long, 0.1) is None
    assert verdict_of(None) == "undecided"


def test_what_is_named_exists() -> None:
    for path in (*COMPILED, *MATTER):
        assert (ROOT / path).exists(), path
    every = [str(file.relative_to(ROOT)) for file in (ROOT / "tests").rglob("test_*.py")]
    for start in WITHOUT:
        assert any(file.startswith(start) for file in every), start
    assert len(files_of_tests(ROOT)) > 100
    for package in MATTER:
        files = [str(p.relative_to(ROOT)) for p in (ROOT / package).rglob("*.py")]
        assert len(files) > 3
        assert {package_of(file) for file in files} == {package}


def test_a_sample_has_some_of_every_package() -> None:
    every = [Mutant(f"{p}/x.py", n, "a", "b", (0, 1)) for p in MATTER for n in range(100)]
    count = 10 * len(MATTER)
    chosen = sampled(every, count, 0)
    assert len(chosen) == count
    assert {package_of(each.file) for each in chosen} == set(MATTER)
    assert chosen == sampled(every, count, 0) != sampled(every, count, 1)


def test_the_score_is_of_what_was_decided() -> None:
    text = table({"runtime": Counter(killed=17, survived=3, undecided=5)})
    assert text.splitlines()[-1] == "| all | 25 | 17 | 3 | 0 | 5 | 85 % | 64 to 95 % |"
