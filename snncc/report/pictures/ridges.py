"""Distributions, one above the other: membranes against the threshold, weights in their bits."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from snncc.ir import Array
from snncc.report.activity import Watched
from snncc.report.activity import edges as of_membranes
from snncc.report.pictures.style import PAPER, Palette, filled, plain, rows
from snncc.report.weights import WeightFacts
from snncc.report.weights import edges as of_weights

TALL = 0.92
"""Height of the largest bin, in rows."""


def membranes(axes: Any, watched: Sequence[Watched], palette: Palette = PAPER) -> Any:
    """Membranes at the comparison, in thresholds from the threshold; right of the line it fires."""
    borders = of_membranes()
    plain(axes, palette, "membrane minus threshold, in thresholds")
    _ridges(axes, borders, [each.counts for each in watched], palette.own)
    axes.axvline(0, color=palette.alarm, linewidth=1.2)
    rows(axes, [each.name for each in watched], palette)
    axes.set_xlim(borders[0], borders[-1])
    return axes


def weights(axes: Any, found: Sequence[WeightFacts], palette: Palette = PAPER) -> Any:
    """Weights as shares of the largest that their bits hold; the lines are the clip edges.

    A number on the right says how many weights are at an edge.
    """
    borders = of_weights()
    plain(axes, palette, "weight, as a share of the largest that its bits hold")
    _ridges(axes, borders, [each.counts for each in found], palette.own)
    for row, each in enumerate(found):
        if each.clipped:
            axes.text(
                *(1.05, row, f"{each.clipped:,}"),
                **{"fontsize": 7, "va": "center", "color": palette.alarm, "clip_on": False},
            )
    for edge in (-1, 1):
        axes.axvline(edge, color=palette.alarm, linewidth=1.2)
    rows(axes, [each.name for each in found], palette)
    axes.set_xlim(-1.04, 1.04)
    return axes


def _ridges(axes: Any, borders: Array, every: Sequence[Sequence[int]], colour: str) -> None:
    """Bins as steps above each row's base; the root of a count, so that rare ones are seen."""
    shapes: list[list[tuple[float, float]]] = []
    for row, found in enumerate(every):
        counts, base = np.asarray(found), row + 0.4
        kept = np.flatnonzero(counts)
        if kept.size:
            first, last = int(kept[0]), int(kept[-1]) + 1
            high = base - TALL * np.sqrt(counts[first:last] / counts.max())
            at, steps = np.repeat(borders[first : last + 1], 2)[1:-1], np.repeat(high, 2)
            around = [(float(at[0]), base), *zip(at.tolist(), steps.tolist(), strict=True)]
            shapes.append([*around, (float(at[-1]), base)])
    filled(axes, shapes, colour, alpha=0.75)
