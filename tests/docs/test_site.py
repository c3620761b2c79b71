"""Documentation: every page is in the navigation, links lead somewhere, written pages are fresh."""

import re
import tomllib
from pathlib import Path

import cli_reference
import layers_table
import pytest

from snncc import __version__


def pages(root: Path) -> list[Path]:
    return [*sorted((root / "docs").rglob("*.md")), *sorted(root.glob("*.md"))]


def anchors(page: Path) -> set[str]:
    """Those of headings, as GitHub and MkDocs make them of plain words."""
    text = re.sub(r"```.*?```", "", page.read_text(), flags=re.DOTALL)
    words = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", w.lower()).strip().replace(" ", "-") for w in words}


def test_every_page_is_in_the_navigation_once(root: Path) -> None:
    listed = re.findall(r"^ +- .*: (\S+\.md)$", (root / "mkdocs.yml").read_text(), re.MULTILINE)
    there = {str(page.relative_to(root / "docs")) for page in (root / "docs").rglob("*.md")}
    decisions = {name for name in there if name.startswith("adr/")}
    assert len(decisions) >= 19, "the hook lists them"
    assert sorted(listed) == sorted(there - decisions)


def test_every_link_and_anchor_leads_somewhere(root: Path) -> None:
    seen, wrong = 0, []
    for page in pages(root):
        text = re.sub(r"```.*?```|`[^`]*`", "", page.read_text(), flags=re.DOTALL)
        for path, anchor in re.findall(r"\]\(([^)#:\s]*)(?:#([^)\s]+))?\)", text):
            target = page.parent / path if path else page
            seen += 1
            if not target.exists():
                wrong.append((page.name, path))
            elif anchor and anchor not in anchors(target):
                wrong.append((page.name, f"{path}#{anchor}"))
    assert wrong == []
    assert seen > 100


def test_pages_that_are_written_are_as_they_would_be_written(root: Path) -> None:
    again = "run `make docs-pages`"
    assert (root / "docs/reference/cli.md").read_text() == cli_reference.page(), again
    assert (root / "docs/layers.md").read_text() == layers_table.page(), again
    readme = (root / "README.md").read_text()
    assert layers_table.readme(readme) == readme, again
    assert readme.count("`conv2d`") == 1


def test_a_name_that_no_family_has_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(layers_table.FAMILIES, "pooling")
    with pytest.raises(KeyError, match="pooling"):
        layers_table.functions()


def test_the_reference_has_every_public_name(root: Path) -> None:
    import snncc

    page = (root / "docs/reference/python.md").read_text()
    named = set(re.findall(r"^::: snncc\.(\w+)$", page, re.MULTILINE))
    assert named == set(snncc.__all__) - {"__version__"}


def test_the_quick_start_in_python_is_the_readmes(root: Path) -> None:
    """Which tests/docs/test_notebook.py runs."""
    (block,) = re.findall(r"```python\n(.*?)```", (root / "docs/index.md").read_text(), re.DOTALL)
    assert f"```python\n{block}```" in (root / "README.md").read_text()
    assert block.startswith("import numpy as np\nimport snncc")


def test_the_lowest_versions_are_those_that_are_allowed(root: Path) -> None:
    project = tomllib.loads((root / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    wanted = [*project["dependencies"], *extras["compile"], *extras["report"]]
    allowed = dict(word.split(">=") for word in wanted)
    lines = (root / "constraints-lowest.txt").read_text().splitlines()
    lowest = dict(line.split("==") for line in lines if line and not line.startswith("#"))
    del lowest["llvmlite"]  # of Numba's
    assert set(lowest) == set(allowed)
    for name, version in allowed.items():
        parts = lowest[name].split(".")
        assert parts[: len(version.split("."))] == version.split("."), name
        assert set(parts[len(version.split(".")) :]) <= {"0", "1"}, name


def test_the_extra_all_is_all_that_users_want(root: Path) -> None:
    extras = tomllib.loads((root / "pyproject.toml").read_text())["project"][
        "optional-dependencies"
    ]
    (every,) = extras["all"]
    named = set(re.fullmatch(r"snncc\[(.*)\]", every)[1].split(","))  # type: ignore[index]
    assert named == set(extras) - {"all", "dev", "docs"}


def test_the_citation_is_of_this_version(root: Path) -> None:
    text = (root / "CITATION.cff").read_text()
    assert re.search(rf"^version: {re.escape(__version__)}$", text, re.MULTILINE)
    assert "license: MIT" in text
