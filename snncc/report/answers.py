"""What the program answers, beside labels and beside the original network."""

from collections import Counter
from dataclasses import dataclass

import numpy as np

from snncc.ir import Array

SHOWN = 12
"""Images on which program and original differ that are shown."""


@dataclass(frozen=True)
class Answer:
    """One image.

    Attributes:
        image: its number.
        program: the class that the program answers.
        original: that of the original network; None without a reference.
        label: None without labels.
    """

    image: int
    program: int
    original: int | None
    label: int | None


@dataclass(frozen=True)
class AnswerFacts:
    """Answers to all images.

    Attributes:
        images, classes: how many.
        accuracy: of the program; None without labels.
        original_accuracy: likewise, of the original network.
        agreement: share of images with the original's answer; None without a reference.
        rows: what the rows of the matrix are: "label" or "original"; "" without either.
        confusion: (row, the program's class, images), those that are not 0.
        differing: images on which program and original differ, the first `SHOWN`.
        differ: how many there are.
    """

    images: int
    classes: int
    accuracy: float | None = None
    original_accuracy: float | None = None
    agreement: float | None = None
    rows: str = ""
    confusion: tuple[tuple[int, int, int], ...] = ()
    differing: tuple[Answer, ...] = ()
    differ: int = 0


def answers_of(
    predictions: Array, classes: int, labels: Array | None = None, original: Array | None = None
) -> AnswerFacts:
    """Compares answers.

    Args:
        predictions: of the program, [n].
        classes: how many there are.
        labels: [n].
        original: predictions of the original network, [n].
    """
    truth = original if labels is None else labels
    pairs = Counter[tuple[int, int]]()
    if truth is not None:
        pairs.update(zip(map(int, truth), map(int, predictions), strict=True))
    wrong: Array = np.zeros(0, np.int64)
    if original is not None:
        wrong = np.flatnonzero(predictions != original)
    rows = "" if truth is None else "label" if labels is not None else "original"
    return AnswerFacts(
        len(predictions),
        classes,
        _share(predictions, labels),
        _share(original, labels),
        _share(predictions, original),
        rows,
        tuple((row, column, n) for (row, column), n in sorted(pairs.items())),
        tuple(_answer(int(i), predictions, original, labels) for i in wrong[:SHOWN]),
        len(wrong),
    )


def _share(one: Array | None, other: Array | None) -> float | None:
    return None if one is None or other is None else float((one == other).mean())


def _answer(i: int, predictions: Array, original: Array | None, labels: Array | None) -> Answer:
    own, other = (None if each is None else int(each[i]) for each in (original, labels))
    return Answer(i, int(predictions[i]), own, other)
