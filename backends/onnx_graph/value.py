"""Values of an ONNX graph with named axes."""

from dataclasses import dataclass
from typing import Any

import numpy as np

BATCH = "batch"
"""Name of the batch axis in metadata; an axis of a program may have it too."""
LEADING = "[batch]"
"""The batch axis of a `Value`: no axis of a program has brackets in its name."""
Dtype = np.dtype[Any]


@dataclass(frozen=True)
class Value:
    """A tensor of the graph under construction.

    Attributes:
        made: the value of onnx_ir.
        axes: names of its dimensions in order; `LEADING` is the batch. It has the full length along
            each of them, except in constants, which have length 1 where they do not differ.
        dtype: of its elements.
    """

    made: Any
    axes: tuple[str, ...]
    dtype: Dtype
