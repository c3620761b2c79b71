import os
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def root() -> Path:
    """The checkout."""
    return ROOT


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder with a trained checkpoint, images and golden outputs; skips without it."""
    path = Path(os.environ.get("SNNCC_SHARED", ROOT.parent / "shared"))
    if not (path / "data").is_dir():
        if os.environ.get("SNNCC_REQUIRE_SHARED"):
            pytest.fail(f"{path / 'data'} is required here and is missing")
        pytest.skip("no trained checkpoint and golden outputs on this machine")
    return path
