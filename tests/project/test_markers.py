"""The markers `quick` and `lava`."""

from pathlib import Path

import pytest
from slow_files import SLOW


def test_files_that_are_slow_exist() -> None:
    names = {
        path.stem.removeprefix("test_") for path in Path(__file__).parents[1].rglob("test_*.py")
    }
    assert names >= SLOW
    assert len(SLOW) < len(names) // 2


def test_what_is_not_slow_is_quick(request: pytest.FixtureRequest) -> None:
    assert {"quick"} <= {mark.name for mark in request.node.iter_markers()}
