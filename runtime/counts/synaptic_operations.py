"""Operation counts that a paper can quote: exact, from the spikes of a run and each fan-out.

Definitions follow NeuroBench (algorithm track, harness 2.x), per image and summed over its steps:

- Dense: every synapse at every step, zero weights included, padding not, biases not.
- Effective_ACs: synapses with a nonzero weight that an active binary source reaches.
- Effective_MACs: the same where the source is not binary: here only pixels.
- ActivationSparsity: 1 - spikes / (neurons * steps), over all populations.
- MembraneUpdates: at the first step every neuron, later each whose membrane after the step (and
  after its reset) is not what it was before.
- ConnectionSparsity: zero weights / weights. Footprint: bytes of all constants; no state.

Two things differ from a harness that watches a PyTorch model. The image's projection is the same
at every step and is counted once an image, as it is computed. And it is not one MAC but one
accumulate for each set bit of the pixel: both numbers are given.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from snncc.execution import Execution, Images, Ints, check_images
from snncc.ir import INTEGER, TIME, Array, Graph, Kind, Node, Op, params_of
from snncc.ir.arrays import over_steps, spread, timed
from snncc.ir.cycles import between_neurons
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
from snncc.ir.digits import signed_digits
from snncc.ir.encodings import from_host
from snncc.ir.populations import population_nodes
from snncc.meaning import Meaning
from snncc.runtime.counts.fan_out import FAN_OUT, At, FanOut, fan_out
from snncc.runtime.counts.operation_counts import (
    OperationCounts,
    PopulationCounts,
    ProjectionCounts,
)
from snncc.runtime.interpreter import evaluate
from snncc.runtime.simulator import Simulator

CHUNK_BYTES = 1 << 28
"""Recorded spikes and membranes at a time."""


def count_operations(
    graph: Graph, images: Images, progress: Callable[[int], None] | None = None
) -> OperationCounts:
    """Runs a program and counts.

    Args:
        graph: integer dialect.
        images: uint8, [batch, *axes of the image].
        progress: called with the number of images done so far.

    Raises:
        SnnccError: SNN016 when the images are not what the program takes; SNN040 for ops of which
            nothing says how many operations they are.
    """
    images = check_images(graph, images)
    counter = OperationCounter(graph)
    sums = OperationSums()
    for start in range(0, len(images), counter.at_once):
        sums += counter.sums(images[start : start + counter.at_once])
        if progress is not None:
            progress(min(len(images), start + counter.at_once))
    return counter.counts(sums)


@dataclass(frozen=True)
class OperationSums:
    """What was counted on some images; sums of sums are the sums of all of them.

    Attributes:
        images: how many.
        reached: by projection: events, synapses they reach, those with a weight, and the same for
            whole pixels.
        spikes: by population.
        changes: updates of membranes that changed them, by population.
    """

    images: int = 0
    reached: Mapping[str, tuple[int, ...]] = field(default_factory=dict[str, tuple[int, ...]])
    spikes: Mapping[str, int] = field(default_factory=dict[str, int])
    changes: Mapping[str, int] = field(default_factory=dict[str, int])

    def __add__(self, other: "OperationSums") -> "OperationSums":
        reached = {
            name: tuple(a + b for a, b in zip(self.reached.get(name, (0,) * 4), more, strict=True))
            for name, more in other.reached.items()
        }
        return OperationSums(
            self.images + other.images,
            {**self.reached, **reached},
            _added(self.spikes, other.spikes),
            _added(self.changes, other.changes),
        )


def _added(one: Mapping[str, int], other: Mapping[str, int]) -> dict[str, int]:
    return {**one, **{name: one.get(name, 0) + count for name, count in other.items()}}


class OperationCounter:
    """Counts on images that come in parts.

    Args:
        graph: integer dialect.
        simulator: of it; None for one of its own.

    Raises:
        SnnccError: SNN040 for ops of which nothing says how many operations they are.
    """

    def __init__(self, graph: Graph, simulator: Simulator | None = None) -> None:
        self.require(graph)
        self.graph = graph
        self._simulator = simulator or Simulator(graph)
        found = {node.name: fan_out(graph, node) for node in graph.nodes}
        self._fans = {name: fan for name, fan in found.items() if fan is not None}
        self._populations = [node.name for node in population_nodes(graph)]
        sites = sum(graph[name].type.neurons for name in self._populations)
        self.at_once = max(1, CHUNK_BYTES // max(1, 9 * sites * graph.steps))
        """Images whose recorded spikes and membranes fit into the memory meant for them."""

    @staticmethod
    def require(graph: Graph) -> None:
        """Raises SnnccError (SNN040) for ops that nobody can count, before any work."""
        FAN_OUT.require(graph)
        ADDITIONS.require(graph)

    def sums(self, images: Images) -> OperationSums:
        """Runs images and counts.

        Args:
            images: uint8, [batch, *axes of the image].

        Raises:
            SnnccError: SNN016 when the images are not what the program takes.
        """
        graph, populations = self.graph, self._populations
        run = self._simulator.run(images, populations)
        values = _sources(graph, run, images)
        return OperationSums(
            len(images),
            {
                name: tuple(int(n) for n in _reached(graph, graph[name], fan, values))
                for name, fan in self._fans.items()
            },
            {name: int(run.spike_counts[name]) for name in populations},
            {
                name: membrane_updates(graph, graph[name], run.spikes[name], run.membranes[name])
                for name in populations
            },
        )

    def counts(self, sums: OperationSums) -> OperationCounts:
        """All figures, from the sums over all images."""
        graph, fans, images = self.graph, self._fans, sums.images
        weights = {p.name: graph.constants[p.name] for n in fans for p in params_of(graph[n].op)}
        return OperationCounts(
            images,
            graph.steps,
            tuple(
                _projection(graph, graph[n], fans[n], sums.reached.get(n, (0,) * 4), images)
                for n in fans
            ),
            tuple(
                _population(graph, graph[n], sums.spikes.get(n, 0), sums.changes.get(n, 0), images)
                for n in self._populations
            ),
            sum(ADDITIONS(At(graph, node), node) for node in graph.select(Gain)) * images,
            sum(array.nbytes for array in graph.constants.values()),
            sum(int((w == 0).sum()) for w in weights.values())
            / max(1, sum(w.size for w in weights.values())),
            sum(ADDITIONS(At(graph, node), node) for node in graph.nodes if _adds(node)) * images,
        )


def _adds(node: Node) -> bool:
    """Whether additions of a node are those of products and sums along axes."""
    return not isinstance(node.op, Gain)


def _sources(graph: Graph, run: Execution, images: Images) -> dict[str, Array]:
    """What projections read: pixels, spikes and counts, what is made of them, and counts."""
    values: dict[str, Array] = dict(run.spikes)
    needed = _behind_counts(graph)
    order = [node for node in between_neurons(graph) if node.name not in values]
    wanted = set[str]()  # counts of neurons need the currents before them
    for node in reversed(order):
        if (node.type.domain is not None or node.name in needed) or node.name in wanted:
            wanted |= {node.name, *node.inputs}
    for node in order:
        if node.name in wanted:
            sources = [values[name] for name in node.inputs]
            values[node.name] = evaluate(graph, node, sources, images).value
    return values


def _behind_counts(graph: Graph) -> set[str]:
    """The currents that staircases compare, and what these are made of."""
    found: set[str] = set()
    pending = [name for node in graph.select(MultiThreshold) for name in node.inputs]
    while pending:
        name = pending.pop()
        if name not in found and graph[name].type.kind is Kind.CURRENT:
            found.add(name)
            pending += graph[name].inputs
    return found


def _reached(graph: Graph, node: Node, fan: FanOut, values: dict[str, Array]) -> Ints:
    """Events, the synapses they reach, those with a weight, and the same for whole pixels."""
    source = graph[node.inputs[0]]
    x, names = values[source.name], source.type.names
    if TIME in fan.axes:
        x, names = timed(x, names, graph.steps)

    def reached(events: Array) -> tuple[int, int, int]:
        over = tuple(1 + i for i, n in enumerate(names) if n not in fan.axes)
        each = events.sum(axis=(0, *over), dtype=np.int64)
        kept = [n for n in names if n in fan.axes]
        each = each.transpose([kept.index(n) for n in fan.axes])
        return int(each.sum()), int((each * fan.synapses).sum()), int((each * fan.nonzero).sum())

    if source.type.kind is Kind.SPIKE:
        return np.array([*reached(x != 0), 0], np.int64)
    ones: Array = np.zeros(x.shape, np.uint8)
    for bit, _ in source.type.planes:
        ones += ((x >> bit) & 1).astype(np.uint8)
    return np.array([*reached(ones), reached(x != 0)[2]], np.int64)


def _projection(
    graph: Graph, node: Node, fan: FanOut, seen: Sequence[int], images: int
) -> ProjectionCounts:
    source = graph[node.inputs[0]].type
    again = source.without(TIME, *fan.axes).neurons
    banks = TIME in fan.axes
    synapses = int(fan.synapses.sum()) * again // (graph.steps if banks else 1)
    steps = graph.steps if source.temporal or banks else 1
    host = from_host(graph, node.inputs[0])
    events, accumulates, acs, macs = seen
    return ProjectionCounts(
        node.name,
        node.module_path,
        "spike" if source.kind is Kind.SPIKE else source.word,
        synapses,
        synapses * steps * images,
        events,
        0 if host else accumulates,
        0 if host else acs,
        macs,
        host,
    )


def _population(
    graph: Graph, node: Node, spikes: int, changes: int, images: int
) -> PopulationCounts:
    path = node.module_path
    neurons = node.type.neurons
    return PopulationCounts(
        node.name, path, neurons, spikes, neurons * graph.steps * images, changes
    )


def membrane_updates(graph: Graph, node: Node, spikes: Array, levels: Ints) -> int:
    """How often a step left a membrane other than it was; the first step counts all neurons.

    Args:
        graph: integer dialect.
        node: an integer population.
        spikes: 0 or 1, [batch, *axes of its type].
        levels: Z at the comparison, same shape.
    """
    op = node.op
    if isinstance(op, IntegerNeuron):  # every neuron writes its states at every step
        return int(spikes.size)
    if not isinstance(op, IntegerPopulation):
        raise TypeError(op.mnemonic)
    names = node.type.names
    rest = (TIME, *(n for n in names if n != TIME))
    s, z = over_steps(spikes, names, graph.steps), over_steps(levels, names, graph.steps)
    after: Array = np.zeros_like(z)
    if op.reset == "soft":
        threshold = graph.constants[op.threshold.name].astype(np.int64)
        after = z - spread(threshold, op.threshold.axes, rest)
    state = np.where(s != 0, after, z)
    return int(state[:, 0].size + np.count_nonzero(state[:, 1:] != state[:, :-1]))


ADDITIONS: Meaning[At, int] = Meaning("the count of other additions", INTEGER)
"""Additions for one image that are neither a synapse's nor a neuron's."""


@ADDITIONS.each(Frames, Contract, Convolve, Concat, Sum, Largest, Take, Gate, Delay)
@ADDITIONS.each(IntegerPopulation, IntegerNeuron, IntegerReadout)
def counted_elsewhere(at: At, op: Op) -> int:
    return 0


@ADDITIONS.of(Product)
def product(at: At, op: Product) -> int:
    """At most: every place is selected, and all but the first are added to what was there."""
    gate, kind = at.graph[at.node.inputs[0]].type, at.node.type
    places = math.prod(gate.size(name) for name in op.summed)
    steps = at.graph.steps if kind.temporal else 1
    return kind.neurons * steps * (places - 1)


@ADDITIONS.of(MultiThreshold)
def passed(at: At, op: MultiThreshold) -> int:
    """At most: every threshold but the first that is passed is one more."""
    kind = at.node.type
    return (
        kind.neurons * (at.graph.steps if kind.temporal else 1) * (op.levels(at.graph.context) - 1)
    )


@ADDITIONS.of(SumAlong)
def along(at: At, op: SumAlong) -> int:
    places, kind = op.places(at.graph[at.node.inputs[0]].type), at.node.type
    return kind.neurons * (at.graph.steps if kind.temporal else 1) * (places - 1)


@ADDITIONS.of(Gain)
def gain(at: At, op: Gain) -> int:
    mantissa, kind = at.graph.constants[op.mantissa.name].astype(np.int64), at.node.type
    digits = sum((d != 0).astype(np.int64) for d in signed_digits(mantissa))
    each = np.broadcast_to(
        spread(np.maximum(0, digits - 1), op.mantissa.axes, kind.names), kind.shape
    )
    return int(each.sum())
