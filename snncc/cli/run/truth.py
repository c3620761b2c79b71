"""What `snncc run` compares answers with: labels, and the original network's logits."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from snncc.diagnostics import SnnccError


def agreeing(one: Any, other: Any) -> float:
    """Share of images [n] with the same class."""
    return float((np.asarray(one) == np.asarray(other)).mean())


def labels_of(
    spec: str, given: Any, data: str, limit: int | None, count: int, classes: int
) -> NDArray[np.int64]:
    from snncc.cli.labels import place_of_labels, read_all_labels
    from snncc.data.labels import require_known_classes, require_label_each

    labels: NDArray[np.int64] = read_all_labels(spec, given, data, classes)[:limit]
    where = place_of_labels(spec, given, data)
    require_label_each(labels, count, where)
    require_known_classes(labels, classes, "program", where)
    return labels


def reference_of(spec: str, data: str, limit: int | None, count: int, classes: int) -> Any:
    from snncc.data.files import read_array
    from snncc.data.specs import beside

    logits = read_array(beside(spec, data))[:limit]
    if logits.shape != (count, classes) or not np.issubdtype(logits.dtype, np.floating):
        raise SnnccError(
            "SNN016",
            f"reference logits are {logits.dtype} {list(logits.shape)}, not float [{count}, "
            f"{classes}]: {beside(spec, data)}",
        )
    bad = np.flatnonzero(~np.isfinite(logits).all(axis=1))
    if bad.size:
        raise SnnccError(
            "SNN016",
            f"reference logits of {bad.size} of {count} images are not finite, of image {bad[0]} "
            "first",
            why="NaN and infinity have no largest class to compare with",
            help="find out where the original network's answers became NaN or infinite",
        )
    return logits
