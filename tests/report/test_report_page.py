"""The page as a file: every section, nothing from elsewhere, names as text, the same bytes."""

import json
import os
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from frame_programs import small
from report_programs import HOSTILE, chain, hostile, pixels

from snncc.artifact import Program, save_program
from snncc.cli.main import run
from snncc.report.facts import Facts
from snncc.report.gather import Given, gather
from snncc.report.page.rendering import render
from snncc.report.svg import NAMES

SECTIONS = {
    *("verdict", "network", "answers", "rates", "raster", "membranes", "flips", "divergence"),
    *("weights", "widths", "work", "cores", "not-judged"),
}
ADDRESSES = {"src", "href", "xlink:href", "action", "data", "poster", "srcset", "formaction"}


class Page(HTMLParser):
    """What a page consists of."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.texts: dict[str, list[str]] = {}
        self.open: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        while self.open and self.open.pop() != tag:
            pass

    def handle_data(self, data: str) -> None:
        self.texts.setdefault(self.open[-1] if self.open else "", []).append(data)

    def all(self, name: str) -> list[str]:
        """Values of an attribute."""
        return [
            value or "" for _, attrs in self.tags for key, value in attrs.items() if key == name
        ]


@pytest.fixture(scope="module")
def facts() -> Facts:
    images = pixels(6)
    labels = images[:, 0].astype(np.int64) % 4
    return gather(hostile(), Given(images=images, labels=labels, original=(labels + 1) % 4))


@pytest.fixture(scope="module")
def text(facts: Facts) -> str:
    return render(facts)


def test_every_section_is_there_with_and_without_data(text: str) -> None:
    alone = render(gather(Program(small((0, 255)), {}), Given()))
    for page in (Page(text), Page(alone)):
        ids = [attrs["id"] for tag, attrs in page.tags if tag == "section"]
        assert len(ids) == len(set(ids))
        assert set(ids) == SECTIONS
        assert {f"#{name}" for name in SECTIONS} <= set(page.all("href"))
    missing = " ".join(Page(alone).texts["p"])
    for option in ("DATA", "--labels", "--reference", "--beside", "--calibrate"):
        assert option in missing, option


def test_each_picture_has_a_caption_and_a_description(text: str) -> None:
    page = Page(text)
    pictures = [a for t, a in page.tags if t == "div" and "picture" in (a.get("class") or "")]
    assert len(pictures) >= 8
    assert all(a.get("aria-label") for a in pictures)
    captions = [t for t, _ in page.tags if t == "figcaption"]
    assert len(captions) >= len(pictures)
    assert all("xmlns" not in attrs for _, attrs in page.tags)


def test_nothing_comes_from_elsewhere(text: str) -> None:
    page = Page(text)
    for _, attrs in page.tags:
        for name in ADDRESSES & set(attrs):
            value = attrs[name] or ""
            assert value.startswith(("#", "data:")), (name, value)
    style = " ".join(page.texts["style"])
    assert "@import" not in style
    assert "url(" not in style
    inner = [v for v in (*page.all("style"), *page.all("clip-path")) if "url(" in v]
    assert all(re.search(r"url\(['\"]?#", v) for v in inner)
    assert "http-equiv" in text
    policy = next(a["content"] for t, a in page.tags if a.get("http-equiv"))
    assert policy is not None
    assert "default-src 'none'" in policy
    assert "script-src 'sha256-" in policy


def test_names_are_text_and_nothing_else(text: str) -> None:
    page = Page(text)
    assert [tag for tag, _ in page.tags].count("script") == 2
    assert not [key for _, attrs in page.tags for key in attrs if key.startswith("on")]
    assert {tag for tag, _ in page.tags} & {"b ", "iframe", "object", "embed", "base"} == set()
    images = [attrs for tag, attrs in page.tags if tag == "img"]
    assert all((attrs["src"] or "").startswith("data:image/png;base64,") for attrs in images)
    labels = page.all("aria-label")
    assert set(HOSTILE) <= set(labels)
    (island,) = (
        page.texts["script"][i] for i, part in enumerate(page.texts["script"]) if part[:1] == "["
    )
    assert set(HOSTILE) <= {node["name"] for node in json.loads(island)}
    assert "<" not in island
    assert "49" not in " ".join(page.texts["h1"])  # no template runs twice


def test_colours_are_those_of_the_page(text: str) -> None:
    assert not [colour for colour in NAMES if colour in text]
    for name in NAMES.values():
        assert f"--{name}:" in text
    drawn = set(
        re.findall(r"var\(--([a-z-]+)\)", re.sub(r"<style>.*?</style>", "", text, flags=re.S))
    )
    assert drawn <= set(NAMES.values())
    assert {"ink", "faint", "own", "alarm"} <= drawn


def test_equal_facts_are_equal_bytes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    save_program(Path("p.snncc"), Program(chain(["one", "two"]), {}))
    np.savez("d.npz", x=pixels(4), y=np.arange(4))
    call = ["report", "p.snncc", "d.npz:x", "--labels", "y", "-o"]
    assert run([*call, "here.html"]) == 0
    capsys.readouterr()
    subprocess.run(
        [sys.executable, "-c", "from snncc.cli.main import main; main()", *call, "there.html"],
        check=True,
        env={**os.environ, "PYTHONHASHSEED": "7", "TZ": "Asia/Tokyo"},
        capture_output=True,
    )
    assert Path("here.html").read_bytes() == Path("there.html").read_bytes()


def test_the_command_tells_the_facts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    save_program(Path("p.snncc"), Program(small((0, 255)), {}))
    np.save("x.npy", np.array([[1, 1, 0], [0, 1, 0]], np.uint8))
    assert run(["report", "p.snncc", "x.npy", "-o", "r.html", "--json"]) == 0
    record = json.loads(capsys.readouterr().out)
    assert record["watched"][0]["spikes"] == 5
    assert record["bytes"] == Path("r.html").stat().st_size
    assert run(["report", "p.snncc", "-o", "r.html"]) == 0
    printed = capsys.readouterr().out
    assert printed.startswith("This program is multiplication-free")
    assert "without rates: needs images" in printed


def test_a_recording_stands_beside_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    save_program(Path("p.snncc"), Program(chain(["one", "two"]), {}))
    np.save("x.npy", pixels(4))
    np.save("more.npy", pixels(6))
    assert run(["run", "p.snncc", "x.npy", "--record", "r.npz"]) == 0
    capsys.readouterr()
    assert run(["report", "p.snncc", "x.npy", "-o", "r.html", "--beside", "r.npz", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)["difference"]
    assert found["first"] is None
    assert found["images"] == 4
    assert "All that was compared is equal." in Path("r.html").read_text()
    assert run(["report", "p.snncc", "more.npy", "-o", "n.html", "--beside", "r.npz"]) == 3
    assert "error[SNN016]" in capsys.readouterr().err
    assert not Path("n.html").exists()


@pytest.mark.parametrize("package", ["matplotlib.figure", "jinja2"])
def test_without_the_extra_it_is_named(
    package: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    save_program(Path("p.snncc"), Program(small((0, 255)), {}))
    monkeypatch.setitem(sys.modules, package, None)
    assert run(["report", "p.snncc", "-o", "r.html"]) == 5
    error = capsys.readouterr().err
    assert "error[SNN050]" in error
    assert "snncc[report]" in error
    assert not Path("r.html").exists()


def test_sections_say_what_is_missing_or_show_something(text: str) -> None:
    for part in re.split(r"<section ", text)[1:]:
        name = part.partition('"')[2].partition('"')[0]
        shown = re.search(r"<figure>|<table>|<p>|<li>|<svg ", part)
        assert ("Not shown: " in part) != bool(shown), name
