"""Where cores lie on the mesh, and how full they are."""

from typing import Any

from snncc.report.cores import CoreFacts
from snncc.report.extras import library
from snncc.report.pictures.style import PAPER, Palette, plain


def cores(axes: Any, found: CoreFacts, palette: Palette = PAPER) -> Any:
    """A square for each tile, a bar in it for each of its cores that is used."""
    patches = library("matplotlib.patches", "a picture")
    plain(axes, palette, "column of tiles", "row")
    columns = found.columns * found.chips
    for column in range(columns):
        for row in range(found.rows):
            frame = (column - 0.46, row - 0.46)
            axes.add_patch(
                patches.Rectangle(
                    frame, 0.92, 0.92, facecolor="none", edgecolor=palette.faint, linewidth=0.5
                )
            )
    width = 0.86 / found.per_tile
    for core in found.cores:
        left = core.column - 0.43 + core.place * width
        bottom = core.row + 0.43
        axes.add_patch(
            patches.Rectangle(
                (left, bottom - 0.86 * core.share),
                width * 0.8,
                0.86 * core.share,
                facecolor=palette.own,
                linewidth=0,
            )
        )
    for chip in range(1, found.chips):
        axes.axvline(chip * found.columns - 0.5, color=palette.alarm, linewidth=1)
    axes.set_xticks(range(0, columns, max(1, columns // 12)))
    axes.set_yticks(range(0, found.rows, max(1, found.rows // 12)))
    axes.set_xlim(-0.5, columns - 0.5)
    axes.set_ylim(found.rows - 0.5, -0.5)
    axes.set_aspect("equal")
    return axes
