"""Which classes are taken for which."""

from typing import Any

from snncc.report.answers import AnswerFacts
from snncc.report.pictures.style import PAPER, Palette, plain

NUMBERED = 14
"""Classes up to which every cell has its number."""


def confusion(axes: Any, found: AnswerFacts, palette: Palette = PAPER) -> Any:
    """A square for each pair of classes that occurs; the wrong ones are of another colour."""
    patches = _patches()
    plain(axes, palette, "the program's answer", found.rows)
    total: dict[int, int] = {}
    for row, _, images in found.confusion:
        total[row] = total.get(row, 0) + images
    for row, column, images in found.confusion:
        colour = palette.own if row == column else palette.alarm
        strength = 0.15 + 0.75 * images / total[row]
        axes.add_patch(
            patches.Rectangle(
                (column - 0.5, row - 0.5), 1, 1, facecolor=colour, alpha=strength, linewidth=0
            )
        )
        if found.classes <= NUMBERED:
            axes.text(
                column, row, str(images), ha="center", va="center", fontsize=8, color=palette.ink
            )
    ticks = range(0, found.classes, max(1, found.classes // 12))
    axes.set_xticks(ticks)
    axes.set_yticks(ticks)
    axes.set_xlim(-0.5, found.classes - 0.5)
    axes.set_ylim(found.classes - 0.5, -0.5)
    axes.set_aspect("equal")
    return axes


def _patches() -> Any:
    from snncc.report.extras import library

    return library("matplotlib.patches", "a picture")
