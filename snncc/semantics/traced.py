"""The traced dialect in real numbers: what the model computes, in float64."""

from collections.abc import Callable, Iterator

import numpy as np

from snncc.ir import TIME, Graph, Node, Param
from snncc.ir import traced_ops as ops
from snncc.ir.arrays import concat, over_steps, spread
from snncc.ir.projections import Contract, Convolve
from snncc.semantics import spiking
from snncc.semantics.arrays import Real

Decide = Callable[[Node, Real, Real], Real]
"""Neurons, the current that they read and the spikes they give: what their readers get instead."""


def run_traced(graph: Graph, inputs: Real) -> dict[str, Real]:
    """Every value by name, [batch, *axes], for inputs [batch, *axes of the input].

    Raises:
        TypeError: the graph holds an op without real-valued meaning here (`Foreign`).
    """
    return {node.name: value for node, value in walk_traced(graph, inputs)}


def walk_traced(
    graph: Graph, inputs: Real, decide: Decide | None = None
) -> Iterator[tuple[Node, Real]]:
    """Each node with its value, in order; holds no value longer than something reads it."""
    values: dict[str, Real] = {}
    for node in graph.nodes:
        sources = [values[name] for name in node.inputs]
        values[node.name] = inputs if isinstance(node.op, ops.Input) else _one(graph, node, sources)
        if decide is not None and isinstance(node.op, ops.Lif):
            values[node.name] = decide(node, sources[0], values[node.name])
        yield node, values[node.name]
        for name in graph.last_uses.get(node.name, ()):
            del values[name]


def _one(graph: Graph, node: Node, inputs: list[Real]) -> Real:
    names = [graph[n].type.names for n in node.inputs]
    match node.op:
        case ops.Linear(weight=weight, into=into, out=out, bias=bias):
            map_ = Contract(weight, into, out)
            y = spiking.contract(map_, _constant(graph, weight), inputs[0], names[0], node)
            return _plus(graph, y, bias, node)
        case ops.Conv():
            c = node.op
            op = Convolve(
                c.weight,
                c.channel,
                c.height,
                c.width,
                c.out_channel,
                c.out_height,
                c.out_width,
                c.stride,
                c.padding,
                c.dilation,
                c.groups,
            )
            kernel = _constant(graph, c.weight)
            y = spiking.convolution(op, kernel, inputs[0], names[0], node)
            return _plus(graph, y, c.bias, node)
        case ops.BatchNorm():
            return _batchnorm(graph, node, node.op, inputs[0])
        case ops.Lif():
            return fire(graph, node, node.op, inputs[0])[0]
        case ops.Add():
            return spiking.add(inputs, names, node)
        case ops.Scale(scale=scale, offset=offset):
            y = inputs[0] if scale is None else inputs[0] * _spread(graph, scale, node)
            return _plus(graph, y, offset, node)
        case ops.TracedConcat(along=along, out=out):
            return concat(inputs, names, along, out, node)
        case ops.Rearrange(order=order):
            return inputs[0].transpose([0, *(1 + names[0].index(n) for n in order)])
        case ops.Repeat():
            x = inputs[0]
            return np.repeat(x[:, None], graph.steps, axis=1)
        case ops.Mean(axes=axes):
            mean: Real = inputs[0].mean(axis=tuple(1 + names[0].index(n) for n in axes))
            return mean
        case ops.Total(axes=axes):
            total: Real = inputs[0].sum(axis=tuple(1 + names[0].index(n) for n in axes))
            return total
        case _:
            raise TypeError(f"{node.op.mnemonic} has no real-valued meaning")


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
