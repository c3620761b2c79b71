"""Images for random programs: dark, bright, black, white, pixels of all or nothing."""

import numpy as np

from snncc.ir import Graph
from snncc.ir.dialects.projections import Frames
from snncc.ir.types import BYTE


def images(graph: Graph, seed: int, count: int) -> np.ndarray:
    """[count, *axes of the image]; of bytes the first is white, the second all or nothing."""
    entry = graph.select(Frames)[0].type
    shape, (low, high) = entry.shape, entry.domain or BYTE
    rng = np.random.default_rng([seed, 6])
    if (low, high) != BYTE:
        return rng.integers(low, high + 1, (count, *shape)).astype(entry.dtype)
    brightest = rng.choice([2, 8, 64, 256], (count, *(1 for _ in shape)))
    drawn = (rng.random((count, *shape)) * brightest).astype(np.uint8)
    if count > 0:
        drawn[0] = 255
    if count > 1:
        drawn[1] = 255 * rng.integers(0, 2, shape)
    return drawn
