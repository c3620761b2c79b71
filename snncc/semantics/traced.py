"""The traced dialect in real numbers: what the model computes, in float64."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from snncc.ir import TIME, TRACED, Graph, Node, Param
from snncc.ir.arrays import concat, over_steps, spread
from snncc.ir.cycles import arranged, components
from snncc.ir.dialects import traced as ops
from snncc.ir.dialects.delays import Delay
from snncc.ir.dialects.gates import Gate
from snncc.ir.dialects.moves import Take
from snncc.ir.dialects.neurons import TracedNeuron
from snncc.ir.dialects.pointwise import Pointwise
from snncc.ir.dialects.products import Product
from snncc.ir.dialects.thresholds import MultiThreshold
from snncc.ir.dialects.windows import Largest
from snncc.meaning import Meaning
from snncc.semantics import neurons, spiking
from snncc.semantics.arrays import Real, largest, take
from snncc.semantics.delays import delayed, settled
from snncc.semantics.products import product
from snncc.semantics.thresholds import staircase

Decide = Callable[[Node, Real, Real], Real]
"""Neurons, the current that they read and the spikes they give: what their readers get instead."""


@dataclass(frozen=True)
class At:
    """A node whose value is asked for.

    Attributes:
        graph: traced dialect.
        node: one of it.
        inputs: values of what it reads, [batch, *axes of their types].
        given: what the network is given, [batch, *axes of its input].
    """

    graph: Graph
    node: Node
    inputs: list[Real]
    given: Real

    @property
    def x(self) -> Real:
        """The value of the first input."""
        return self.inputs[0]

    @property
    def names(self) -> list[tuple[str, ...]]:
        """Axes of every input."""
        return [self.graph[name].type.names for name in self.node.inputs]


VALUE: Meaning[At, Real] = Meaning("the traced dialect in real numbers", TRACED)


def run_traced(graph: Graph, inputs: Real) -> dict[str, Real]:
    """Every value by name, [batch, *axes], for inputs [batch, *axes of the input].

    Raises:
        SnnccError: SNN040 where the graph holds an op without real-valued meaning (`Foreign`).
    """
    return {node.name: value for node, value in walk_traced(graph, inputs)}


def walk_traced(
    graph: Graph, inputs: Real, decide: Decide | None = None
) -> Iterator[tuple[Node, Real]]:
    """Each node with its value, in order; holds no value longer than something reads it."""

    def value(node: Node, sources: list[Real]) -> Real:
        return VALUE(At(graph, node, sources, inputs), node)

    graph, values = arranged(graph), dict[str, Real]()
    for part in components(graph):
        if part.cyclic:  # within a loop readers get its own spikes: steps decide one another
            values |= settled(graph, part, values, len(inputs), value)
        for node in part.nodes:
            sources = [values[name] for name in node.inputs]
            if not part.cyclic:
                values[node.name] = value(node, sources)
            if decide is not None and isinstance(node.op, ops.Lif):
                values[node.name] = decide(node, sources[0], values[node.name])
            yield node, values[node.name]
        for node in part.nodes:
            for name in graph.last_uses.get(node.name, ()):
                del values[name]


@VALUE.of(ops.Input)
def network_input(at: At, op: ops.Input) -> Real:
    return at.given


@VALUE.of(ops.Linear)
def linear(at: At, op: ops.Linear) -> Real:
    mapped = spiking.contract(op.map, _constant(at.graph, op.weight), at.x, at.names[0], at.node)
    return _plus(at.graph, mapped, op.bias, at.node)


@VALUE.of(ops.Conv)
def conv(at: At, op: ops.Conv) -> Real:
    mapped = spiking.convolution(op.map, _constant(at.graph, op.weight), at.x, at.names[0], at.node)
    return _plus(at.graph, mapped, op.bias, at.node)


@VALUE.of(ops.BatchNorm)
def batchnorm(at: At, op: ops.BatchNorm) -> Real:
    return _batchnorm(at.graph, at.node, op, at.x)


@VALUE.of(ops.Lif)
def lif(at: At, op: ops.Lif) -> Real:
    return fire(at.graph, at.node, op, at.x)[0]


@VALUE.of(TracedNeuron)
def general_neuron(at: At, op: TracedNeuron) -> Real:
    return neurons.value(at.graph, op, at.x, at.names[0], at.node.type.names)


@VALUE.of(ops.Add)
def add(at: At, op: ops.Add) -> Real:
    return spiking.add(at.inputs, at.names, at.node)


@VALUE.of(ops.Scale)
def scale(at: At, op: ops.Scale) -> Real:
    return _plus(
        at.graph,
        at.x if op.scale is None else at.x * _spread(at.graph, op.scale, at.node),
        op.offset,
        at.node,
    )


@VALUE.of(ops.TracedConcat)
def side_by_side(at: At, op: ops.TracedConcat) -> Real:
    return concat(at.inputs, at.names, op.along, op.out, at.node)


@VALUE.of(Largest)
def largest_of(at: At, op: Largest) -> Real:
    return largest(op, at.x, at.names[0], 0.0)


@VALUE.of(Take)
def taken(at: At, op: Take) -> Real:
    return take(op, at.x, at.names[0])


@VALUE.of(Gate)
def gated(at: At, op: Gate) -> Real:
    return spiking.gate(op, at.inputs, at.names, at.node)


@VALUE.of(Delay)
def delay(at: At, op: Delay) -> Real:
    return delayed(at.graph, op, at.x, at.names[0])


@VALUE.of(Product)
def multiplied(at: At, op: Product) -> Real:
    return product(op, at.inputs, at.names, at.node)


@VALUE.of(MultiThreshold)
def counted(at: At, op: MultiThreshold) -> Real:
    return staircase(at.graph, at.node, op, at.x)


ROUNDED: Mapping[str, Callable[[Real], Real]] = {
    "floor": np.floor,
    "ceil": np.ceil,
    "trunc": np.trunc,
    "round": np.rint,
}


@VALUE.of(Pointwise)
def clipped(at: At, op: Pointwise) -> Real:
    if op.rounds:
        return ROUNDED[op.function](at.x)
    low = -np.inf if op.low is None else _spread(at.graph, op.low, at.node)
    high = np.inf if op.high is None else _spread(at.graph, op.high, at.node)
    return np.minimum(np.maximum(at.x, low), high)


@VALUE.of(ops.Rearrange)
def rearrange(at: At, op: ops.Rearrange) -> Real:
    return at.x.transpose([0, *(1 + at.names[0].index(n) for n in op.order)])


@VALUE.of(ops.Repeat)
def repeat(at: At, op: ops.Repeat) -> Real:
    return np.repeat(at.x[:, None], at.graph.steps, axis=1)


@VALUE.of(ops.Mean)
def mean(at: At, op: ops.Mean) -> Real:
    mean: Real = at.x.mean(axis=tuple(1 + at.names[0].index(n) for n in op.axes))
    return mean


@VALUE.of(ops.Total)
def total(at: At, op: ops.Total) -> Real:
    x = at.x
    if op.window:
        x = x.take(range(*op.window), axis=1 + at.names[0].index(TIME))
    total: Real = x.sum(axis=tuple(1 + at.names[0].index(n) for n in op.axes))
    return total


VALUE.refuses(
    ops.Foreign,
    why="nothing is known of the function that was called there",
    help="`snncc verify --model` names the function and what to do instead",
)


def _constant(graph: Graph, param: Param) -> Real:
    return np.asarray(graph.constants[param.name], np.float64)


def _spread(graph: Graph, param: Param, node: Node) -> Real:
    return spread(_constant(graph, param), param.axes, node.type.names)


def _plus(graph: Graph, y: Real, param: Param | None, node: Node) -> Real:
    return y if param is None else y + _spread(graph, param, node)


def _batchnorm(graph: Graph, node: Node, op: ops.BatchNorm, x: Real) -> Real:
    deviation = np.sqrt(_spread(graph, op.var, node) + op.eps)
    y: Real = (x - _spread(graph, op.mean, node)) / deviation
    if op.weight is not None:
        y = y * _spread(graph, op.weight, node)
    return _plus(graph, y, op.bias, node)


def fire(
    graph: Graph, node: Node, op: ops.Lif, x: Real, given: Real | None = None
) -> tuple[Real, Real]:
    """In the order of SpikingJelly's own operations, so that ties mostly fall as they do there.

    Args:
        graph: holds the constants.
        node: the neurons.
        op: what the node holds.
        x: their current.
        given: spikes after which membranes are reset, in place of their own.

    Returns:
        Spikes, and by how much membranes exceed the threshold where it is compared, both
        [batch, *axes of the node].
    """
    current = over_steps(x, graph[node.inputs[0]].type.names, graph.steps)
    time = 1 + node.type.names.index(TIME)
    resets = None if given is None else np.moveaxis(given, time, 1)
    level: Real | float = op.v_threshold
    if op.threshold is not None:
        names = tuple(n for n in node.type.names if n != TIME)
        level = spread(_constant(graph, op.threshold), op.threshold.axes, names)
    rest = op.rest
    v = np.full((current.shape[0], *current.shape[2:]), rest if op.start is None else op.start)
    spikes, excess = np.empty(current.shape), np.empty(current.shape)
    for t in range(graph.steps):
        if op.tau is None:
            v = v + current[:, t]
        elif op.decay_input:
            v = v + (current[:, t] - (v - rest)) / op.tau
        else:
            v = v - (v - rest) / op.tau + current[:, t]
        excess[:, t] = v - level
        fires = v - level >= 0 if op.compare == "ge" else v > level
        spikes[:, t] = fires
        if resets is not None:
            fires = resets[:, t] != 0
        v = v - level * fires if op.v_reset is None else np.where(fires, rest, v)
    return np.moveaxis(spikes, 1, time), np.moveaxis(excess, 1, time)
