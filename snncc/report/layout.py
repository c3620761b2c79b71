"""Where the nodes of a graph are drawn: rows by the longest way from the image, few crossings.

An arrow that spans several rows gets a place in each row between, one for all readers of the same
value; so it goes around nodes and not behind them. What a delay reads of later nodes leads back up,
and says nothing about rows.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

WIDTH, HEIGHT = 176, 44
"""Of a box, in pixels."""
LANE = 22
"""Of an arrow that passes by."""
GAP_X, GAP_Y = 22, 34
SWEEPS = 4
Slot = tuple[str, int]
"""A value in a row: the node itself in its own row, its arrow in later ones."""


@dataclass(frozen=True)
class Arrow:
    """From a value to a reader, through points from the bottom of one box to the top of another."""

    source: str
    target: str
    points: tuple[tuple[float, float], ...]


@dataclass(frozen=True)
class Layout:
    """A drawing, in pixels from the upper left corner.

    Attributes:
        width, height: of all of it.
        centres: of every box, by name.
        arrows: what reads what.
    """

    width: float
    height: float
    centres: Mapping[str, tuple[float, float]]
    arrows: tuple[Arrow, ...]


def layout(names: Sequence[str], inputs: Mapping[str, Sequence[str]]) -> Layout:
    """Places nodes.

    Args:
        names: in topological order, but for what leads back.
        inputs: what each reads.
    """
    rank: dict[str, int] = {}
    down: dict[str, list[str]] = {}
    for name in names:
        down[name] = [source for source in inputs[name] if source in rank]
        rank[name] = 1 + max((rank[source] for source in down[name]), default=-1)
    last = dict(rank)
    for name in names:
        for source in down[name]:
            last[source] = max(last[source], rank[name] - 1)
    rows: list[list[Slot]] = [[] for _ in range(1 + max(rank.values(), default=0))]
    for name in names:
        for row in range(rank[name], last[name] + 1):
            rows[row].append((name, row))
    above: dict[Slot, list[Slot]] = {}
    for name in names:
        above[(name, rank[name])] = [(source, rank[name] - 1) for source in down[name]]
        for row in range(rank[name] + 1, last[name] + 1):
            above[(name, row)] = [(name, row - 1)]
    _order(rows, above)
    return _placed(rows, rank, inputs)


def _order(rows: list[list[Slot]], above: Mapping[Slot, list[Slot]]) -> None:
    """Sorts each row by the mean place of the neighbours, down and up in turn."""
    below: dict[Slot, list[Slot]] = {slot: [] for row in rows for slot in row}
    for slot, sources in above.items():
        for source in sources:
            below[source].append(slot)
    place = {slot: at for row in rows for slot, at in _shares(row)}
    for sweep in range(SWEEPS):
        down = sweep % 2 == 0
        neighbours = above if down else below
        for row in rows if down else reversed(rows):
            row.sort(key=lambda slot: _mean([place[n] for n in neighbours[slot]], place[slot]))
            place.update(_shares(row))


def _shares(row: Sequence[Slot]) -> list[tuple[Slot, float]]:
    """Each slot with its place, from 0 at the left end to 1 at the right."""
    return [(slot, (i + 0.5) / len(row)) for i, slot in enumerate(row)]


def _mean(values: Sequence[float], default: float) -> float:
    return sum(values) / len(values) if values else default


def _placed(
    rows: list[list[Slot]], rank: Mapping[str, int], inputs: Mapping[str, Sequence[str]]
) -> Layout:
    def wide(slot: Slot) -> int:
        return WIDTH if rank[slot[0]] == slot[1] else LANE

    widths = [sum(map(wide, row)) + GAP_X * (len(row) - 1) for row in rows]
    width = float(max(widths, default=0) + 2 * GAP_X)
    at: dict[Slot, tuple[float, float]] = {}
    for number, row in enumerate(rows):
        x, y = (width - widths[number]) / 2, GAP_X + HEIGHT / 2 + number * (HEIGHT + GAP_Y)
        for slot in row:
            at[slot] = (x + wide(slot) / 2, y)
            x += wide(slot) + GAP_X
    arrows = tuple(
        Arrow(source, name, _way(at, rank, source, name))
        for name in rank
        for source in dict.fromkeys(inputs[name])
    )
    height = float(2 * GAP_X + len(rows) * (HEIGHT + GAP_Y) - GAP_Y)
    return Layout(width, height, {name: at[(name, row)] for name, row in rank.items()}, arrows)


def _way(
    at: Mapping[Slot, tuple[float, float]], rank: Mapping[str, int], source: str, target: str
) -> tuple[tuple[float, float], ...]:
    (x, y), (to_x, to_y) = at[(source, rank[source])], at[(target, rank[target])]
    if rank[source] >= rank[target]:  # back, to a delay: from the top of one to the other's bottom
        return ((x, y - HEIGHT / 2), (to_x, to_y + HEIGHT / 2))
    between = [at[(source, row)] for row in range(rank[source] + 1, rank[target])]
    return ((x, y + HEIGHT / 2), *between, (to_x, to_y - HEIGHT / 2))
