"""What each layer of a program asks of a chip: exact where synapses are unrolled, else unknown."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from snncc.chips.grids import axes_of
from snncc.chips.synapses import Ints, Synapses
from snncc.chips.unrolling import Layer, Unrolled
from snncc.ir import TIME, Array, Graph, Node, Param
from snncc.ir.arrays import spread
from snncc.ir.dialects.integer import IntegerPopulation
from snncc.ir.dialects.projections import Contract, Convolve, Frames


@dataclass(frozen=True)
class Connections:
    """What reaches a layer, once synapses are unrolled; images are counted apart.

    Attributes:
        synapses: pairs of neurons, each once.
        paths: the same and the image's, before pairs over several paths are one.
        image_synapses: pairs of an element of an image and a neuron.
        weight_bits: signed, of the largest weight without the zeros that its map ends in.
        exponents: these zeros, by source.
        fan_in: most sources of one neuron.
        table_entries: neurons that reach the layer: a list of synapses for each.
        fan_out: most neurons of the layer that one source reaches.
        image_bits: signed bits of a neuron's bias and what an image adds to it; 0 without one.
        current_bits: signed bits of what spikes of populations can add up to in one step.
        current_bits_with_image: the same with an image that spikes.
    """

    synapses: int
    paths: int
    image_synapses: int
    weight_bits: int
    exponents: Mapping[str, int]
    fan_in: int
    table_entries: int
    fan_out: int
    image_bits: int
    current_bits: int
    current_bits_with_image: int

    @property
    def messages(self) -> int:
        """Most messages a step: every source fires, and the layer is in one place."""
        return self.table_entries


@dataclass(frozen=True)
class Needs:
    """What one population, or the readout, asks of a chip.

    Attributes:
        name: of the layer.
        neurons: of it.
        shared_weights: weights behind it as the program stores them.
        stored_bits: signed, of the largest of these without the zeros that its array ends in.
        connections: what reaches it; None where that could not be unrolled.
        delay: most steps a spike must wait when every layer takes one.
        depth: layers from an image to it; 0 for one that reads images alone.
        state_bits: signed, of what the membrane is proved to stay in; of a readout its sum.
        threshold_bits: signed; 0 for a readout.
        threshold_zeros: zeros that all thresholds end in; None where there is none but 0.
        thresholds: distinct ones.
        bias: one number a neuron, or None where it differs from step to step.
        by_step: names of constants that differ from step to step.
        rule: the neurons' op; None for a readout.
    """

    name: str
    neurons: int
    shared_weights: int
    stored_bits: int
    connections: Connections | None
    delay: int
    depth: int
    state_bits: int
    threshold_bits: int
    threshold_zeros: int | None
    thresholds: int
    bias: Ints | None
    by_step: tuple[str, ...]
    rule: IntegerPopulation | None


def needs_of(unrolled: Unrolled) -> tuple[Needs, ...]:
    """The needs of every layer, in order."""
    graph, depths = unrolled.graph, depths_of(unrolled)
    return tuple(_needs(graph, layer, depths) for layer in unrolled.layers)


def is_image(graph: Graph, name: str) -> bool:
    """Whether a source is no population but what enters."""
    return isinstance(graph[name].op, Frames)


def depths_of(unrolled: Unrolled) -> dict[str, int]:
    """The step in which each layer first hears of an image, when every layer takes one."""
    depths: dict[str, int] = {}
    for layer in unrolled.layers:
        before = [depths[s] for s in layer.reads if not is_image(unrolled.graph, s)]
        depths[layer.name] = 1 + max(before, default=-1)
    return depths


def waits_of(unrolled: Unrolled, layer: Layer) -> dict[str, int]:
    """Steps that the spikes of each population wait before they reach a layer."""
    depths = depths_of(unrolled)
    populations = [s for s in layer.reads if not is_image(unrolled.graph, s)]
    return {source: depths[layer.name] - depths[source] - 1 for source in populations}


def signed_bits(low: int, high: int) -> int:
    """Bits of two's complement that hold an interval."""
    return max((-low - 1).bit_length() if low < 0 else 0, max(0, high).bit_length()) + 1


def bits_of(weights: Array) -> int:
    """Signed bits of the largest of some integers, without the zeros that all of them end in."""
    values = weights.astype(np.int64)
    zeros = zeros_of(values) or 0
    return signed_bits(int(values.min(initial=0)) >> zeros, int(values.max(initial=0)) >> zeros)


def zeros_of(values: Ints) -> int | None:
    """Zeros that all numbers end in; None where all of them are 0."""
    every = int(np.bitwise_or.reduce(np.abs(values), axis=None, initial=0))
    return (every & -every).bit_length() - 1 if every else None


def of_neurons(graph: Graph, node: Node, param: Param | None, default: int) -> Ints:
    """A constant that is the same at every step, one number a neuron."""
    sizes = axes_of(node)
    if param is None:
        return np.full(node.type.neurons, default, np.int64)
    array = spread(graph.constants[param.name].astype(np.int64), param.axes, tuple(sizes))
    return np.broadcast_to(array, [*sizes.values()]).ravel()


def signs_of(graph: Graph, node: Node) -> Ints | None:
    """The sign of what each neuron receives; None where it differs from step to step."""
    polarity = node.op.polarity if isinstance(node.op, IntegerPopulation) else None
    if polarity is not None and TIME in polarity.axes:
        return None
    return of_neurons(graph, node, polarity, 1)


def _needs(graph: Graph, layer: Layer, depths: Mapping[str, int]) -> Needs:
    node, op = layer.node, layer.node.op
    waits = [depths[node.name] - depths[s] - 1 for s in layer.reads if not is_image(graph, s)]
    weights, bias = _weights_behind(graph, node), _bias(graph, node)
    of_readout = Needs(
        name=node.name,
        neurons=node.type.neurons,
        shared_weights=sum(each.size for each in weights),
        stored_bits=max(map(bits_of, weights), default=0),
        connections=None if layer.parts is None else _connections(graph, layer, bias),
        delay=max(waits, default=0),
        depth=depths[node.name],
        state_bits=signed_bits(*(node.type.range or (0, 0))),
        threshold_bits=0,
        threshold_zeros=None,
        thresholds=0,
        bias=bias,
        by_step=(),
        rule=None,
    )
    if not isinstance(op, IntegerPopulation):
        return of_readout
    threshold = graph.constants[op.threshold.name].astype(np.int64)
    named = {
        "threshold": op.threshold,
        "bias": op.bias,
        "polarity": op.polarity,
        "offset": op.offset,
    }
    return replace(
        of_readout,
        state_bits=signed_bits(*op.membrane),
        threshold_bits=signed_bits(int(threshold.min()), int(threshold.max())),
        threshold_zeros=zeros_of(threshold),
        thresholds=len(np.unique(threshold)),
        by_step=tuple(name for name, param in named.items() if param and TIME in param.axes),
        rule=op,
    )


def _bias(graph: Graph, node: Node) -> Ints | None:
    """What each neuron has added at every step; None where that differs."""
    op = node.op
    if not isinstance(op, IntegerPopulation):
        return np.zeros(node.type.neurons, np.int64)
    if any(p is not None and TIME in p.axes for p in (op.bias, op.polarity, op.offset)):
        return None
    sign, offset = (
        of_neurons(graph, node, op.polarity, 1),
        of_neurons(graph, node, op.offset, 0),
    )
    return of_neurons(graph, node, op.bias, 0) + sign * offset


def _weights_behind(graph: Graph, node: Node) -> list[Array]:
    """Weights of all projections behind a layer, each array once."""
    names: set[str] = set()
    seen: set[str] = set()
    pending = [*node.inputs]
    while pending:
        name = pending.pop()
        op = graph[name].op
        if name in seen or isinstance(op, IntegerPopulation):
            continue
        seen.add(name)
        if isinstance(op, Contract | Convolve):
            names.add(op.weight.name)
        pending += graph[name].inputs
    return [graph.constants[name] for name in sorted(names)]


def _connections(graph: Graph, layer: Layer, bias: Ints | None) -> Connections:
    parts = layer.parts or {}
    inside = {name: part for name, part in parts.items() if not is_image(graph, name)}
    exponents = {name: zeros_of(part.weights) or 0 for name, part in inside.items()}
    bits = [
        signed_bits(int(low) >> exponents[name], int(high) >> exponents[name])
        for name, part in inside.items()
        if len(part)
        for low, high in [(part.weights.min(), part.weights.max())]
    ]
    fan_in = np.zeros(layer.node.type.neurons, np.int64)
    for part in inside.values():
        fan_in += np.bincount(part.targets, minlength=len(fan_in))
    out = [np.bincount(part.sources) for part in inside.values() if len(part)]
    images = {name: part for name, part in parts.items() if is_image(graph, name)}
    return Connections(
        sum(map(len, inside.values())),
        layer.paths or 0,
        sum(map(len, images.values())),
        max(bits, default=0),
        exponents,
        int(fan_in.max(initial=0)),
        sum(int(np.count_nonzero(each)) for each in out),
        max((int(each.max()) for each in out), default=0),
        _image_bits(graph, images, bias),
        _current_bits(graph, layer.node, inside),
        _current_bits(graph, layer.node, parts),
    )


def _current_bits(graph: Graph, node: Node, parts: Mapping[str, Synapses]) -> int:
    """Signed bits of all that some sources can add up to in one step, whatever its sign."""
    low, high = np.zeros((2, node.type.neurons), np.int64)
    for name, part in parts.items():
        _widen(graph, name, part, low, high)
    least, most = int(low.min(initial=0)), int(high.max(initial=0))
    bits = signed_bits(least, most)
    signed = isinstance(node.op, IntegerPopulation) and node.op.polarity is not None
    return max(bits, signed_bits(-most, -least)) if signed else bits


def _widen(graph: Graph, name: str, part: Synapses, low: Ints, high: Ints) -> None:
    """Adds the least and the most that a source gives each neuron to two arrays."""
    least, most = graph[name].type.domain or (0, 0)
    ends = part.weights * least, part.weights * most
    np.add.at(low, part.targets, np.minimum(*ends))
    np.add.at(high, part.targets, np.maximum(*ends))


def _image_bits(graph: Graph, images: Mapping[str, Synapses], bias: Ints | None) -> int:
    if not any(map(len, images.values())) or bias is None:
        return 0
    low, high = bias.copy(), bias.copy()
    for name, part in images.items():
        _widen(graph, name, part, low, high)
    return signed_bits(int(low.min()), int(high.max()))
