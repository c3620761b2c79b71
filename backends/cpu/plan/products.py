"""Products of spikes with what passes as sums of rows: the spikes list them, as weights are listed.

y[rest] = sum over `summed` of (x where the gate spikes). The lanes are an axis of x that the gate
has not; the gate's lanes are summed, and its active ones list rows of x, which lie in the working
memory like weights of 32 bits. So k^T v and q (k^T v) cost a row for each spike.
"""

from dataclasses import dataclass

import numpy as np

from snncc.backends.cpu import fields as f
from snncc.backends.cpu.arrangement import Arrangement
from snncc.backends.cpu.parts.listing import MOST_INPUTS
from snncc.backends.cpu.parts.part import Part
from snncc.ir import TIME, Array, Graph, Node
from snncc.ir.arrays import count
from snncc.ir.dialects.products import Product


@dataclass(frozen=True)
class RowsOfProduct:
    """How a product selects.

    Attributes:
        lane: of the gate: its axis whose active elements are listed.
        rows: how x lies in memory, the axis `lane` fastest among its rows.
    """

    lane: str
    rows: Arrangement


def rows_of_product(graph: Graph, node: Node) -> RowsOfProduct | None:
    """The form of a product, or None where it has not this form."""
    op = node.op
    if not isinstance(op, Product) or op.inverted or not op.summed:
        return None
    gate, x = (graph[name].type for name in node.inputs)
    more = [axis for axis in x.axes if axis.name != TIME and axis.name not in gate.names]
    if not more:
        return None
    lanes = max(more, key=lambda axis: axis.size)
    lane = max(op.summed, key=gate.size)
    rest = [a for a in x.axes if a.name not in (TIME, lanes.name, lane)]
    names, sizes = (*(a.name for a in rest), lane), (*(a.size for a in rest), x.size(lane))
    if lanes.size > f.TILE or count(sizes) + 64 > MOST_INPUTS:
        return None
    return RowsOfProduct(lane, Arrangement(names, sizes, lanes.name, lanes.size))


def part_of_product(
    node: Node, found: RowsOfProduct, gate: tuple[str, Arrangement], made: str, unit: Arrangement
) -> Part:
    """A product as a part of a unit.

    Args:
        node: the product.
        found: how it selects.
        gate: the name of the spikes, and how they lie.
        made: the name of the rows of x.
        unit: of the result.
    """
    name, lies = gate
    op = node.op
    if not isinstance(op, Product):
        raise TypeError(op.mnemonic)
    taken = [n for n in op.summed if n != found.lane]
    sizes = dict(zip(lies.rows, lies.sizes, strict=True))
    lengths = tuple(sizes[n] for n in taken)
    grids = np.indices(lengths).reshape(len(taken), 1, count(lengths))
    place = {axis: grid[:, None] for axis, grid in unit.coordinates().items()}
    place |= dict(zip(taken, grids, strict=True))
    shape = (unit.row_count, count(lengths))
    taps = np.empty((*shape, 2), np.int32)
    taps[..., 0] = np.broadcast_to(_number(lies, place), shape)
    first = {**place, found.lane: np.zeros((1, 1), np.int64)}
    taps[..., 1] = np.broadcast_to(_number(found.rows, first), shape)
    none = np.zeros((1, 0, unit.lanes), np.int32)
    return Part(f.EVENTS, name, taps, none, lies.words, wide=True, inputs=lies.lanes, made=made)


def _number(lies: Arrangement, place: dict[str, Array]) -> Array:
    """Which row an element is in."""
    row: Array = np.zeros((1, 1), np.int64)
    for axis, size in zip(lies.rows, lies.sizes, strict=True):
        row = row * size + place[axis]
    return row
