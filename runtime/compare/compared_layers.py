"""Two executions side by side: the same populations, in the same axes."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from snncc.diagnostics import SnnccError
from snncc.execution import Images
from snncc.ir import TIME, Array, Axis, Graph, Kind, ValueType
from snncc.ir.populations import count_nodes, population_nodes
from snncc.runtime.compare.axis_orders import AxisOrder, arranged
from snncc.runtime.recording import BATCH, Recording

SAME_IMAGES = "record both on the same images; --limit N compares the first N"


@dataclass(frozen=True)
class Side:
    """One execution.

    Attributes:
        label: "A" or "B".
        recording: what it did.
        graph: its program, or None.
    """

    label: str
    recording: Recording
    graph: Graph | None = None


@dataclass(frozen=True)
class Pair:
    """Two executions whose arrays are all [batch, t, ...], other axes in one order.

    Attributes:
        a, b: the executions.
        kinds: type of every population that both have, in the program's order.
        images: what was run, or None where no side knows.
    """

    a: Side
    b: Side
    kinds: Mapping[str, ValueType]
    images: Images | None

    @property
    def same_program(self) -> bool:
        """Whether both ran the same integers."""
        return self.a.recording.program == self.b.recording.program != ""

    @property
    def graph(self) -> Graph | None:
        """The program that explains: A's, or B's where A has none."""
        return self.a.graph or self.b.graph

    def levels(self, name: str) -> tuple[Array, Array] | None:
        """Membranes of both sides where they count in the same units."""
        one, two = (side.recording.membranes.get(name) for side in (self.a, self.b))
        return (one, two) if self.same_program and one is not None and two is not None else None


def pair(a: Side, b: Side, orders: Sequence[AxisOrder] = (), limit: int | None = None) -> Pair:
    """Brings two executions into the same axes.

    Args:
        a: one execution.
        b: the other.
        orders: axes of recordings that do not name them.
        limit: only so many images.

    Raises:
        SnnccError: SNN016 when they are not of one network, the same images or steps, or the axes
            of a recording cannot be told.
    """
    a, b = (_with_counts(side) for side in (a, b))
    if a.graph is not None and b.graph is not None and a.graph.steps != b.graph.steps:
        raise SnnccError("SNN016", f"A runs {a.graph.steps} steps, B {b.graph.steps}")
    kinds = {name: _kind(a, b, name) for name in _names(a, b)}
    one, two = (_in_order(side, kinds, orders, limit) for side in (a, b))
    for name in kinds:
        x, y = one.recording.spikes[name].shape, two.recording.spikes[name].shape
        if x[1:] != y[1:]:
            raise SnnccError("SNN016", f"{name} is {list(x)} in A and {list(y)} in B")
        if x != y:
            message = f"{name} is of {x[0]} images in A and of {y[0]} in B"
            raise SnnccError("SNN016", message, help=SAME_IMAGES)
    return Pair(one, two, kinds, _images(one, two))


def _with_counts(side: Side) -> Side:
    """Counts are layers as spikes are."""
    recording = side.recording
    spikes = {**recording.spikes, **recording.counts}
    return replace(side, recording=replace(recording, spikes=spikes, counts={}))


def _steps(side: Side) -> int:
    return 1 if side.graph is None else side.graph.steps


def _names(a: Side, b: Side) -> list[str]:
    both = set(a.recording.spikes) & set(b.recording.spikes)
    graph = a.graph or b.graph
    order: Iterable[str] = a.recording.spikes
    if graph is not None:
        every = {node.name for node in (*population_nodes(graph), *count_nodes(graph))}
        order = (node.name for node in graph.nodes if node.name in every)
    names = [name for name in order if name in both]
    recorded = a.recording.spikes or b.recording.spikes
    silent = not recorded and graph is not None and not population_nodes(graph)
    if not names and not silent:  # of programs without spikes the answers are compared
        have = [", ".join(list(side.recording.spikes)[:3]) for side in (a, b)]
        raise SnnccError(
            "SNN016",
            "A and B have no population in common",
            why=f"A has {have[0]}, ...; B has {have[1]}, ...",
            help="populations are compared by name: record them under the program's names",
        )
    return names


def _images(a: Side, b: Side) -> Images | None:
    one, two = a.recording.images, b.recording.images
    if one is not None and two is not None and not np.array_equal(one, two):
        raise SnnccError("SNN016", "A and B are not of the same images", help=SAME_IMAGES)
    return one if one is not None else two


def _kind(a: Side, b: Side, name: str) -> ValueType:
    """Type of a population's spikes: by a program, else by a recording that names its axes."""
    types = [
        side.graph[name].type.with_time(side.graph.steps)
        for side in (a, b)
        if side.graph and name in side.graph.by_name
    ]
    if len(types) == 2 and set(types[0].axes) != set(types[1].axes):
        raise SnnccError("SNN016", f"{name} is {types[0]} in A and {types[1]} in B")
    if types:
        return types[0]
    for side in (a, b):
        axes = side.recording.axes.get(name, ())
        if TIME in axes:
            sized = zip(axes, side.recording.spikes[name].shape, strict=True)
            return ValueType(Kind.SPIKE, tuple(Axis(n, s) for n, s in sized if n != BATCH))
    return _bare(name, a.recording.spikes[name].shape)


def _bare(name: str, shape: tuple[int, ...]) -> ValueType:
    """The type of [T, batch, ...] where nobody names the axes."""
    if len(shape) < 2:
        raise SnnccError("SNN016", f"spikes of {name} are {list(shape)}, not [T, batch, ...]")
    rest = (Axis(f"axis{i}", size) for i, size in enumerate(shape[2:], 2))
    return ValueType(Kind.SPIKE, (Axis(TIME, shape[0]), *rest))


def _in_order(
    side: Side,
    kinds: Mapping[str, ValueType],
    orders: Sequence[AxisOrder],
    limit: int | None,
) -> Side:
    recording, own = side.recording, {} if side.graph is None else side.graph.by_name
    spikes: dict[str, Array] = {}
    membranes: dict[str, Array] = {}
    for name in recording.spikes:
        if name not in kinds and name not in own:
            continue
        kind = kinds[name] if name in kinds else own[name].type.with_time(_steps(side))
        axes = recording.axes.get(name, ())
        if not axes and "axis2" in kind.names:
            axes = (TIME, BATCH, *(n for n in kind.names if n != TIME))
        spikes[name] = arranged(name, recording.spikes[name], axes, kind, orders)[:limit]
        if name in recording.membranes:
            levels = arranged(name, recording.membranes[name], axes, kind, orders)
            membranes[name] = levels[:limit]
    images = None if recording.images is None else recording.images[:limit]
    readout = None if recording.readout is None else recording.readout[:limit]
    kept = replace(
        recording, spikes=spikes, membranes=membranes, images=images, readout=readout, axes={}
    )
    return replace(side, recording=kept)
