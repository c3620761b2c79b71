"""What answers are compared with: labels, and the classes that another network chose."""

import numpy as np
from numpy.typing import NDArray

from snncc.data.files import read_labels
from snncc.data.labels import require_known_classes, require_label_each
from snncc.data.specs import beside
from snncc.diagnostics import SnnccError
from snncc.evaluation.reading import open_array
from snncc.evaluation.sources import Source

AT_ONCE = 4096
"""Rows of logits of which the largest is looked for at once."""


def labels_of(
    spec: str | NDArray[np.int64] | None, source: Source, data: str, count: int, classes: int
) -> NDArray[np.int64] | None:
    """Classes of the first images [count]; None where none are given.

    Args:
        spec: "folders", "cls", a key of the data's file, a file of labels, or classes.
        source: of the images.
        data: where they come from.
        count: of the images.
        classes: of the program.

    Raises:
        SnnccError: SNN001, SNN015 or SNN016 when there are none there, or they are no labels.
    """
    if spec is None:
        return None
    where = ""
    if isinstance(spec, str):
        own = source.own_labels(spec, classes)
        given, where = read_labels(spec, data) if own is None else own, f"{data}: {spec}"
    else:
        given = spec
    labels = given[:count]
    require_label_each(labels, count, where)
    require_known_classes(labels, classes, "program", where)
    return labels


def reference_of(spec: str, data: str, count: int, classes: int) -> NDArray[np.int64]:
    """The class with the largest logit, of the first images [count].

    Raises:
        SnnccError: SNN015 when logits cannot be read, SNN016 when they are not one row of finite
            numbers for each image.
    """
    where = beside(spec, data)
    logits = open_array(where)
    if (
        logits.ndim != 2
        or len(logits) < count
        or logits.shape[1] != classes
        or (not np.issubdtype(logits.dtype, np.floating))
    ):
        raise SnnccError(
            "SNN016",
            f"reference logits are {logits.dtype} {list(logits.shape)}, not float [{count}, "
            f"{classes}]: {where}",
        )
    chosen = np.empty(count, np.int64)
    for start in range(0, count, AT_ONCE):
        part = np.asarray(logits[start : min(count, start + AT_ONCE)])
        if not np.isfinite(part).all():
            raise SnnccError(
                "SNN016",
                f"reference logits are not finite: {where}",
                why="NaN and infinity have no largest class to compare with",
                help="find out where the original network's answers became NaN or infinite",
            )
        chosen[start : start + len(part)] = part.argmax(axis=1)
    return chosen
