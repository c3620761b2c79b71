"""Tutorials: every line runs, in order, and prints what the page shows, whatever its numbers."""

import re
from pathlib import Path

import pytest
from page_outputs import masked

FLOORS: dict[str, dict[str, float]] = {
    "spikingjelly": {"right": 90.0, "original": 95.0, "3 bits": 85.0},
    "bits": {"8 bits:": 97.0, "4 bits:": 96.0, "mixed widths:": 90.0},
    "verdict": {},
    "exports": {},
    "events": {"right": 95.0, "original": 98.0},
}
"""What numbers of lines with a word must reach, in percent."""


@pytest.mark.parametrize("name", FLOORS)
def test_a_tutorial_does_what_it_says(
    name: str,
    root: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    if name == "spikingjelly":
        pytest.importorskip("spikingjelly")
    assert {file.stem for file in (root / "docs/tutorials").glob("*.md")} == set(FLOORS)
    (tmp_path / "examples").symlink_to(root / "examples")
    monkeypatch.chdir(tmp_path)
    page = (root / f"docs/tutorials/{name}.md").read_text()
    parts = re.findall(r"```(python|text)\n(.*?)```", page, re.DOTALL)
    names: dict[str, object] = {"__name__": "tutorial"}
    printed, shown = "", 0
    for kind, text in parts:
        if kind == "python":
            exec(compile(text, name, "exec"), names)  # noqa: S102 (the page's own lines)
            printed += capsys.readouterr().out
            continue
        assert list(map(masked, text.splitlines())) == list(map(masked, printed.splitlines()))
        for word, floor in FLOORS[name].items():
            for line in printed.splitlines():
                if word in line:
                    share = re.search(rf"{word}\D*([\d.]+)%|([\d.]+)%(?= (as the )?{word})", line)
                    assert share is not None
                    assert float(share[1] or share[2]) >= floor, line
        printed, shown = "", shown + 1
    assert shown >= 3
    assert printed == ""
