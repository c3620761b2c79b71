"""What labels must be, wherever they come from: one integer for each image, of a class there is."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from snncc.diagnostics import SnnccError


def whole_labels(labels: NDArray[Any], where: str = "") -> NDArray[np.int64]:
    """Labels as int64 [n].

    Args:
        labels: of any type.
        where: they come from, for messages; "" where the caller knows.

    Raises:
        SnnccError: SNN016 when they are no column of integers.
    """
    if labels.ndim != 1 or labels.dtype.kind not in "iu":
        told = f"labels are {labels.dtype} {list(labels.shape)}{_at(where)}"
        raise SnnccError("SNN016", told, help=_of_form(labels))
    return labels.astype(np.int64)


def require_label_each(labels: NDArray[np.int64], images: int, where: str = "") -> None:
    """Raises SnnccError (SNN016) when labels and images are not as many."""
    if len(labels) != images:
        raise SnnccError(
            "SNN016",
            f"{len(labels)} labels for {images} images{_at(where)}",
            why="labels are one integer for each image",
            help="give one for each of the images, in their order",
        )


def require_known_classes(
    labels: NDArray[np.int64], classes: int, who: str, where: str = ""
) -> None:
    """Raises SnnccError (SNN016) for labels of classes that a program or network does not have."""
    if labels.size and (labels.min() < 0 or labels.max() >= classes):
        raise SnnccError(
            "SNN016",
            f"labels are {labels.min()}..{labels.max()}, the {who} has classes 0..{classes - 1}"
            f"{_at(where)}",
            help="give the labels that the network was trained with",
        )


def _at(where: str) -> str:
    return f": {where}" if where else ""


def _of_form(labels: NDArray[Any]) -> str:
    """What to do with labels that are no column of integers."""
    if labels.ndim == 2 and labels.shape[1] == 1:
        return "give one integer for each image: array[:, 0]"
    if labels.ndim == 2:
        return "give one integer for each image; of one column for each class: array.argmax(1)"
    if labels.ndim == 1 and labels.dtype.kind == "f" and not np.any(labels != np.rint(labels)):
        return "its values are whole: give array.astype('int64')"
    return "give one integer for each image"
