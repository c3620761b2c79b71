"""The Lava environment of the tests, and what happens where there is none."""

import os
from dataclasses import dataclass
from pathlib import Path

import pytest

VARIABLE = "SNNCC_LAVA_PYTHON"


@dataclass(frozen=True)
class LavaEnvironment:
    """A Python that has lava-nc."""

    python: Path


def lava_environment() -> LavaEnvironment:
    """An interpreter with Lava; skips without one, or fails where SNNCC_REQUIRE_LAVA is set."""
    given = os.environ.get(VARIABLE)
    if given is not None:
        return LavaEnvironment(Path(given))
    if os.environ.get("SNNCC_REQUIRE_LAVA"):
        pytest.fail(f"Lava is required here and {VARIABLE} is not set")
    pytest.skip("no Lava environment on this machine")
