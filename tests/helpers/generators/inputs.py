"""Images for random programs: dark, bright, black, white, pixels of all or nothing."""

import numpy as np

from snncc.ir import Graph
from snncc.ir.dialects.projections import Frames


def images(graph: Graph, seed: int, count: int) -> np.ndarray:
    """uint8 [count, *axes of the image]; the first is white, the second all or nothing."""
    shape = graph.select(Frames)[0].type.shape
    rng = np.random.default_rng([seed, 6])
    brightest = rng.choice([2, 8, 64, 256], (count, *(1 for _ in shape)))
    drawn = (rng.random((count, *shape)) * brightest).astype(np.uint8)
    if count > 0:
        drawn[0] = 255
    if count > 1:
        drawn[1] = 255 * rng.integers(0, 2, shape)
    return drawn
