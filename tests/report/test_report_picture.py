"""The picture of README and docs/report.md is what its script draws."""

import re
from pathlib import Path

from report_picture import network, picture

MOST = 150_000


def texts(svg: str) -> list[str]:
    """Titles, names of layers and numbers at the axes, in their order."""
    return re.findall(r"<text[^>]*>([^<]*)</text>", svg)


def test_the_picture_is_fresh(root: Path) -> None:
    kept = (root / "docs/report.svg").read_text("utf-8")
    assert len(kept) < MOST
    assert texts(kept), "texts are texts"
    made = picture(*network())
    assert texts(kept) == texts(made), "stale: run python benchmarks/report_picture.py"
    for page in ("README.md", "docs/report.md"):
        assert "report.svg" in (root / page).read_text("utf-8")
