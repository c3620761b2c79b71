"""Pictures of single neurons: a raster, and the membranes of two executions."""

from collections.abc import Sequence
from typing import Any

from snncc.report.difference import First
from snncc.report.pictures.style import PAPER, Palette, legend, plain
from snncc.report.raster import Raster


def raster(axes: Any, found: Raster, palette: Palette = PAPER) -> Any:
    """Spikes of some neurons, image after image; where another execution differs is marked."""
    plain(axes, palette, "image", "neuron")
    columns = found.images * found.steps
    differing = set(found.differing or ())
    _bars(axes, [place for place in found.spikes if place not in differing], palette.own, "spike")
    if found.differing:
        ours = [place for place in found.spikes if place in differing]
        theirs = [place for place in found.differing if place not in set(ours)]
        _bars(axes, ours, palette.alarm, "only in this program")
        _bars(axes, theirs, palette.other, "only in the other")
        legend(axes, palette)
    every = range(0, columns + 1, found.steps)
    for column in every:
        axes.axvline(column, color=palette.faint, linewidth=0.5, zorder=0)
    shown = range(0, found.images, max(1, found.images // 8))
    axes.set_xticks([(image + 0.5) * found.steps for image in shown])
    axes.set_xticklabels([str(image) for image in shown])
    few = max(1, len(found.neurons) // 8)
    axes.set_yticks([i + 0.5 for i in range(0, len(found.neurons), few)])
    axes.set_yticklabels([str(found.neurons[i]) for i in range(0, len(found.neurons), few)])
    axes.set_xlim(0, columns)
    axes.set_ylim(max(1, len(found.neurons)), 0)
    return axes


def _bars(axes: Any, places: Sequence[tuple[int, int]], colour: str, label: str) -> None:
    """Upright bars, all in one path: a mark for each would make the page large."""
    x: list[float] = []
    y: list[float] = []
    for row, column in places:
        x += [column + 0.5, column + 0.5, float("nan")]
        y += [row + 0.12, row + 0.88, float("nan")]
    if places:
        axes.plot(x, y, color=colour, linewidth=1.8, solid_capstyle="butt", label=label)


def trace(axes: Any, found: First, palette: Palette = PAPER) -> Any:
    """The membrane of the first neuron that differs, in both executions, at the comparison.

    In thresholds where both are known, for each side counts in units of its own.
    """
    levels = found.trace.levels
    plain(axes, palette, "step", "membrane, in thresholds" if levels else "membrane")
    units = levels or (1, 1)
    for membranes, unit, colour, mark, label in (
        (found.trace.own, units[0], palette.own, "o", "this program"),
        (found.trace.other, units[1], palette.other, "D", "the other"),
    ):
        if membranes:
            shown = [membrane / unit for membrane in membranes]
            axes.plot(range(len(shown)), shown, f"{mark}-", color=colour, markersize=4, label=label)
    if levels:
        axes.axhline(1, color=palette.alarm, linewidth=1.2, label="threshold")
    axes.set_xticks(range(max(len(found.trace.own), len(found.trace.other))))
    axes.grid(color=palette.faint, linewidth=0.5)
    legend(axes, palette)
    return axes
