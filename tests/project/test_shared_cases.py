"""Every reproducer of a fault that was seen, run as a user would: each must pass."""

import os
import shutil
from pathlib import Path

import pytest
from case_runner import run_case

ROOT = Path(__file__).resolve().parents[2]
CASES = Path(os.environ.get("SNNCC_SHARED", ROOT.parent / "shared")) / "cases"
FOUND = sorted(path.parent.name for path in CASES.glob("*/run.py"))
LIMIT = 300
"""Seconds that a case may take."""


def test_the_cases_are_there_where_they_must_be() -> None:
    if not FOUND:
        if os.environ.get("SNNCC_REQUIRE_SHARED"):
            pytest.fail(f"{CASES} is required here and is missing")
        pytest.skip("no reproducers on this machine")


@pytest.mark.parametrize("name", FOUND)
def test_a_fault_that_was_seen_is_mended(name: str, tmp_path: Path) -> None:
    """The case runs in a copy: it writes into its folder."""
    folder = tmp_path / name
    shutil.copytree(CASES / name, folder)
    code, printed = run_case(folder / "run.py", LIMIT)
    assert code == 0, printed[-8000:]
