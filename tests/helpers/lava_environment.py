"""The Lava environment of the tests, and what happens where there is none."""

import functools
import os
from pathlib import Path

import pytest

from snncc.backends.lava_nc.environment import VARIABLE, LavaEnvironment, Search, find_lava

REQUIRED = "SNNCC_REQUIRE_LAVA"
MADE_BY_MAKE = Path(__file__).resolve().parents[2] / ".venv-lava"
SKIPPED = "no Lava environment on this machine"


def lava_environment() -> LavaEnvironment:
    """An interpreter with Lava; skips without one, or fails where SNNCC_REQUIRE_LAVA is set."""
    search = _search()
    if search.found is not None:
        return search.found
    looked = "; ".join(map(str, search.refused))
    if os.environ.get(REQUIRED):
        pytest.fail(f"{REQUIRED} is set and there is no Lava environment: {looked}")
    pytest.skip(f"{SKIPPED}: {looked}")


@functools.cache
def _search() -> Search:
    made = not os.environ.get(VARIABLE) and MADE_BY_MAKE.exists()
    return find_lava(MADE_BY_MAKE if made else None)
