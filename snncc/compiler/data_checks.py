"""What is wrong, or looks wrong, with the labels and the normalisation that a user gives."""

from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager

import numpy as np
from numpy.typing import NDArray

from snncc.compiler.options import CompileOptions
from snncc.data.labels import require_known_classes, require_label_each, whole_labels
from snncc.diagnostics import SnnccError
from snncc.ir import Graph
from snncc.ir.images import ImageSource
from snncc.runtime.answers import class_axis

UNUSUAL = 1e6
"""Pixels of this size are no whitened, scaled or raw images."""


def normalisation_notes(normalization: tuple[Sequence[float], Sequence[float]]) -> list[str]:
    """A warning where a mean or deviation is of pixels 0..255, though pixels are 0..1 by then."""
    means, stds = normalization
    large = [value for value in (*means, *stds) if abs(value) > 1.0]
    if not large:
        return []
    return [
        f"warning: --normalize has {large[0]:g}, but pixels are divided by 255 first: they enter "
        f"as (x / 255 - mean) / std. For numbers of pixels 0..255 give {large[0]:g}/255 = "
        f"{large[0] / 255.0:.6g} and so on"
    ]


@contextmanager
def naming_normalisation(options: CompileOptions) -> Generator[None]:
    """Says of constants that are too large that they came of what pixels were made.

    Raises:
        SnnccError: SNN001 naming --normalize in place of SNN033 or SNN034, where it makes pixels
            larger than any network is trained on.
    """
    try:
        yield
    except SnnccError as error:
        low, high = options.pixel_bounds
        if error.code not in ("SNN033", "SNN034") or max(-low, high) < UNUSUAL:
            raise
        first = error.findings[0]
        raise SnnccError(
            "SNN001",
            f"--normalize makes pixels of {low:g} to {high:g}, which this network has no room for",
            first.loc,
            why=first.message,
            help="give mean and standard deviation of pixels / 255, mostly between 0 and 1; if "
            "these are meant, it is the module's own constants that are too large",
        ) from error


Labels = NDArray[np.int64] | Callable[[int], NDArray[np.int64]]
"""One class for each image [n]; for class folders a function of the number of classes."""


def check_labels(labels: Labels | None, images: ImageSource | None) -> None:
    """Passes one label for each image.

    Raises:
        SnnccError: SNN001 without images, SNN016 when the numbers differ or they are no integers.
    """
    if labels is None:
        return
    if images is None:
        raise SnnccError(
            "SNN001",
            "labels, but no images that they belong to",
            help="give evaluation or calibration images",
        )
    if callable(labels):
        return  # each file has its own
    require_label_each(whole_labels(labels), len(images))


def labels_for(given: Labels, graph: Graph) -> NDArray[np.int64]:
    """Labels that the network has a class for. Raises SnnccError (SNN016) for others."""
    shape = graph[graph.output].type.shape
    classes = shape[class_axis(shape)]
    labels = given(classes) if callable(given) else given
    require_known_classes(labels, classes, "network")
    return labels
