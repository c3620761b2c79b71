"""Which elements of currents have one unit: what every op says of it."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from snncc.ir import SPIKING, TIME, Array, Node, Op
from snncc.ir.dialects.delays import Delay
from snncc.ir.dialects.gates import Gate
from snncc.ir.dialects.moves import Take
from snncc.ir.dialects.neurons import Neuron
from snncc.ir.dialects.products import Product
from snncc.ir.dialects.projections import Concat, Contract, Convolve, Frames, Sum
from snncc.ir.dialects.spiking import Affine, Opaque, Population, Readout
from snncc.ir.dialects.sums import SumAlong
from snncc.ir.dialects.thresholds import MultiThreshold
from snncc.ir.dialects.windows import Largest
from snncc.meaning import Meaning

Ids = NDArray[np.int64]


def output_axis(node: Node) -> str | None:
    """The axis along which a projection's rows can have units of their own."""
    match node.op:
        case Contract(out=(axis,)):
            return axis
        case Convolve(out_channel=axis):
            return axis
        case Contract(into=(), out=(), shared=shared):
            return own_axis(shared)
        case _:
            return None


def own_axis(shared: tuple[str, ...]) -> str | None:
    """Of a map that only scales elements: the axis along which each row has one weight a step.

    With a unit for each row one weight of it is a whole number of units at any width. None where
    weights differ along several axes.
    """
    axes = [name for name in shared if name != TIME]
    return axes[0] if len(axes) == 1 else None


class Classes:
    """Union-find over elements of currents."""

    def __init__(self) -> None:
        self.parent: list[int] = []

    def new(self, count: int) -> Ids:
        start = len(self.parent)
        self.parent += range(start, start + count)
        return np.arange(start, start + count)

    def find(self, i: int) -> int:
        while self.parent[i] != i:
            self.parent[i] = self.parent[self.parent[i]]
            i = self.parent[i]
        return i

    def unify(self, left: Ids, right: Ids) -> None:
        for a, b in np.broadcast(left, right):
            x, y = self.find(int(a)), self.find(int(b))
            self.parent[max(x, y)] = min(x, y)

    def roots(self, ids: Ids) -> Ids:
        return np.array([self.find(int(i)) for i in ids], np.int64)


@dataclass(frozen=True)
class Elements:
    """Where ids of a node's elements are written.

    Attributes:
        node: the node.
        classes: of ids that have one unit.
        ids: of every current along its unit axis.
        axes: the unit axis; None: one unit for the whole current.
        constants: of the graph.
    """

    node: Node
    classes: Classes
    ids: dict[str, Ids]
    axes: dict[str, str | None]
    constants: Mapping[str, Array]

    def new(self, axis: str | None) -> None:
        """Units of its own for every element of an axis."""
        self.axes[self.node.name] = axis
        size = 1 if axis is None else self.node.type.size(axis)
        self.ids[self.node.name] = self.classes.new(size)

    def one(self, parts: list[Ids], axis: str | None) -> None:
        """One unit for elements of all parts, element by element."""
        for part in parts[1:]:
            self.classes.unify(parts[0], part)
        self.ids[self.node.name], self.axes[self.node.name] = parts[0], axis

    def flat(self, name: str) -> Ids:
        """One unit for the whole of a current."""
        self.classes.unify(self.ids[name][:1], self.ids[name])
        return self.ids[name][:1]


UNIT: Meaning[Elements, None] = Meaning("the choice of units", SPIKING)


@UNIT.each(Frames, Population, MultiThreshold, Opaque)
def without_unit(at: Elements, op: Op) -> None:
    """Bits, pixels and counts are counted in ones."""


@UNIT.each(Contract, Convolve)
def projection(at: Elements, op: Op) -> None:
    at.new(output_axis(at.node))


MOST_SHIFTED = 24
"""Places between the least and the largest factor of an affine that is to be shifts."""


def are_shifts(op: Affine, constants: Mapping[str, Array]) -> bool:
    """Whether an affine, over any axes but time, only shifts: every factor is 0 or +-2^k."""
    if op.scale is None or op.offset is not None or TIME in op.scale.axes:
        return False
    mantissas, places = np.frexp(np.asarray(constants[op.scale.name], np.float64))
    held = places[mantissas != 0.0]
    alike = bool(np.isin(np.abs(mantissas), (0.0, 0.5)).all())
    return alike and held.size > 0 and int(np.ptp(held)) <= MOST_SHIFTED


@UNIT.of(Affine)
def scaled(at: Elements, op: Affine) -> None:
    source = at.node.inputs[0]
    by_step = op.scale is not None and op.scale.axes == (TIME,)  # a step's gain is near 1
    if by_step or are_shifts(op, at.constants):
        at.one([at.ids[source]], at.axes[source])
    else:
        at.new(at.axes[source])


@UNIT.of(Sum)
def added(at: Elements, op: Sum) -> None:
    if at.node.type.domain is not None:  # spikes and counts are counted in ones
        return
    shared = {at.axes[name] for name in at.node.inputs}
    axis = shared.pop() if len(shared) == 1 else None
    at.one([at.ids[n] if axis is not None else at.flat(n) for n in at.node.inputs], axis)


@UNIT.of(Concat)
def side_by_side(at: Elements, op: Concat) -> None:
    names, axes = at.node.inputs, at.axes
    if not all(n in at.ids for n in names):
        return
    if all(axes[n] == a for n, a in zip(names, op.along, strict=True)):
        at.ids[at.node.name] = np.concatenate([at.ids[n] for n in names])
        axes[at.node.name] = op.out
    elif _keep_one_axis(op.along, [axes[n] for n in names]):  # channel by channel, as in a sum
        at.one([at.ids[name] for name in names], axes[names[0]])
    else:
        at.one([at.flat(name) for name in names], None)


@UNIT.of(Gate)
def gated(at: Elements, op: Gate) -> None:
    """That of the current that passes."""
    passing = at.node.inputs[1]
    if passing in at.ids:
        at.one([at.ids[passing]], at.axes[passing])


@UNIT.of(Delay)
def delayed(at: Elements, op: Delay) -> None:
    """That of the current that it holds, which is an earlier node or refused when it is lowered."""
    source = at.node.inputs[0]
    if source in at.ids:
        at.one([at.ids[source]], at.axes[source])


@UNIT.each(Product, SumAlong)
def added_along(at: Elements, op: Op) -> None:
    """That of the current that is added up; counts are counted in ones."""
    source = at.node.inputs[-1]
    if source not in at.ids:
        return
    whole = at.axes[source] not in at.node.type.names
    at.one([at.flat(source) if whole else at.ids[source]], None if whole else at.axes[source])


@UNIT.of(Take)
def taken(at: Elements, op: Take) -> None:
    """The units of what is taken; a zero is one of any unit."""
    (source,) = at.node.inputs
    if source not in at.ids:
        return
    ids, axis = at.ids[source], at.axes[source]
    if axis in op.axes:
        place = op.axes.index(axis or "")
        ids, axis = ids[np.maximum(op.index(place), 0)], op.out[place]
    at.one([ids], axis)


@UNIT.of(Largest)
def largest(at: Elements, op: Largest) -> None:
    """What is compared is counted alike; spikes are counted in ones."""
    (source,) = at.node.inputs
    if source not in at.ids:
        return
    if at.axes[source] in op.axes:
        at.one([at.flat(source)], None)
    else:
        at.one([at.ids[source]], at.axes[source])


@UNIT.of(Neuron)
def states(at: Elements, op: Neuron) -> None:
    """Spikes are counted in ones; a readout of membranes in the unit of what they take in."""
    source = at.node.inputs[0]
    if not op.fires:
        at.one([at.ids[source]], at.axes[source])


@UNIT.of(Readout)
def readout(at: Elements, op: Readout) -> None:
    at.flat(at.node.inputs[0])


def _keep_one_axis(along: tuple[str, ...], units: list[str | None]) -> bool:
    """Whether all sources of a concat have their units along one axis that it leaves alone."""
    return len(set(units)) == 1 and units[0] is not None and units[0] not in along
