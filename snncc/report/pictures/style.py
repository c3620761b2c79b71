"""Colours and measures of all pictures, and what every one of them does alike."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from snncc.diagnostics import printable
from snncc.report.extras import library

LABEL = 24
"""Characters of a name beside an axis; the end of a module path says more than its beginning."""


@dataclass(frozen=True)
class Palette:
    """Colours by what they are for; each as "#rrggbb".

    Attributes:
        ink: text and axes.
        faint: grids and what is of less weight.
        own: this program.
        other: what it is held against.
        alarm: differences, thresholds, what does not fit.
        levels: of the ladder, lowest first.
    """

    ink: str
    faint: str
    own: str
    other: str
    alarm: str
    levels: tuple[str, str, str, str]


PAPER = Palette(
    "#1f2328",
    "#c9ced6",
    "#2f6fb3",
    "#8a6bbf",
    "#c8442b",
    ("#2f6fb3", "#b8860b", "#c4662a", "#c8442b"),
)
"""For axes that people draw themselves; told apart by those who see no red or no green."""


def short(name: str, length: int = LABEL) -> str:
    """A name for a label: no control characters, the end where it is long."""
    seen = printable(name)
    return seen if len(seen) <= length else f"…{seen[1 - length :]}"


def plain(axes: Any, palette: Palette, x: str = "", y: str = "") -> None:
    """The same frame, grid and labels for every picture."""
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    for side in ("left", "bottom"):
        axes.spines[side].set_color(palette.faint)
    axes.tick_params(colors=palette.ink, labelsize=8, length=2)
    axes.set_xlabel(x, color=palette.ink, fontsize=9)
    axes.set_ylabel(y, color=palette.ink, fontsize=9)


def rows(axes: Any, names: Sequence[str], palette: Palette) -> None:
    """One row for each name, the first at the top."""
    axes.set_yticks([])  # a tick has four parts, each drawn: texts alone are several times faster
    at = axes.get_yaxis_transform()
    for row, name in enumerate(names):
        axes.text(
            *(-0.015, row, short(name)),
            **{"transform": at, "ha": "right", "va": "center", "fontsize": 8},
            **{"color": palette.ink, "parse_math": False},
        )
    axes.set_ylim(len(names) - 0.4, -0.9)
    axes.grid(axis="x", color=palette.faint, linewidth=0.5)
    axes.set_axisbelow(True)


def bars(
    axes: Any, values: Sequence[float], colour: str, label: str = "", thick: float = 0.62
) -> None:
    """One bar for each row, from 0."""
    half = thick / 2
    shapes = [
        [(0, row - half), (value, row - half), (value, row + half), (0, row + half)]
        for row, value in enumerate(values)
    ]
    filled(axes, shapes, colour, label)


def filled(
    axes: Any,
    shapes: Sequence[Sequence[tuple[float, float]]],
    colour: str,
    label: str = "",
    alpha: float = 1.0,
) -> None:
    """Polygons, all in one object: one for each would take most of the time of a page."""
    collections = library("matplotlib.collections", "a picture")
    axes.add_collection(
        collections.PolyCollection(
            shapes, facecolors=colour, linewidths=0, label=label or None, alpha=alpha
        ),
        autolim=False,
    )


def legend(axes: Any, palette: Palette, columns: int = 3) -> None:
    """Above the picture, where it hides nothing; bars first, as they were drawn."""
    handles, labels = axes.get_legend_handles_labels()
    order = sorted(range(len(handles)), key=lambda i: not hasattr(handles[i], "get_paths"))
    axes.legend(
        [handles[i] for i in order],
        [labels[i] for i in order],
        loc="lower left",
        bbox_to_anchor=(0, 1),
        ncols=columns,
        frameon=False,
        fontsize=8,
        labelcolor=palette.ink,
        borderaxespad=0.2,
        handlelength=1.4,
    )
