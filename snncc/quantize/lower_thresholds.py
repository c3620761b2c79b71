"""Staircases in integers: the least whole number that has passed each threshold."""

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from snncc.ir import Node
from snncc.ir.dialects.thresholds import LEVEL, MultiThreshold
from snncc.passes.levels import by_level
from snncc.passes.named import Named, join
from snncc.quantize.whole_levels import RELATIVE_TIE

if TYPE_CHECKING:
    from snncc.quantize.lower_to_integers import Lowering

Real = NDArray[np.float64]


def lowered_staircase(at: "Lowering", node: Node, op: MultiThreshold, source: str) -> str:
    """X of unit u passes k iff X >= ceil(k / u); for > the next whole number after k / u.

    Nothing is rounded but what float64 made of k / u itself: as of neurons, a level that only its
    last bits keep from being whole is whole. Thresholds that no current reaches stand just beyond.
    """
    current = at.rewriter.new[source].type
    unit = at.units.unit[node.inputs[0]] * Named.scalar(2.0 ** -at.fraction[source])
    thresholds = at.rewriter.named(op.thresholds, 0.0)
    above, polarity = at.rewriter.named(op.above, 0.0), at.rewriter.named(op.polarity, 1.0)
    rest = (n for n in join(thresholds.axes, unit.axes, polarity.axes, above.axes) if n != LEVEL)
    axes = (*rest, LEVEL)
    strict = above.over(axes) != 0.0
    levels = thresholds.over(axes) / unit.over(axes)
    silent = (thresholds.over(axes) > 0.0) | (strict & (thresholds.over(axes) == 0.0))
    whole = np.where(polarity.over(axes) == 0.0, silent, _least(levels, strict))
    reach = max(map(abs, current.range or (0, 0))) + 1
    whole = np.sort(np.clip(whole, -reach, reach), axis=-1)
    new = at.rewriter.new
    stored = by_level(Named(axes, whole), node, new, f"{node.name}.thresholds")
    stored = at.integers(stored, new.context.array(stored))
    signs = None
    if not (polarity.array == 1.0).all():
        signs = at.field(node, "polarity", polarity, node.type.names)
    made = MultiThreshold(stored, signs, op.lowest)
    return at.rewriter.emit(node, made, source)


def _least(levels: Real, strict: NDArray[np.bool_]) -> Real:
    """The least integer that is >= each level, or > it where that is strict."""
    nearest = np.rint(levels)
    tied = np.abs(levels - nearest) <= RELATIVE_TIE * np.abs(levels)
    found: Real = np.where(tied, nearest + strict, np.ceil(levels))
    return found
