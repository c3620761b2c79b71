"""Unrolls an integer program into synapses: which neuron reaches which, with what integer.

A projection may be shared (a convolution, a map along one axis) and its current may feed several
populations. A chip that shares neither stores one synapse for each pair of a sending and a
receiving neuron, so pairs that meet over several paths are one: their integers add up.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from snncc.chips.grids import concat_index, contraction, convolution, spread_index, take_index
from snncc.chips.synapses import Synapses, identity, together
from snncc.diagnostics import Finding, SnnccError
from snncc.ir import INTEGER, TIME, Graph, Node, Op
from snncc.ir.cycles import components
from snncc.ir.dialects.delays import Delay
from snncc.ir.dialects.gates import Gate
from snncc.ir.dialects.integer import Gain, IntegerPopulation, IntegerReadout
from snncc.ir.dialects.integer_neurons import IntegerNeuron
from snncc.ir.dialects.moves import Take
from snncc.ir.dialects.products import Product
from snncc.ir.dialects.projections import Concat, Contract, Convolve, Frames, Sum
from snncc.ir.dialects.sums import SumAlong
from snncc.ir.dialects.thresholds import MultiThreshold
from snncc.ir.dialects.windows import Largest
from snncc.meaning import Meaning
from snncc.runtime.counts.fan_out import fan_out

MOST_SYNAPSES = 1 << 24
"""Of a whole program, before pairs are merged: 24 bytes each; above it they are only counted."""
Parts = Mapping[str, Synapses]
"""By population or image: what of it reaches the elements of a value."""


@dataclass(frozen=True)
class Layer:
    """A population or the readout, with all that reaches it.

    Attributes:
        node: of the program.
        reads: names of the populations and images that reach it.
        parts: effective integers by source, each pair once; None where there are none, see
            `Unrolled`.
        paths: synapses before pairs over several paths are merged; None likewise.
    """

    node: Node
    reads: tuple[str, ...]
    parts: Parts | None
    paths: int | None

    @property
    def name(self) -> str:
        return self.node.name


@dataclass(frozen=True)
class Unrolled:
    """A program as synapses.

    Attributes:
        graph: the program.
        layers: all populations in order, then the readout.
        refused: what no synapse can stand for; layers behind it have no `parts`.
        counted: synapses of all projections, each once; None where an op has none to count.
        too_many: whether the program is larger than `MOST_SYNAPSES`: then no layer has `parts`.
    """

    graph: Graph
    layers: tuple[Layer, ...]
    refused: tuple[Finding, ...]
    counted: int
    too_many: bool


@dataclass(frozen=True)
class At:
    """A node whose synapses are asked for.

    Attributes:
        graph: the program.
        node: of it.
        sources: what its inputs consist of.
        paths: how many synapses each of them is, over all paths.
    """

    graph: Graph
    node: Node
    sources: tuple[Parts, ...]
    paths: tuple[int, ...] = field(default=())


@dataclass(frozen=True)
class Reached:
    """What a value consists of, and of how many synapses over all paths."""

    parts: Parts
    paths: int


REACHED: Meaning[At, Reached] = Meaning("unrolling", INTEGER)
REACHED.refuses(
    Gain,
    why="a gain rounds a sum of synapses, and no synapse can do that",
    help="compile with --gain unshared: weights of their own for every element instead",
)
REACHED.refuses(
    Largest,
    why="the largest of several is no sum of synapses",
    help="average pooling, or a target that compares",
)
REACHED.refuses(
    Gate,
    why="a spike that lets another pass is no sum of synapses",
    help="a sum or a concat of the two",
)
REACHED.refuses(
    Product,
    why="a sum of what spikes select is no sum of synapses",
    help="neurons in its place",
)
REACHED.refuses(
    MultiThreshold,
    why="a count of passed thresholds is no sum of synapses",
    help="spiking neurons in its place, or a target that sends whole numbers",
)
REACHED.refuses(
    SumAlong,
    why="sums along an axis are not unrolled yet",
    help="a layer whose weights add up",
)
REACHED.refuses(
    Delay,
    why="spikes of earlier steps are not unrolled yet",
    help="a network without delays and loops",
)
REACHED.refuses(
    IntegerNeuron,
    why="neurons of several states are described by no chip here yet",
    help="neurons of one state, whose reset is hard or takes off the threshold",
)


def unroll(graph: Graph, most: int = MOST_SYNAPSES) -> Unrolled:
    """All synapses of a program; what cannot be one is told and the rest goes on.

    Args:
        graph: integer dialect.
        most: synapses before merging, over all layers.

    Raises:
        SnnccError: SNN040 for spikes that are fed back: which layers lie behind which is not told.
    """
    back = [node for part in components(graph) if part.cyclic for node in part.nodes]
    if back:
        raise SnnccError.of([REACHED.finding(n) for n in back if isinstance(n.op, Delay)])
    counted = _counted(graph)
    values: dict[str, Reached | None] = {}
    refused: list[Finding] = []
    layers: list[Layer] = []
    paths = _all_paths(graph)
    too_many = sum(paths[n.inputs[0]] for n in _receiving(graph)) > most
    for node in () if too_many else graph.nodes:
        found = _value(graph, node, values, refused)
        if isinstance(node.op, IntegerPopulation | IntegerReadout):
            layers.append(_layer(graph, node, values[node.inputs[0]]))
        values[node.name] = found
        for name in graph.last_uses.get(node.name, ()):
            values[name] = None if values[name] is None else Reached({}, 0)
    if too_many:
        layers = [_layer(graph, node, None) for node in _receiving(graph)]
        refused = [REACHED.finding(node) for node in graph.nodes if not REACHED.knows(node.op)]
    return Unrolled(graph, tuple(layers), tuple(refused), counted, too_many)


def _value(
    graph: Graph, node: Node, values: Mapping[str, Reached | None], refused: list[Finding]
) -> Reached | None:
    """What a node's value consists of; None behind what is refused."""
    given = [values[name] for name in node.inputs]
    known = [each for each in given if each is not None]
    try:
        REACHED[node]  # told even behind another that is refused
        if len(known) < len(given) and not isinstance(node.op, IntegerPopulation):
            return None
        at = At(graph, node, tuple(k.parts for k in known), tuple(k.paths for k in known))
        return REACHED(at, node)
    except SnnccError as error:
        refused += error.findings
        return None


def _layer(graph: Graph, node: Node, reached: Reached | None) -> Layer:
    reads = sources_of(graph, node)
    if reached is None:
        return Layer(node, reads, None, None)
    return Layer(node, reads, {s: p.merged() for s, p in reached.parts.items()}, reached.paths)


def sources_of(graph: Graph, node: Node) -> tuple[str, ...]:
    """The populations and images that reach a population or the readout, in order."""
    found: set[str] = set()
    seen: set[str] = set()
    pending = [*node.inputs]
    while pending:
        name = pending.pop()
        if name in seen:
            continue
        seen.add(name)
        if isinstance(graph[name].op, IntegerPopulation | Frames):
            found.add(name)
        else:
            pending += graph[name].inputs
    return tuple(each.name for each in graph.nodes if each.name in found)


def _receiving(graph: Graph) -> tuple[Node, ...]:
    return graph.select(IntegerPopulation, IntegerReadout)


def synapses_of(graph: Graph, node: Node) -> int:
    """Synapses of a projection with a weight that is not 0, from its fan-out; 0 for other ops."""
    fan = fan_out(graph, node)
    if fan is None:
        return 0
    steps = graph.steps if TIME in fan.axes else 1
    again = graph[node.inputs[0]].type.without(TIME, *fan.axes).neurons
    return int(fan.nonzero.sum()) * again // steps


def _counted(graph: Graph) -> int:
    return sum(synapses_of(graph, node) for node in graph.select(Contract, Convolve))


def _all_paths(graph: Graph) -> dict[str, int]:
    """For every value how many synapses lead to it, over all paths; no more than there are."""
    paths: dict[str, int] = {}
    for node in graph.nodes:
        below = isinstance(node.op, Frames | IntegerPopulation | IntegerReadout)
        through = 0 if below else sum(paths[name] for name in node.inputs)
        own = synapses_of(graph, node) if isinstance(node.op, Contract | Convolve) else 0
        paths[node.name] = own or through
    return paths


@REACHED.each(Frames, IntegerPopulation)
def itself(at: At, op: Op) -> Reached:
    return Reached({at.node.name: identity(at.node.type.neurons)}, 0)


@REACHED.of(IntegerReadout)
def answer(at: At, op: IntegerReadout) -> Reached:
    return Reached({}, 0)


@REACHED.of(Contract)
def contract(at: At, op: Contract) -> Reached:
    if TIME in op.shared:
        raise _by_step(at.node)
    return _projected(at, contraction(at.graph, at.node, op))


@REACHED.of(Convolve)
def convolve(at: At, op: Convolve) -> Reached:
    if op.banks:
        raise _by_step(at.node)
    return _projected(at, convolution(at.graph, at.node, op))


@REACHED.of(Sum)
def add(at: At, op: Sum) -> Reached:
    inputs = [at.graph[name] for name in at.node.inputs]
    each = [
        _moved(parts, spread_index(node, at.node), shift)
        for (parts, node), shift in op.terms([*zip(at.sources, inputs, strict=True)])
    ]
    return Reached(_joined(each), sum(at.paths))


@REACHED.of(Concat)
def concat(at: At, op: Concat) -> Reached:
    each = [
        _moved(parts, concat_index(at.graph, at.node, op, place))
        for place, parts in enumerate(at.sources)
    ]
    return Reached(_joined(each), sum(at.paths))


@REACHED.of(Take)
def take(at: At, op: Take) -> Reached:
    source = at.graph[at.node.inputs[0]]
    return Reached(_moved(at.sources[0], take_index(source, op)), at.paths[0])


def _by_step(node: Node) -> SnnccError:
    return SnnccError(
        "SNN040",
        f"unrolling has no form for weights that differ from step to step ({node.name})",
        node.loc,
        "a synapse has one weight",
        "train without scales of their own for steps (TEBN)",
    )


def _projected(at: At, synapses: Synapses) -> Reached:
    parts = {name: synapses.after(part) for name, part in at.sources[0].items()}
    return Reached(parts, sum(len(part) for part in parts.values()))


def _moved(parts: Parts, index: "np.typing.NDArray[np.int64] | None", shift: int = 0) -> Parts:
    """What elements in another order consist of; index None leaves them where they are."""
    moved = parts if index is None else {name: part.taken(index) for name, part in parts.items()}
    return {name: part.shifted(shift) for name, part in moved.items()} if shift else moved


def _joined(each: list[Parts]) -> Parts:
    names = dict.fromkeys(name for parts in each for name in parts)
    return {name: together(parts[name] for parts in each if name in parts) for name in names}
