"""In which real unit each current is counted: one joint scale per channel of whatever meets."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from snncc.ir import TIME, Graph, Node, TypeRuleError
from snncc.ir.dialects.projections import Contract, Convolve
from snncc.ir.dialects.spiking import Affine, Population
from snncc.passes.named import Named
from snncc.quantize.grid_units import Placed, grid_units
from snncc.quantize.unit_rules import UNIT, Classes, Elements, Ids, output_axis

LEAST_SHARE = 0.7
"""Shares of the largest weight from here to 1 are tried as the end of the grid..."""
LOWEST_SHARE = 0.3
"""... and from here, where calibration says that it is better: with very few bits it can be."""
CANDIDATES = 16
"""So many of them, evenly."""
PRODUCTS_FOR_FEW_CANDIDATES = 1 << 33
"""Beyond so many products of inputs with inputs fewer shares are tried: time grows with both."""

Bits = Mapping[str, int]
"""Bits of signed weights by projection."""
Loss = Callable[[Node, NDArray[np.float64], NDArray[np.float64]], NDArray[np.float64]]
"""What rounding rows [o, k] of a projection to steps [o, 1] loses, for each row."""


class Chooser(Protocol):
    """`choose_units` or another rule of a profile."""

    def __call__(
        self, graph: Graph, bits: Bits, loss: Loss, *, least: float = LEAST_SHARE
    ) -> "Units":
        """See `choose_units`."""
        ...


@dataclass(frozen=True)
class Units:
    """Units of all currents.

    Attributes:
        unit: of each current, over at most one axis; the grid of the class that it belongs to.
        exponent: of each projection: its weights lie on unit * 2^-exponent.
        on_grid: currents of which no weight is rounded (see `grid_units`).
    """

    unit: Mapping[str, Named]
    exponent: Mapping[str, int]
    on_grid: frozenset[str] = frozenset()

    def grid(self, name: str) -> Named:
        """The step between two neighbouring weights of a projection."""
        return self.unit[name] * Named.scalar(2.0 ** -self.exponent[name])


def rows_of(graph: Graph, node: Node) -> NDArray[np.float64]:
    """Weights of a projection as [output element, shared and source elements]."""
    op = node.op
    if not isinstance(op, Contract | Convolve):
        raise TypeRuleError(f"{node.name} is no projection")
    array = np.asarray(graph.constants[op.weight.name], np.float64)
    place = row_place(node)
    return array.reshape(1, -1) if place is None else by_row(array, place)


def row_place(node: Node) -> int | None:
    """Which axis of a projection's weight is that of its rows; None: all of it is one row."""
    op, axis = node.op, output_axis(node)
    match op:
        case Contract() if axis is not None:
            return len(op.shared) if op.out else op.shared.index(axis)
        case Convolve():
            return int(op.banks)
        case _:
            return None


def by_row(array: NDArray[np.float64], place: int) -> NDArray[np.float64]:
    """A weight as rows [output element, rest]."""
    return np.moveaxis(array, place, 0).reshape(array.shape[place], -1)


def largest_weight(bits: int) -> float:
    """The largest integer of signed weights, which are symmetric."""
    return 2.0 ** (bits - 1) - 1


def choose_units(
    graph: Graph,
    bits: Bits,
    loss: Loss,
    by_channel: bool = True,
    *,
    least: float = LEAST_SHARE,
) -> Units:
    """Units such that every weight fits its bits and what is rounded away matters least.

    Currents that meet in a sum share a unit per channel (union-find over channels, through
    concats). A class's unit is the candidate share of its largest weight with which its members
    lose least together. A projection whose weights are all much smaller than its class's gets an
    exponent: its own grid, finer by a power of two. A class whose weights lie on a grid already
    keeps it, see `grid_units`.

    Args:
        graph: spiking graph without offsets.
        bits: of every projection; one with fewer than the most gets a coarser grid.
        loss: judges a grid, see `Loss`.
        by_channel: whether channels of a population may have different units.
        least: share of the largest weight, at least, as the end of the grid.
    """
    classes = Classes()
    ids, axes = _assign(graph, classes)
    _unite_where_thresholds_differ(graph, classes, ids)
    if not by_channel:
        for node in graph.select(Population):
            classes.unify(ids[node.inputs[0]][:1], ids[node.inputs[0]])
    most = max(bits.values())
    largest = largest_weight(most)
    projections = graph.select(Contract, Convolve)
    top = np.zeros(len(classes.parent))
    for node in projections:
        np.maximum.at(top, classes.roots(ids[node.name]), np.abs(rows_of(graph, node)).max(axis=1))
    empty = top == 0.0
    empty[[r for n in graph.select(Affine) for r in classes.roots(ids[n.name])]] = False
    _scale_bare_gains(graph, classes, ids, top)
    top[top == 0.0] = 1.0
    rounded = {
        name: own - (most - bits[name])
        for name, own in _exponents(graph, projections, classes, ids, top).items()
    }
    share = _best_shares(graph, projections, classes, ids, top, rounded, largest, loss, least)
    roots = {name: classes.roots(elements) for name, elements in ids.items()}
    placed = Placed(
        {node.name: rows_of(graph, node) for node in projections},
        {node.name: roots[node.name] for node in projections},
        {node.name: int(largest_weight(bits[node.name])) for node in projections},
        rounded,
    )
    grids, exponent = grid_units(graph, placed, roots, axes)
    size = top * share / largest
    size[list(grids)] = list(grids.values())
    unit: dict[str, Named] = {}
    for name in ids:
        values = size[roots[name]]
        axis = axes[name]
        one = axis is None or (values == values[0]).all()
        unit[name] = Named.scalar(float(values[0])) if one else Named((axis or "",), values)
    empty[list(grids)] = True
    whole = (name for name, own in roots.items() if empty[own].all())
    return Units(unit, exponent, frozenset(whole))


def unit_classes(graph: Graph) -> tuple[dict[str, Ids], dict[str, str | None]]:
    """For every current: along its unit axis numbers that are equal where units must be; that axis.

    One number and None where the whole current has one unit.
    """
    classes = Classes()
    ids, axes = _assign(graph, classes)
    _unite_where_thresholds_differ(graph, classes, ids)
    return {name: classes.roots(elements) for name, elements in ids.items()}, axes


def same_unit(graph: Graph) -> frozenset[str]:
    """Names of the affines that lead from a current into one of the same unit, however chosen.

    Between them the program's gain is the affine's own factor, times a power of two.
    """
    classes = Classes()
    ids, _ = _assign(graph, classes)
    _unite_where_thresholds_differ(graph, classes, ids)
    return frozenset(
        node.name
        for node in graph.select(Affine)
        if (classes.roots(ids[node.name]) == classes.roots(ids[node.inputs[0]])).all()
    )


def _assign(graph: Graph, classes: Classes) -> tuple[dict[str, Ids], dict[str, str | None]]:
    """Element ids of every current along its unit axis; None: one unit for the whole current."""
    ids: dict[str, Ids] = {}
    axes: dict[str, str | None] = {}
    for node in graph.nodes:
        UNIT(Elements(node, classes, ids, axes, graph.constants), node)
    return ids, axes


def _unite_where_thresholds_differ(graph: Graph, classes: Classes, ids: dict[str, Ids]) -> None:
    """One unit for all channels that are compared with thresholds by token.

    With a unit for each channel the thresholds would need a table of tokens times channels, many
    times the weights at high resolution. On the trained Mixer-SNN it loses nothing (ADR 4).
    """
    for node in graph.select(Population):
        source = graph[node.inputs[0]]
        own = output_axis(source)
        if not isinstance(node.op, Population) or own is None:
            continue
        if set(node.op.threshold.axes) - {own, TIME}:
            classes.unify(ids[source.name][:1], ids[source.name])


def _scale_bare_gains(
    graph: Graph, classes: Classes, ids: dict[str, Ids], top: NDArray[np.float64]
) -> None:
    """A class that only gains lead into takes the size of what they give."""
    for node in graph.select(Affine):
        if not isinstance(node.op, Affine) or node.op.scale is None:
            continue
        factor = float(np.abs(graph.constants[node.op.scale.name]).max())
        roots = classes.roots(ids[node.name])
        source = top[classes.roots(ids[node.inputs[0]])]
        top[roots] = np.where(top[roots] == 0.0, factor * source, top[roots])


def _exponents(
    graph: Graph,
    projections: tuple[Node, ...],
    classes: Classes,
    ids: dict[str, Ids],
    top: NDArray[np.float64],
) -> dict[str, int]:
    found: dict[str, int] = {}
    for node in projections:
        room = np.abs(rows_of(graph, node)).max(axis=1) / top[classes.roots(ids[node.name])]
        most = float(room.max())
        found[node.name] = 0 if most == 0.0 else max(0, int(np.floor(-np.log2(most))))
    return found


def _best_shares(
    graph: Graph,
    projections: tuple[Node, ...],
    classes: Classes,
    ids: dict[str, Ids],
    top: NDArray[np.float64],
    exponent: Mapping[str, int],
    largest: float,
    loss: Loss,
    least: float,
) -> NDArray[np.float64]:
    """For every class the candidate that loses least, summed over its rows."""
    work = sum(rows_of(graph, n).size * rows_of(graph, n).shape[1] for n in projections)
    candidates = np.linspace(least, 1.0, CANDIDATES)
    candidates = candidates if work < PRODUCTS_FOR_FEW_CANDIDATES else candidates[3::4]
    total = np.zeros((len(candidates), len(top)))
    for node in projections:
        rows = rows_of(graph, node)
        roots = classes.roots(ids[node.name])
        steps = top[roots] / largest * 2.0 ** -exponent[node.name]
        grids = (candidates[:, None] * steps).reshape(-1, 1)
        lost = loss(node, np.tile(rows, (len(candidates), 1)), grids)
        for i, part in enumerate(lost.reshape(len(candidates), -1)):
            np.add.at(total[i], roots, part)
    best: NDArray[np.float64] = candidates[total.argmin(axis=0)]
    return best
