"""The mutation run changes what is computed, and knows tests for every file that it changes."""

import ast
from collections import Counter
from pathlib import Path

import pytest
from mutation.mutants import Mutant, mutants
from mutation.tests_of import COMPILED, MATTER, TESTS, package_of, path_of_tests
from mutation.tests_of import tests_of as files_for
from mutation_testing import sampled, table

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


@pytest.mark.parametrize("package", MATTER)
def test_every_file_that_is_changed_has_tests(package: str) -> None:
    files = [str(p.relative_to(ROOT)) for p in (ROOT / package).rglob("*.py")]
    assert len(files) > 3
    for file in files:
        assert package_of(file) == package
        assert all(path_of_tests(ROOT, name) for name in files_for(file)), file


def test_what_is_named_exists() -> None:
    for path in (*COMPILED, *TESTS):
        assert (ROOT / path).exists(), path


def test_a_sample_has_some_of_every_package() -> None:
    every = [Mutant(f"{p}/x.py", n, "a", "b", (0, 1)) for p in MATTER for n in range(100)]
    count = 10 * len(MATTER)
    chosen = sampled(every, count, 0)
    assert len(chosen) == count
    assert {package_of(each.file) for each in chosen} == set(MATTER)
    assert chosen == sampled(every, count, 0) != sampled(every, count, 1)


def test_the_score_is_of_what_was_decided() -> None:
    text = table({"runtime": Counter(killed=17, survived=3, undecided=5)})
    assert text.splitlines()[-1] == "| all | 25 | 17 | 3 | 5 | 85 % |"
