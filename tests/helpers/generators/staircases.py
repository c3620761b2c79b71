"""Moves of hybrids: counts of passed thresholds, read by maps, windows, gates and products."""

import numpy as np

from generators.grown import Grown
from generators.products import PRODUCTS, count, map_of_count, move_count, product_of_count
from snncc.ir import TIME, Param
from snncc.ir.dialects.thresholds import LEVEL, MultiThreshold


def staircase(g: Grown) -> str | None:
    """Thresholds around the reach of a current, at and beyond its ends, some of them equal."""
    draw, source = g.draw, g.recent()
    kind, axes = g.kind(source), g.axes(source)
    low, high = kind.range or (0, 0)
    levels = draw.one([1, 1, 2, 3, 7, 15, 255, 300])
    over = [n for n in axes if draw.chance(0.4)]
    over = [TIME, *over] if draw.chance(0.15) else over
    shape = [*g.sizes(axes, *over), levels]
    if np.prod(shape) > 20_000:
        over, shape = [], [levels]
    middle, far = (low + high) // 2, max(1, (high - low) // draw.one([2, 20, 200]))
    found = draw.rng.integers(middle - far, middle + far + 2, shape)
    if draw.chance(0.3):
        found = np.where(draw.rng.random(shape) < 0.3, draw.one([low, high, high + 1]), found)
    thresholds = g.param(np.sort(found, axis=-1), *over, LEVEL)
    op = MultiThreshold(thresholds, polarity(g, axes), draw.one([0, 0, 0, -levels, -levels // 2]))
    made = count(g, g.put(op, source))
    if made is not None and draw.chance(0.7):
        draw.one((move_count, product_of_count, map_of_count))(g)
    return made


def polarity(g: Grown, axes: dict[str, int]) -> Param | None:
    """Signs along some axes, a 0 here and there; or none."""
    draw = g.draw
    if draw.chance(0.5):
        return None
    over = [n for n in axes if draw.chance(0.4)]
    over = [TIME, *over] if draw.chance(0.1) else over
    signs = draw.rng.choice([-1, -1, 1, 1, 0], g.sizes(axes, *over))
    return g.param(signs, *over)


STAIRCASES = (*PRODUCTS, *(staircase,) * 20)
"""To be drawn more often than all other moves."""
