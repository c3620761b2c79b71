"""Projections as parts of a unit: which source rows a row taps, and with which weights.

Contract and Convolve become one form. Every row of a unit has the same number of taps; a tap names
a row of the source and where its weights begin. Where the source's lanes are contracted, the list
of its active lanes selects weight rows (`EVENTS`); where they are kept, each tap is one weight for
the lanes that spike (`MASKED`). Pixels are taken bit by bit (`PLANE`).
"""

from collections.abc import Mapping
from dataclasses import replace
from itertools import pairwise

import numpy as np

from snncc.backends.cpu import fields as f
from snncc.backends.cpu.arrangement import (
    Arrangement,
    Image,
    NotExpressible,
    Places,
    Source,
    planes_of,
)
from snncc.backends.cpu.parts.bounds import sum_bounds
from snncc.backends.cpu.parts.listing import MOST_INPUTS, shares_to_list
from snncc.backends.cpu.parts.part import Part
from snncc.ir import TIME, Array, Graph, Node
from snncc.ir.arrays import count
from snncc.ir.dialects.projections import Contract, Convolve

SHORT = (1 << 15) - 1
MOST_NUMBERS = (1 << 31) - 1
"""Of all frames: taps name them by 32 bits."""
MOST_OF_BYTE = (1 << 7) - 1
TRIALS = 8
"""How many numbers of shares of about equal size are tried."""


def lane_of(node: Node, source: Source) -> str:
    """The lanes that a projection gives best; "" for a single one, where it makes no axis.

    A convolution's source has no lanes along height or width: a relay sees to that.
    """
    op = node.op
    if isinstance(op, Convolve):
        if isinstance(source, Image) or source.lane == op.channel:
            return op.out_channel
        return source.lane
    if not isinstance(op, Contract):
        raise TypeError(op.mnemonic)
    if isinstance(source, Image) or source.lane in (*op.into, *op.summed):
        return op.out[-1] if op.out else ""
    return source.lane


def parts_of(graph: Graph, node: Node, source: Source, unit: Arrangement) -> list[Part]:
    """The parts of a projection, each with its shift: a part for every plane of counts."""
    taps, weights, kind = selection_of(graph, node, source, unit)
    inputs = source.lanes if isinstance(source, Arrangement) and kind == f.EVENTS else 1
    in_order = bool((np.diff(taps[..., 1], axis=1) == 1).all())
    words = int(in_order) if isinstance(source, Image) else source.words
    whole = Part(kind, node.inputs[0], taps, weights, words, inputs=inputs)
    found: list[Part] = []
    for share in shares_to_list(whole):
        part = _measured(share, unit)
        if isinstance(source, Image):
            found += [_plane(part, *plane) for plane in graph[node.inputs[0]].type.planes]
            continue
        split = part.wide and weights.dtype == np.int8 and kind == f.EVENTS
        pieces = _split(part) if split else [part]
        bits = planes_of(graph[node.inputs[0]].type)
        found += [replace(piece, plane=bit) for bit in range(bits) for piece in pieces]
    return found


def _plane(part: Part, bit: int, negative: bool) -> Part:
    """One bit of what is read; where it counts negatively, the weights are of the other sign."""
    if not negative:
        return replace(part, plane=bit)
    weights = -part.weights.astype(np.int64)
    fits = part.reach <= SHORT and int(weights.max(initial=0)) <= MOST_OF_BYTE
    return replace(part, plane=bit, weights=weights, wide=part.wide or not fits)


def _measured(part: Part, unit: Arrangement) -> Part:
    """The part, with how large its sums become and whether they need more than 16 bits."""
    begins = part.taps[..., 1]
    if part.kind == f.MASKED_LANES:
        begins = begins // _padded(unit)
    low, high = sum_bounds(begins, part.weights, part.inputs)
    fits = part.weights.dtype == np.int8 and low >= -SHORT - 1 and high <= SHORT
    return replace(part, wide=not fits, reach=max(-low, high))


def _split(part: Part) -> list[Part]:
    """Shares of a sum that each fit 16 bits: some words of the only tap, or some taps.

    A register of 32 bits takes the shares one after the other, each widened before it is added.
    """
    one = part.taps.shape[1] == 1
    pieces = part.words if one else part.taps.shape[1]
    if one:
        most = max(_share(part, one, i, i + 1).reach for i in range(pieces))
    else:
        most = _magnitude(sum_bounds(part.taps[..., 1].reshape(-1, 1), part.weights, part.inputs))
    if most > SHORT:
        return [part]  # a piece alone does not fit
    least = max(2, -(-part.reach // SHORT))
    for shares in range(least, min(least + TRIALS, pieces + 1)):
        edges = [pieces * i // shares for i in range(shares + 1)]
        found = [_share(part, one, a, b) for a, b in pairwise(edges)]
        if all(share.reach <= SHORT for share in found):
            return found
    each = SHORT // most  # so many pieces always fit
    return [_share(part, one, a, min(a + each, pieces)) for a in range(0, pieces, each)]


def stacked(parts: list[Part]) -> list[Part]:
    """Parts whose weights are one matrix, so that their lists can be added up as one.

    Their taps are moved to where their rows now begin.
    """
    moved: list[Part] = []
    begin = 0
    for part in parts:
        taps = part.taps.copy()
        taps[..., 1] += begin
        moved.append(replace(part, taps=taps))
        begin += part.weights.shape[1]
    weights = np.concatenate([part.weights for part in parts], axis=1)
    return [replace(part, weights=weights) for part in moved]


def can_stack(parts: list[Part]) -> bool:
    """Whether parts give the same bits when their sums are one: 16 bits hold all of them added.

    A partial sum of the one list is at most the sum of what the parts can reach.
    """
    first = parts[0]
    rows = sum(part.weights.shape[1] for part in parts)
    alike = all(
        part.kind == f.EVENTS and not part.wide and part.weights.shape[0] == first.weights.shape[0]
        for part in parts
    )
    return alike and rows <= MOST_INPUTS and sum(part.reach for part in parts) <= SHORT


def _share(part: Part, one: bool, a: int, b: int) -> Part:
    if one:
        taps, inputs = part.taps.copy(), min(64 * (b - a), part.inputs - 64 * a)
        taps[..., 1] += 64 * a
        share = replace(part, taps=taps, words=b - a, wide=False, inputs=inputs)
        share = replace(share, first_word=part.first_word + a)
    else:
        taps = np.ascontiguousarray(part.taps[:, a:b])
        share = replace(part, taps=taps, wide=False)
    return replace(share, reach=_largest(share))


def _largest(part: Part) -> int:
    return _magnitude(sum_bounds(part.taps[..., 1], part.weights, part.inputs))


def _magnitude(bounds: tuple[int, int]) -> int:
    low, high = bounds
    return max(-low, high)


def _padded(unit: Arrangement) -> int:
    """Lanes of one weight row of MASKED_LANES."""
    return -(-unit.lanes // f.TILE) * f.TILE


def selection_of(
    graph: Graph, node: Node, source: Source, unit: Arrangement
) -> tuple[Array, Array, int]:
    """Taps [rows, taps, 2], weights [steps or 1, weight rows, lanes] and the kind of part."""
    view = _View(graph, node, source, unit)
    return view.taps(), view.matrix(), view.kind


class _View:
    """A projection as weights over [steps, kept axes, lane of the result, contracted axes]."""

    def __init__(self, graph: Graph, node: Node, source: Source, unit: Arrangement) -> None:
        op = node.op
        self.node, self.source, self.unit = node, source, unit
        self.shape = graph[node.inputs[0]].type
        if isinstance(op, Convolve):
            self.weight, self.axes = _convolution(graph, op, _depthwise(node, source))
            self.summed: tuple[str, ...] = ()
            into: tuple[str, ...] = (_IN + op.channel, _IN + op.height, _IN + op.width)
        elif isinstance(op, Contract):
            self.weight = graph.constants[op.weight.name]
            self.axes = (*op.shared, *op.out, *(_IN + n for n in op.into))
            self.summed = op.summed
            into = tuple(_IN + n for n in op.into)
        else:
            raise TypeError(op.mnemonic)
        if TIME not in self.axes:
            self.weight, self.axes = self.weight[None], (TIME, *self.axes)
        lane = source.lane if isinstance(source, Arrangement) else ""
        self.by_lane = _depthwise(node, source)
        self.kept = isinstance(source, Arrangement) and (
            self.by_lane or (_IN + lane not in into and lane not in self.summed)
        )
        if self.kept and unit.lane != lane and not self.by_lane:
            raise NotExpressible(f"{node.name} cannot have {unit.lane} as lanes")
        if not self.kept and unit.lane not in ("", *self.axes):
            raise NotExpressible(f"{node.name} cannot have {unit.lane} as lanes")
        self.taps_over = tuple(n for n in into if self.kept or n != _IN + lane)
        if self.by_lane:
            self.taps_over = into[1:]

    @property
    def kind(self) -> int:
        if isinstance(self.source, Image):
            return f.PLANE
        if not self.kept:
            return f.EVENTS
        by_lane = self.by_lane or self.source.lane in self.axes
        return f.MASKED_LANES if by_lane else f.MASKED

    def _order(self) -> tuple[list[str], list[str]]:
        """The axes that a weight row is chosen by, and those along a row (at most one)."""
        lane = [self.unit.lane] if self.kind != f.MASKED and self.unit.lane in self.axes else []
        fixed = [n for n in self.axes if n not in (TIME, *lane) and not n.startswith(_IN)]
        inner = []
        if self.kind == f.EVENTS and isinstance(self.source, Arrangement):
            inner = [_IN + self.source.lane]
        return [*fixed, *self.taps_over, *inner], lane

    def matrix(self) -> Array:
        rows, lane = self._order()
        weight, axes = self.weight, list(self.axes)
        for name in (n for n in rows if n not in axes):  # a summed lane: its weights repeat
            weight = np.repeat(weight[..., None], self.shape.size(name[len(_IN) :]), axis=-1)
            axes.append(name)
        moved = weight.transpose([axes.index(n) for n in (TIME, *rows, *lane)])
        lanes = count(moved.shape[1 + len(rows) :])
        return np.ascontiguousarray(moved).reshape(moved.shape[0], -1, lanes)

    def taps(self) -> Array:
        """int32 [rows, taps, 2]."""
        over = [*self.taps_over, *(_IN + n for n in self._summed_rows())]
        lengths = tuple(self._size(n) for n in over)
        grids = np.indices(lengths).reshape(len(over), 1, count(lengths))
        tap = dict(zip(over, grids, strict=True))
        place = {n: g[:, None] for n, g in self.unit.coordinates().items()}
        shape = (self.unit.row_count, count(lengths))
        taps = np.empty((*shape, 2), np.int32)
        taps[..., 0] = np.broadcast_to(self._tapped(place, tap), shape)
        taps[..., 1] = np.broadcast_to(self._weight_rows({**place, **tap}), shape)
        return taps

    def _size(self, axis: str) -> int:
        if axis in self.axes:
            return int(self.weight.shape[self.axes.index(axis)])
        return self.shape.size(axis.removeprefix(_IN))

    def _tapped(self, place: Mapping[str, Places], tap: Mapping[str, Places]) -> Places:
        """The row of the source, or the pixel, that each tap of each row reads; -1 for none."""
        where = {**place, **_source_places(self.node, place, tap)}
        if isinstance(self.source, Arrangement):
            names, sizes = self.source.rows, self.source.sizes
        else:
            names, sizes = self.shape.names, self.shape.shape
            if count(sizes) > MOST_NUMBERS:
                raise NotExpressible(f"{self.node.name} reads over {MOST_NUMBERS:,} numbers")
        row: Places = np.zeros((1, 1), np.int64)
        outside: Array = np.zeros((1, 1), np.bool_)
        for name, size in zip(names, sizes, strict=True):
            row = row * size
            if name != TIME:  # the kernel goes from frame to frame
                row = row + where[name]
                outside = outside | (where[name] < 0) | (where[name] >= size)
        tapped: Places = np.where(outside, -1, row)
        return tapped

    def _weight_rows(self, place: Mapping[str, Places]) -> Places:
        rows, _ = self._order()
        inner = ""
        if self.kind == f.EVENTS and isinstance(self.source, Arrangement):
            inner = _IN + self.source.lane
        first: Places = np.zeros((1, 1), np.int64)
        for name in rows:
            first = first * self._size(name)
            if name != inner:
                first = first + place[name]
        if self.kind == f.MASKED_LANES:
            first = first * _padded(self.unit)
        return first

    def _summed_rows(self) -> tuple[str, ...]:
        lane = self.source.lane if isinstance(self.source, Arrangement) else ""
        return tuple(n for n in self.summed if n != lane)


_IN = "<"
"""Before the name of an axis of the source that the weight contracts."""


def _depthwise(node: Node, source: Source) -> bool:
    op = node.op
    if isinstance(source, Image) or not isinstance(op, Convolve) or source.lane != op.channel:
        return False
    return op.groups == source.lanes == node.type.size(op.out_channel) and op.groups > 1


def _convolution(graph: Graph, op: Convolve, by_lane: bool) -> tuple[Array, tuple[str, ...]]:
    """The weight over [t, out channel, in channel, kernel h, kernel w], groups written out."""
    weight = graph.constants[op.weight.name]
    banks = weight if op.banks else weight[None]
    steps, outputs, inputs, kh, kw = banks.shape
    axes = (TIME, op.out_channel, _IN + op.channel, _IN + op.height, _IN + op.width)
    if op.groups == 1:
        return banks, axes
    if by_lane:
        return banks[:, :, 0], (TIME, op.out_channel, _IN + op.height, _IN + op.width)
    full = np.zeros((steps, outputs, inputs * op.groups, kh, kw), weight.dtype)
    each = outputs // op.groups
    for g in range(op.groups):
        out, into = slice(g * each, (g + 1) * each), slice(g * inputs, (g + 1) * inputs)
        full[:, out, into] = banks[:, out]
    return full, axes


def _source_places(
    node: Node, place: Mapping[str, Places], tap: Mapping[str, Places]
) -> dict[str, Places]:
    """Where a tap lies along the source's contracted axes."""
    where = {name[len(_IN) :]: grid for name, grid in tap.items()}
    op = node.op
    if isinstance(op, Convolve):
        for axis, out, stride, pad, dilation in zip(
            (op.height, op.width),
            (op.out_height, op.out_width),
            op.stride,
            op.padding,
            op.dilation,
            strict=True,
        ):
            where[axis] = place[out] * stride + tap[_IN + axis] * dilation - pad
    return where
