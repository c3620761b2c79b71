"""Pictures as SVG inside a page: the page's colours and fonts, the same bytes each time."""

import io
import re
import warnings
from collections.abc import Callable
from typing import Any

from snncc.report.extras import library
from snncc.report.pictures.style import Palette

WIDTH = 5.6
"""Inches of every picture; a phone shows them at two thirds of that."""
LEFT, RIGHT, TOP, BOTTOM = 1.75, 0.2, 0.36, 0.5
BARE = 0.08
"""Inches around the axes; names of layers stand on the left. `BARE` is above, without a legend."""
NAMES = {
    "#0a0b01": "ink",
    "#0a0b02": "faint",
    "#0a0b03": "own",
    "#0a0b04": "other",
    "#0a0b05": "alarm",
    "#0a0b06": "strict",
    "#0a0b07": "shift-add",
    "#0a0b08": "bit-serial",
    "#0a0b09": "none",
}
"""Colours that no picture has: each stands for a variable of the page, dark or light."""
_INK, _FAINT, _OWN, _OTHER, _ALARM, *_LEVELS = NAMES
PAGE = Palette(_INK, _FAINT, _OWN, _OTHER, _ALARM, (_LEVELS[0], _LEVELS[1], _LEVELS[2], _LEVELS[3]))

_COLOUR = re.compile("|".join(NAMES))
_LEFT_OUT = re.compile(
    r"<\?xml.*?\?>|<!DOCTYPE.*?>|<metadata>.*?</metadata>|<defs>\s*<style.*?</style>\s*</defs>"
    r'| xmlns(:\w+)?="[^"]*"|(?<=<g) id="[^"]*"|<!--.*?-->',
    re.DOTALL,
)


def svg_of(
    name: str,
    draw: Callable[[Any], object],
    height: float,
    left: float = LEFT,
    right: float = RIGHT,
    top: float = TOP,
) -> str:
    """One picture.

    Args:
        name: of it in the page: what its inner references begin with.
        draw: on matplotlib's axes.
        height: of the axes, in inches.
        left: room for labels, in inches.
        right: room beside the axes, likewise.
        top: room above them, for a legend.

    Raises:
        SnnccError: SNN050 without matplotlib.
    """
    matplotlib, figures = (library(n, "a report") for n in ("matplotlib", "matplotlib.figure"))
    whole = height + top + BOTTOM
    settings = {"svg.hashsalt": name, "svg.fonttype": "none", "font.family": "DejaVu Sans"}
    held = io.BytesIO()
    with matplotlib.rc_context(settings), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph", UserWarning)  # the browser has other fonts
        figure = figures.Figure(figsize=(WIDTH, whole))
        place = (left / WIDTH, BOTTOM / whole, (WIDTH - left - right) / WIDTH, height / whole)
        draw(figure.add_axes(place))
        nothing = {"Date": None, "Creator": None, "Format": None, "Type": None}
        figure.savefig(held, format="svg", transparent=True, metadata=nothing)
    return in_page(held.getvalue().decode("utf-8"))


def in_page(svg: str) -> str:
    """An SVG file as a part of a page: no header, no addresses, colours by name."""
    bare = _LEFT_OUT.sub("", svg)
    return _COLOUR.sub(lambda found: f"var(--{NAMES[found[0]]})", bare).strip()


def of_rows(count: int) -> float:
    """Inches for so many rows; close together where there are many."""
    return 0.35 + count * (0.22 if count <= 40 else 0.16)
