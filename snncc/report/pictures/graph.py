"""The network as a graph, for paper; the page draws the same places itself, to be clicked."""

from collections.abc import Sequence
from typing import Any

from snncc.report.extras import library
from snncc.report.layout import HEIGHT, WIDTH, layout
from snncc.report.network import NodeFacts
from snncc.report.pictures.style import PAPER, Palette, short

ORDER = ("strict", "shift-add", "bit-serial", "none")


def graph(axes: Any, nodes: Sequence[NodeFacts], palette: Palette = PAPER) -> Any:
    """Boxes for populations, outlines for all else, coloured by level; from the image down."""
    patches = library("matplotlib.patches", "a picture")
    found = layout([node.name for node in nodes], {node.name: node.inputs for node in nodes})
    for arrow in found.arrows:
        across, down = zip(*arrow.points, strict=True)
        axes.plot(across, down, color=palette.faint, linewidth=0.8, zorder=0)
    for node in nodes:
        x, y = found.centres[node.name]
        colour = palette.levels[ORDER.index(node.level)]
        fires = node.shape == "population"
        corner = (x - WIDTH / 2, y - HEIGHT / 2)
        box = {"facecolor": "none", "edgecolor": colour, "linewidth": 1.8 if fires else 0.8}
        axes.add_patch(patches.Rectangle(corner, WIDTH, HEIGHT, **box))
        for line, height in ((short(node.name, 24), -8), (below(node), 9)):
            axes.text(
                *(x, y + height, line),
                **{"ha": "center", "va": "center", "fontsize": 6, "color": palette.ink},
                parse_math=False,
            )
    axes.set_xlim(0, found.width)
    axes.set_ylim(found.height, 0)
    axes.set_aspect("equal")
    axes.set_axis_off()
    return axes


def below(node: NodeFacts) -> str:
    """The second line of a box: what it is, its axes and its bits."""
    sizes = " x ".join(str(size) for name, size in node.axes if name != "t")
    width = "" if node.bits is None else f" · {node.bits} bit"
    return f"{node.op if node.shape != 'population' else 'neurons'} {sizes}{width}"
