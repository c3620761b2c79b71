"""What tells a user that images or answers are not what the network was trained with."""

import json
from pathlib import Path

import numpy as np
import pytest

from snncc.cli.main import run
from snncc.compiler.data_checks import normalisation_notes
from snncc.compiler.driver import compile_checkpoint
from snncc.compiler.given import Given
from snncc.compiler.options import CompileOptions
from snncc.diagnostics import SnnccError

RIGHT, WRONG = "0.3,0.35", "76.5,89.25"


@pytest.fixture(scope="module")
def digits(root: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    """Forty images with labels, and the network's own answers."""
    path = tmp_path_factory.mktemp("digits") / "digits.npz"
    with np.load(root / "examples/digits.npz") as data:
        parts = {"x": data["x_test"], "y": data["y_test"], "logits": data["logits"]}
        np.savez(path, **{key: array[:40] for key, array in parts.items()})
    return str(path)


def compile_it(root: Path, out: Path, *more: str) -> int:
    checkpoint = str(root / "examples/digits_mixer.pth")
    return run(["compile", checkpoint, "-o", str(out / "p.snncc"), "--json", *more])


def test_the_accuracy_before_and_after_shows_a_wrong_normalisation(
    root: Path, tmp_path: Path, digits: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Fidelity alone says nothing: program and network get the same wrong numbers."""
    found = {}
    for normalize in (RIGHT, WRONG):
        given = ["--normalize", normalize, "--evaluate", f"{digits}:x", "--labels", "y"]
        assert compile_it(root, tmp_path, *given) == 0
        found[normalize] = json.loads(capsys.readouterr().out)
    right, wrong = (found[each]["fidelity"] for each in (RIGHT, WRONG))
    assert right["accuracy"] >= 0.9
    assert right["reference_accuracy"] >= 0.9
    assert wrong["accuracy"] <= 0.3
    assert wrong["reference_accuracy"] <= 0.3
    warnings = [note for note in found[WRONG]["notes"] if note.startswith("warning: ")]
    assert len(warnings) == 1
    assert "divided by 255 first" in warnings[0]
    assert not any(note.startswith("warning: ") for note in found[RIGHT]["notes"])


def test_the_table_has_a_line_for_it(
    root: Path, tmp_path: Path, digits: str, capsys: pytest.CaptureFixture[str]
) -> None:
    checkpoint = str(root / "examples/digits_mixer.pth")
    given = ["--normalize", WRONG, "--evaluate", f"{digits}:x", "--labels", f"{digits}:y"]
    assert run(["compile", checkpoint, "-o", str(tmp_path / "p.snncc"), *given]) == 0
    said = capsys.readouterr()
    (line,) = [line for line in said.out.splitlines() if line.startswith("accuracy")]
    assert "the network" in line
    assert "40 evaluation images, the program" in line
    assert said.err.count("warning: --normalize has 76.5") == 1


@pytest.mark.parametrize(
    ("means", "stds", "warned"),
    [
        ((0.5,), (0.5,), False),
        ((0.0,), (1.0,), False),
        ((-1.0,), (1.0,), False),
        ((127.5,), (127.5,), True),
        ((0.485, 0.456, 123.7), (0.2,), True),
        ((0.5,), (58.0,), True),
        ((-3.0,), (1.0,), True),
    ],
)
def test_numbers_beyond_one_are_warned_of(
    means: tuple[float, ...], stds: tuple[float, ...], warned: bool
) -> None:
    assert bool(normalisation_notes((means, stds))) is warned


def test_labels_must_fit(root: Path, digits: str) -> None:
    checkpoint, options = root / "examples/digits_mixer.pth", CompileOptions()
    with np.load(digits) as data:
        images, labels = data["x"][:4], data["y"][:4].astype(np.int64)
    cases = [
        (labels[:3], "for 4 images"),
        (labels + 7, "classes 0..9"),
        (labels.astype(float), "give array.astype('int64')"),
    ]
    for given, text in cases:
        with pytest.raises(SnnccError, match="labels are") as caught:
            compile_checkpoint(checkpoint, options, Given(evaluation=images, labels=given))
        assert caught.value.code == "SNN016"
        assert text in str(caught.value)
    with pytest.raises(SnnccError, match="no images") as caught:
        compile_checkpoint(checkpoint, options, Given(labels=labels))
    assert caught.value.code == "SNN001"


def test_labels_need_images(root: Path, tmp_path: Path, digits: str) -> None:
    assert compile_it(root, tmp_path, "--labels", f"{digits}:y") == 2


def test_labels_of_calibration_images_are_those_of_the_images_judged(
    root: Path, digits: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When not all of them fit the memory, labels are thinned out as the images are."""
    with np.load(digits) as data:
        images, labels = data["x"], data["y"].astype(np.int64)
    monkeypatch.setattr("snncc.quantize.calibration.MEMORY", 1 << 22)
    options = CompileOptions(normalize=((0.3,), (0.35,)))
    found = compile_checkpoint(
        root / "examples/digits_mixer.pth", options, Given(images, labels=labels)
    ).report["fidelity"]
    assert found["images"] < 40
    assert found["reference_accuracy"] >= 0.8


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_reference_logits_that_are_not_finite_are_refused(
    root: Path, tmp_path: Path, digits: str, bad: float, capsys: pytest.CaptureFixture[str]
) -> None:
    assert compile_it(root, tmp_path, "--normalize", RIGHT) == 0
    with np.load(digits) as data:
        logits = data["logits"].copy()
    logits[3, 2] = logits[7] = bad
    np.savez(tmp_path / "bad.npz", logits=logits)
    capsys.readouterr()
    given = [f"{digits}:x", "--reference", f"{tmp_path / 'bad.npz'}:logits"]
    assert run(["run", str(tmp_path / "p.snncc"), *given]) == 3
    said = capsys.readouterr().err
    assert "SNN016" in said
    assert "2 of 40 images are not finite, of image 3 first" in said
