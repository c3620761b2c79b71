"""What reached the neurons of one population, from recorded spikes and the program."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from snncc.execution import Images, Ints
from snncc.ir import INTEGER, TIME, Array, Graph, Kind, Node, Op, Param, params_of
from snncc.ir.arrays import align, concat, over_steps, spread, timed
from snncc.ir.dialects.delays import Delay
from snncc.ir.dialects.gates import Gate
from snncc.ir.dialects.integer import Gain, IntegerPopulation, IntegerReadout
from snncc.ir.dialects.integer_neurons import IntegerNeuron
from snncc.ir.dialects.moves import Take
from snncc.ir.dialects.neurons import READ, STATE
from snncc.ir.dialects.products import Product
from snncc.ir.dialects.projections import Concat, Contract, Convolve, Frames, Sum
from snncc.ir.dialects.sums import SumAlong
from snncc.ir.dialects.thresholds import MultiThreshold
from snncc.ir.dialects.windows import Largest
from snncc.ir.populations import is_population
from snncc.ir.types import BIT
from snncc.meaning import Meaning
from snncc.runtime.interpreter import evaluate


@dataclass(frozen=True)
class LayerInputs:
    """Arrays [batch, t, ...], other axes as in the population's type.

    Attributes:
        current: what arrived.
        drive: polarity * (current + offset) + bias: what is added to the membrane.
        thresholds: [t or 1, ...].
        variance: of the drive in units squared, where each weight is off by one step of its grid,
            either way by chance: what rounding weights can do, up to a factor.
    """

    current: Ints
    drive: Ints
    thresholds: Ints
    variance: Array


def sources_of(graph: Graph, node: Node) -> tuple[Node, ...]:
    """The populations and images whose values reach a node through currents."""
    found: dict[str, Node] = {}
    pending = list(node.inputs)
    seen: set[str] = set()
    while pending:
        name = pending.pop()
        if name in seen:
            continue
        seen.add(name)
        if is_population(graph[name].op) or isinstance(graph[name].op, Frames):
            found[name] = graph[name]
        else:
            pending.extend(graph[name].inputs)
    return tuple(each for each in graph.nodes if each.name in found)


def inputs_of(
    graph: Graph, node: Node, spikes: Mapping[str, Array], images: Images | None
) -> LayerInputs:
    """What reached a population.

    Args:
        graph: integer dialect.
        node: the population.
        spikes: of every population among `sources_of`, [batch, *axes of its type].
        images: what was run; may be None where the image is not among the sources.
    """
    cone = _Cone(graph, spikes, images)
    source = node.inputs[0]
    names = graph[source].type.names
    current = over_steps(cone.value(source), names, graph.steps)
    variance = over_steps(cone.variance(source), names, graph.steps)
    op = node.op
    if not isinstance(op, IntegerPopulation):
        raise TypeError(f"{node.name} is no population")
    rest = (TIME, *(n for n in names if n != TIME))

    def constant(param: Param | None, default: int) -> Ints:
        if param is None:
            return np.full([1] * len(rest), default, np.int64)
        return spread(graph.constants[param.name].astype(np.int64), param.axes, rest)

    polarity = constant(op.polarity, 1)
    drive = polarity * (current + constant(op.offset, 0)) + constant(op.bias, 0)
    target = (TIME, *(n for n in node.type.names if n != TIME))
    return LayerInputs(
        align(current, rest, target),
        align(drive, rest, target),
        spread(constant(op.threshold, 0), rest, target),
        align(np.where(polarity == 0, 0.0, variance), rest, target),
    )


def contributions(
    graph: Graph, node: Node, spikes: Mapping[str, Array], images: Images | None
) -> dict[str, Ints]:
    """The current into a population that each source causes alone, [batch, t, ...]."""
    sources = sources_of(graph, node)
    found: dict[str, Ints] = {}
    for source in sources:
        kept = {n: a if n == source.name else np.zeros_like(a) for n, a in spikes.items()}
        pixels = images
        if images is not None and not isinstance(source.op, Frames):
            pixels = np.zeros_like(images)
        found[source.name] = inputs_of(graph, node, kept, pixels).current
    return found


class _Cone:
    """Values and their rounding between recorded spikes and one current, each computed once."""

    def __init__(self, graph: Graph, spikes: Mapping[str, Array], images: Images | None) -> None:
        self.graph = graph
        self.images: Images = np.zeros(0, np.uint8) if images is None else images
        self.values: dict[str, Array] = dict(spikes)
        self.variances: dict[str, Array] = {}

    def value(self, name: str) -> Array:
        if name not in self.values:
            node = self.graph[name]
            sources = [self.value(each) for each in node.inputs]
            self.values[name] = evaluate(self.graph, node, sources, self.images).value
        return self.values[name]

    def variance(self, name: str) -> Array:
        if name not in self.variances:
            self.variances[name] = self._variance(self.graph[name])
        return self.variances[name]

    def _variance(self, node: Node) -> Array:
        return VARIANCE(Rounded(self, node), node)


@dataclass(frozen=True)
class Rounded:
    """A node whose variance is asked for, and where values and variances before it are."""

    cone: _Cone
    node: Node

    @property
    def graph(self) -> Graph:
        """The program."""
        return self.cone.graph

    @property
    def names(self) -> list[tuple[str, ...]]:
        """Axes of every input."""
        return [self.graph[n].type.names for n in self.node.inputs]


VARIANCE: Meaning[Rounded, Array] = Meaning("the estimate of rounding", INTEGER)


@VARIANCE.each(Contract, Convolve)
def projection(at: Rounded, op: Op) -> Array:
    """Every synapse that is taken is off by one step."""
    ones = {
        param.name: np.ones(at.graph.constants[param.name].shape, np.int64)
        for param in params_of(op)
    }
    graph = replace(at.graph, constants={**at.graph.constants, **ones})
    value, source = at.cone.value(at.node.inputs[0]), at.graph[at.node.inputs[0]]
    low, high = source.type.domain or BIT
    squares = value if source.type.domain == BIT else value.astype(np.int64) ** 2
    # Squares are counts of another domain than what is squared: the projection reads them as such.
    domain = (0, max(low * low, high * high))
    counts = replace(source, type=source.type.with_kind(Kind.COUNT, domain))
    nodes = tuple(counts if node is source else node for node in graph.nodes)
    squared = replace(graph, nodes=nodes)
    return evaluate(squared, at.node, [squares], at.cone.images).value.astype(np.float64)


@VARIANCE.of(Concat)
def side_by_side(at: Rounded, op: Concat) -> Array:
    parts = [at.cone.variance(n) for n in at.node.inputs]
    return concat(parts, at.names, op.along, op.out, at.node)


@VARIANCE.of(Gate)
def gated(at: Rounded, op: Gate) -> Array:
    names, (gate, passing) = at.node.type.names, at.node.inputs
    bit = align(at.cone.value(gate), at.names[0], names) != 0
    return np.where(bit != op.inverted, align(at.cone.variance(passing), at.names[1], names), 0.0)


@VARIANCE.of(Product)
def multiplied(at: Rounded, op: Product) -> Array:
    """What is selected is off, each by itself; counts of spikes are not."""
    names, (gate, passing) = (*at.node.type.names, *op.summed), at.node.inputs
    bit = align(at.cone.value(gate), at.names[0], names) != 0
    own = align(at.cone.variance(passing), at.names[1], names)
    last = range(1 + len(at.node.type.names), 1 + len(names))
    found: Array = np.where(bit != op.inverted, own, 0.0).sum(axis=tuple(last))
    return found


@VARIANCE.of(Take)
def taken(at: Rounded, op: Take) -> Array:
    variance, names = at.cone.variance(at.node.inputs[0]), at.names[0]
    for i, name in enumerate(op.axes):
        index = op.index(i)
        moved = np.moveaxis(variance, 1 + names.index(name), 0)[index]
        moved[index < 0] = 0.0
        variance = np.moveaxis(moved, 0, 1 + names.index(name))
    return variance


@VARIANCE.of(Largest)
def largest(at: Rounded, op: Largest) -> Array:
    """At most that of the least certain element of a window."""
    variance, names = at.cone.variance(at.node.inputs[0]), at.names[0]
    for i, name in enumerate(op.axes):
        axis = 1 + names.index(name)
        places = op.places(i, variance.shape[axis])
        found = variance.take(places[0], axis=axis)
        for place in places[1:]:
            found = np.maximum(found, variance.take(place, axis=axis))
        variance = found
    return variance


@VARIANCE.of(MultiThreshold)
def passed(at: Rounded, op: MultiThreshold) -> Array:
    """None: as of spikes, what counts are off is told of where they are compared themselves."""
    return np.zeros_like(at.cone.value(at.node.name), np.float64)


@VARIANCE.of(Delay)
def delayed(at: Rounded, op: Delay) -> Array:
    """That of an earlier step; where it starts nothing is uncertain."""
    variance = at.cone.variance(at.node.inputs[0])
    x = align(*timed(variance, at.names[0], at.graph.steps), at.node.type.names)
    before = np.zeros((len(x), op.steps, *x.shape[2:]))
    return np.concatenate([before, x], axis=1)[:, : at.graph.steps]


@VARIANCE.of(Sum)
def added(at: Rounded, op: Sum) -> Array:
    total: Array = np.zeros(())
    for (name, axes), shift in op.terms([*zip(at.node.inputs, at.names, strict=True)]):
        part = align(at.cone.variance(name), axes, at.node.type.names)
        total = total + part * 4.0**shift
    return total


@VARIANCE.of(SumAlong)
def added_along(at: Rounded, op: SumAlong) -> Array:
    names = at.names[0]
    found: Array = at.cone.variance(at.node.inputs[0]).sum(
        axis=tuple(1 + names.index(n) for n in op.summed)
    )
    return found


@VARIANCE.of(Gain)
def gain(at: Rounded, op: Gain) -> Array:
    names, mantissa = at.node.type.names, op.mantissa
    factor = at.graph.constants[mantissa.name].astype(np.float64)
    x = at.cone.value(at.node.inputs[0]).astype(np.float64)
    variance, axes = at.cone.variance(at.node.inputs[0]), at.names[0]
    if TIME in mantissa.axes:
        x, _ = timed(x, axes, at.graph.steps)
        variance, axes = timed(variance, axes, at.graph.steps)
    x, variance = (align(a, axes, names) for a in (x, variance))
    factor = spread(factor, mantissa.axes, names)
    return (factor**2 * variance + x**2 / 4.0) / 4.0**op.shift + 1.0


@VARIANCE.of(IntegerNeuron)
def read_out(at: Rounded, op: IntegerNeuron) -> Array:
    """Of membranes that are read out: through leaks and couplings, as if all were independent."""
    source = at.names[0]
    rest = tuple(n for n in source if n != TIME)
    n = op.states(at.graph.context)

    def weights(param: Param | None, *lead: str) -> Array:
        if param is None:
            return np.zeros([n] * len(lead) + [1] * len(rest))
        table = at.graph.constants[param.name].astype(np.float64)
        return spread(table, param.axes, (*lead, *rest)) ** 2

    leak, gain, form = (weights(p, STATE) for p in (op.leak, op.gain, op.form))
    reads = weights(op.reads, STATE, READ)
    x = over_steps(at.cone.variance(at.node.inputs[0]), source, at.graph.steps)
    states, found = [np.zeros_like(x[:, 0])] * n, np.zeros_like(x)
    for t in range(at.graph.steps):
        for i in range(n):  # a state that is behind this one is still that of the step before
            total = leak[i] * states[i] + gain[i] * x[:, t]
            total = total + sum(reads[i, j] * states[j] for j in range(n))
            states = [*states[:i], total * 4.0 ** -op.shift[i], *states[i + 1 :]]
        found[:, t] = sum(form[i] * states[i] for i in range(n))
    return np.moveaxis(found, 1, 1 + at.node.type.names.index(TIME))


VARIANCE.refuses(
    Frames,
    IntegerPopulation,
    IntegerReadout,
    why="pixels, spikes and answers are not rounded: what is estimated is a current",
    help="this is a fault of snncc: please report it with the programs",
)
