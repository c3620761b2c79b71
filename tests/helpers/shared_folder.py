"""Where trained checkpoints, files of other tools and golden outputs are."""

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def shared_folder() -> Path:
    """That folder; skips without it, unless SNNCC_REQUIRE_SHARED is set: then it fails."""
    path = Path(os.environ.get("SNNCC_SHARED", ROOT.parent / "shared"))
    if not (path / "data").is_dir():
        if os.environ.get("SNNCC_REQUIRE_SHARED"):
            pytest.fail(f"{path / 'data'} is required here and is missing")
        pytest.skip("no trained checkpoint and golden outputs on this machine")
    return path
