"""The network as an SVG whose nodes can be clicked, and what a click shows."""

from collections.abc import Mapping
from dataclasses import dataclass

from snncc.report.activity import Watched
from snncc.report.facts import Facts
from snncc.report.layout import HEIGHT, WIDTH, Arrow, layout
from snncc.report.network import NodeFacts
from snncc.report.page.sections import percent
from snncc.report.pictures.graph import below
from snncc.report.pictures.style import short
from snncc.report.widths import WidthFacts

LABEL = 23


@dataclass(frozen=True)
class Box:
    """A node in the drawing: place of its corner, its classes, its two lines, its name."""

    x: float
    y: float
    shape: str
    level: str
    title: str
    second: str
    name: str


@dataclass(frozen=True)
class Drawing:
    """All of it, in pixels.

    Attributes:
        width, height: of the drawing.
        box_width, box_height: of each box.
        boxes: in the program's order; a box's place is its number.
        ways: paths of the arrows, with the numbers of both ends.
        details: what a click on a box shows: (title, lines), and the numbers of its neighbours.
    """

    width: float
    height: float
    box_width: int
    box_height: int
    boxes: tuple[Box, ...]
    ways: tuple[tuple[str, int, int], ...]
    details: tuple[dict[str, object], ...]


def drawing_of(facts: Facts) -> Drawing:
    """The drawing of a program."""
    nodes = facts.nodes
    number = {node.name: i for i, node in enumerate(nodes)}
    found = layout([node.name for node in nodes], {node.name: node.inputs for node in nodes})
    boxes = tuple(
        Box(
            found.centres[node.name][0] - WIDTH / 2,
            found.centres[node.name][1] - HEIGHT / 2,
            node.shape,
            node.level,
            short(node.name, LABEL),
            short(below(node), LABEL + 8),
            node.name,
        )
        for node in nodes
    )
    ways = tuple(
        (_path(arrow), number[arrow.source], number[arrow.target]) for arrow in found.arrows
    )
    told = _Told(facts)
    details = tuple(told.details(node, number) for node in nodes)
    return Drawing(found.width, found.height, WIDTH, HEIGHT, boxes, ways, details)


def _path(arrow: Arrow) -> str:
    """A smooth way through the points, upright at each."""
    (x, y), *rest = arrow.points
    parts = [f"M{x:g} {y:g}"]
    for to_x, to_y in rest:
        middle = (y + to_y) / 2
        parts.append(f"C{x:g} {middle:g} {to_x:g} {middle:g} {to_x:g} {to_y:g}")
        x, y = to_x, to_y
    return "".join(parts)


class _Told:
    """What there is to tell of each node, by name."""

    def __init__(self, facts: Facts) -> None:
        self.rates, self.beside = dict(facts.rates), dict(facts.beside)
        self.watched: Mapping[str, Watched] = {each.name: each for each in facts.watched}
        self.work = {each.name: each for each in facts.work}
        self.weights = {each.name: each for each in facts.weights}
        self.widths: dict[str, list[WidthFacts]] = {}
        for width in facts.widths:
            self.widths.setdefault(width.name, []).append(width)

    def details(self, node: NodeFacts, number: Mapping[str, int]) -> dict[str, object]:
        """A title, rows of (what, text), and the numbers of its neighbours."""
        axes = ", ".join(f"{name} {size}" for name, size in node.axes)
        rows: list[tuple[str, str]] = [("op", node.op), ("axes", axes)]
        rows += [("from", source) for source in node.sources] or [("from", "not known")]
        rows += [("fold", fold) for fold in node.folds]
        rows.append(("level", f"{node.level}{': ' * bool(node.reason)}{node.reason}"))
        rows += [("help", node.help)] if node.help else []
        if node.span is not None:
            rows.append(("declared", "{:,}..{:,}".format(*node.span) + f", {node.bits} bits"))
        for width in self.widths.get(node.name, ()):
            proved = f"{width.what} " + "{:,}..{:,}".format(*width.proved)
            rows.append(("proved", f"{proved}, {width.bits[1]} bits"))
            if width.reached is not None:
                reached = "{:,}..{:,}".format(*width.reached)
                rows.append(("reached", f"{reached}, {width.bits[2]} bits"))
        rows += self._behaviour(node.name)
        rows += [("constant", constant) for constant in node.constants]
        return {
            "name": node.name,
            "rows": rows,
            "reads": [number[name] for name in node.inputs],
            "readers": [number[name] for name in node.readers],
        }

    def _behaviour(self, name: str) -> list[tuple[str, str]]:
        rows: list[tuple[str, str]] = []
        if name in self.rates:
            rows.append(("fires", f"{percent(self.rates[name])} of neurons at a step"))
        if name in self.beside:
            found = self.beside[name]
            told = f"{percent(found.rate)} in the float network, {percent(found.flips)} flip"
            rows.append(("fires", told))
        if name in self.watched:
            seen = self.watched[name]
            silent = f"{seen.silent:,} of {seen.neurons:,} neurons never fire"
            rows.append(("neurons", f"{silent}, {seen.steady:,} always"))
        if name in self.weights:
            held = self.weights[name]
            rows.append(("weights", f"{held.count:,} of {held.bits} bits, {held.zeros:,} are 0"))
        if name in self.work:
            done = self.work[name]
            rows.append(("work", f"{done.effective:,.0f} of {done.dense:,.0f} operations an image"))
        return rows
