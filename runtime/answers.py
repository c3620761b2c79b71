"""Which class an answer is: the largest number along the only axis that holds several."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from snncc.diagnostics import SnnccError


def class_axis(shape: Sequence[int]) -> int:
    """Which axis of an answer, without the batch, holds the classes: the only one beyond length 1.

    Raises:
        SnnccError: SNN110 when there are several, as in a segmentation.
    """
    long = [i for i, size in enumerate(shape) if size > 1]
    if len(long) > 1:
        raise SnnccError(
            "SNN110",
            f"the program answers with several axes: {list(shape)}",
            why="a prediction is the largest number along one axis, and it is not known which one "
            "holds the classes",
            help="take the logits (-o) and decide yourself",
        )
    return long[0] if long else 0


def predictions_of(logits: NDArray[np.generic]) -> NDArray[np.int64]:
    """The class [n] of every answer [n, *axes].

    Raises:
        SnnccError: SNN110 for answers with several axes.
    """
    if logits.ndim < 2:
        return np.zeros(len(logits), np.int64)
    class_axis(logits.shape[1:])
    return np.asarray(logits.reshape(len(logits), -1).argmax(axis=1), np.int64)
