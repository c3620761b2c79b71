"""`program.report(...)`, `program.plot` and `result.plot`."""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib import pyplot
from matplotlib.axes import Axes
from report_programs import chain, pixels

import snncc
from snncc.artifact import Program, save_program
from snncc.cli.main import run

NAMES = ["one", "two", "three"]
IMAGES = pixels(8)
LABELS = np.arange(8) % 4
LOGITS = np.eye(4)[(LABELS + 1) % 4]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("report")
    save_program(root / "p.snncc", Program(chain(NAMES), {"network": "a chain"}))
    np.savez(root / "d.npz", x=IMAGES, y=LABELS, logits=LOGITS)
    return root


@pytest.fixture(scope="module")
def program(folder: Path) -> snncc.Program:
    return snncc.load(folder / "p.snncc")


@pytest.fixture(autouse=True)
def figures_closed() -> Iterator[None]:
    mpl.use("Agg")
    yield
    pyplot.close("all")


def test_the_page_is_the_commands(
    program: snncc.Program, folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    monkeypatch.chdir(folder)
    call = "report p.snncc d.npz:x -o command.html --labels y --reference logits --register 9"
    assert run(call.split()) == 0
    program.report("python.html", IMAGES, labels=LABELS, reference=LOGITS, register=9)
    assert Path("python.html").read_bytes() == Path("command.html").read_bytes()


def test_the_report_is_still_a_dict_of_facts(program: snncc.Program) -> None:
    assert isinstance(program.report, dict)
    assert dict(program.report) == {"network": "a chain"} == program.report
    assert json.loads(json.dumps(program.report)) == {"network": "a chain"}


def test_another_program_stands_beside_it(program: snncc.Program, tmp_path: Path) -> None:
    program.report(tmp_path / "r.html", IMAGES, beside=program, layers=("two",))
    page = (tmp_path / "r.html").read_text()
    assert "All that was compared is equal." in page
    assert "Raster of two" in page


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        ({"labels": LABELS}, "SNN001", "give images too"),
        ({"reference": LOGITS}, "SNN001", "give images too"),
        ({"images": IMAGES, "labels": LABELS[:2]}, "SNN016", "2 labels for 8 images"),
        ({"images": IMAGES, "labels": LABELS + 9}, "SNN016", "classes 0..3"),
        ({"images": IMAGES, "reference": LOGITS[:, :2]}, "SNN016", "[8, 4]"),
        ({"images": IMAGES, "reference": LOGITS * np.nan}, "SNN016", "finite"),
        ({"images": IMAGES, "layers": "one"}, "SNN001", "layers='one'"),
        ({"images": IMAGES, "layers": ("four",)}, "SNN001", "no population is called 'four'"),
        ({"images": IMAGES, "detail": 0}, "SNN001", "detail=0"),
        ({"images": IMAGES, "register": 65}, "SNN001", "register=65"),
        ({"images": IMAGES, "profile": 1}, "SNN001", "profile=1"),
        ({"images": IMAGES, "beside": "there-is-none.npz"}, "SNN015", "there-is-none.npz"),
        ({"images": IMAGES[:, :2]}, "SNN016", "not uint8 [n, 6]"),
    ],
)
def test_wrong_arguments_are_refused(
    program: snncc.Program, tmp_path: Path, arguments: dict[str, Any], code: str, told: str
) -> None:
    with pytest.raises(snncc.SnnccError) as caught:
        program.report(tmp_path / "r.html", **arguments)
    assert caught.value.findings[0].code == code
    assert told in str(caught.value)
    assert not (tmp_path / "r.html").exists()


def test_a_file_of_another_kind_is_not_replaced(program: snncc.Program, folder: Path) -> None:
    before = (folder / "p.snncc").read_bytes()
    with pytest.raises(snncc.SnnccError, match="not replaced"):
        program.report(folder / "p.snncc")
    assert (folder / "p.snncc").read_bytes() == before


DRAWN: dict[str, Callable[[Any, Any, Any], Axes]] = {
    "graph": lambda program, result, ax: program.plot.graph(ax),
    "weights": lambda program, result, ax: program.plot.weights(ax),
    "widths": lambda program, result, ax: program.plot.widths(ax, register=9),
    "rates": lambda program, result, ax: result.plot.rates(ax),
    "raster": lambda program, result, ax: result.plot.raster("two", ax),
    "beside": lambda program, result, ax: result.plot.raster("two", ax, beside=result),
    "membranes": lambda program, result, ax: result.plot.membranes(["one", "three"], ax),
    "confusion": lambda program, result, ax: result.plot.confusion(LABELS, ax),
}


@pytest.mark.parametrize("name", DRAWN)
def test_pictures_are_axes(program: snncc.Program, name: str) -> None:
    result = program.run(IMAGES)
    made = DRAWN[name](program, result, None)
    assert isinstance(made, Axes)
    assert made.collections or made.patches or made.lines
    own = pyplot.subplots()[1]
    assert DRAWN[name](program, result, own) is own
    own.figure.canvas.draw()


def test_pictures_show_the_results_numbers(program: snncc.Program) -> None:
    result = program.run(IMAGES)
    rates = result.plot.rates()
    bars = [path.vertices[:, 0].max() for path in rates.collections[0].get_paths()]
    assert bars == pytest.approx([100 * rate for rate in result.spike_rates.values()])
    assert [text.get_text() for text in rates.texts] == NAMES
    raster = result.plot.raster("one")
    spikes = int(np.isnan(raster.lines[0].get_xdata()).sum())
    assert spikes == int(result.spikes["one"].values.sum())
    matrix = result.plot.confusion(LABELS)
    assert sum(int(text.get_text()) for text in matrix.texts) == len(LABELS)


def test_a_population_that_there_is_not(program: snncc.Program) -> None:
    result = program.run(IMAGES)
    with pytest.raises(KeyError, match="no population is called 'four'"):
        result.plot.raster("four")
    with pytest.raises(ValueError, match="beside"):
        result.plot.raster("one", beside=program.run(IMAGES[:2]))


def test_the_libraries_are_loaded_when_they_draw() -> None:
    code = (
        "import sys, snncc\n"
        "import snncc.api.programs, snncc.report.gather, snncc.report.page.rendering\n"
        "assert not {'matplotlib', 'jinja2', 'torch'} & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
