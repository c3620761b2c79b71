"""Labels are checked by one rule, with one wording, by commands, compiler and Python API."""

from pathlib import Path

import numpy as np
import pytest

import snncc
from snncc.cli.run.truth import labels_of
from snncc.compiler.data_checks import check_labels
from snncc.data.files import read_labels
from snncc.data.labels import require_known_classes
from snncc.diagnostics import SnnccError

IMAGES = np.zeros((4, 1, 2, 2), np.uint8)


@pytest.mark.parametrize(
    ("labels", "said"),
    [
        (np.zeros(4), "array.astype('int64')"),
        (np.full(4, 0.5), "one integer for each image"),
        (np.zeros((4, 1), np.int64), "array[:, 0]"),
        (np.zeros((4, 10)), "array.argmax(1)"),
        (np.array([True] * 4), "one integer for each image"),
    ],
)
def test_the_form_of_labels_is_refused_alike(
    labels: np.ndarray, said: str, tmp_path: Path, root: Path
) -> None:
    np.save(tmp_path / "y.npy", labels)
    errors = []
    for call in (
        lambda: read_labels(str(tmp_path / "y.npy"), "x.npy"),
        lambda: check_labels(labels, IMAGES),
        lambda: snncc.compile(root / "none.pth", evaluate=IMAGES, labels=labels),
    ):
        with pytest.raises(SnnccError) as caught:
            call()
        errors.append(caught.value.findings[0])
    assert {error.code for error in errors} == {"SNN016"}
    assert {error.help for error in errors} == {errors[0].help}
    assert said in errors[0].help
    assert errors[1].message == errors[2].message
    assert errors[0].message == f"{errors[1].message}: {tmp_path / 'y.npy'}"


def test_the_number_of_labels_is_refused_alike(tmp_path: Path) -> None:
    labels = np.zeros(3, np.int64)
    np.save(tmp_path / "y.npy", labels)
    errors = []
    for call in (
        lambda: labels_of(str(tmp_path / "y.npy"), IMAGES, "x.npy", None, 4, 10),
        lambda: check_labels(labels, IMAGES),
    ):
        with pytest.raises(SnnccError) as caught:
            call()
        errors.append(caught.value.findings[0])
    assert errors[0].message.startswith(errors[1].message)
    assert errors[1].message == "3 labels for 4 images"
    assert (errors[0].why, errors[0].help) == (errors[1].why, errors[1].help)


def test_no_labels_have_no_wrong_class() -> None:
    require_known_classes(np.zeros(0, np.int64), 10, "program")
