"""How many synapses leave each element of a projection's source: exact at padded borders."""

from dataclasses import dataclass

import numpy as np

from snncc.execution import Ints
from snncc.ir import INTEGER, TIME, Graph, Node, Op
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


@dataclass(frozen=True)
class FanOut:
    """Synapses by source element.

    Attributes:
        axes: the source's axes along which fan-out differs; along all others it repeats. With
            weights of their own for every step the time axis is one of them.
        synapses: int64 over these axes, all that exist.
        nonzero: int64 over these axes, those whose weight is not 0.
    """

    axes: tuple[str, ...]
    synapses: Ints
    nonzero: Ints


@dataclass(frozen=True)
class At:
    """A node whose synapses are asked for."""

    graph: Graph
    node: Node


FAN_OUT: Meaning[At, FanOut | None] = Meaning("the operation count", INTEGER)
"""None for what has no synapses."""


def fan_out(graph: Graph, node: Node) -> FanOut | None:
    """The fan-out of a projection; None for what is none. Raises SnnccError (SNN040)."""
    return FAN_OUT(At(graph, node), node)


@FAN_OUT.each(Frames, Concat, Sum, SumAlong, Largest, Take, Gate, Product, Gain, Delay)
@FAN_OUT.each(
    IntegerPopulation,
    IntegerNeuron,
    MultiThreshold,
    IntegerReadout,
)
def no_synapses(at: At, op: Op) -> None:
    return None


@FAN_OUT.of(Contract)
def contract(at: At, op: Contract) -> FanOut:
    weight = at.graph.constants[op.weight.name]
    outputs = tuple(range(len(op.shared), len(op.shared) + len(op.out)))
    nonzero = (weight != 0).sum(axis=outputs, dtype=np.int64)
    each = int(np.prod([weight.shape[axis] for axis in outputs], dtype=np.int64))
    return FanOut((*op.shared, *op.into), np.full(nonzero.shape, each, np.int64), nonzero)


@FAN_OUT.of(Convolve)
def convolve(at: At, op: Convolve) -> FanOut:
    """Sums over the kernel's taps; a tap whose target lies outside the result is no synapse."""
    graph, node = at.graph, at.node
    weight = graph.constants[op.weight.name]
    source = graph[node.inputs[0]].type
    channels, height, width = (source.size(n) for n in (op.channel, op.height, op.width))
    *banks, outputs, inputs, kh, kw = weight.shape
    rows = _targets(
        height, node.type.size(op.out_height), kh, op.stride[0], op.padding[0], op.dilation[0]
    )
    columns = _targets(
        width, node.type.size(op.out_width), kw, op.stride[1], op.padding[1], op.dilation[1]
    )
    grouped = (weight != 0).reshape(*banks, op.groups, outputs // op.groups, inputs, kh, kw)
    taps = grouped.sum(axis=-4, dtype=np.int64).reshape(*banks, channels, kh, kw)
    every = np.full_like(taps, outputs // op.groups)
    over = "yp,xq,...cpq->...cyx"
    return FanOut(
        (*((TIME,) if op.banks else ()), op.channel, op.height, op.width),
        np.einsum(over, rows, columns, every),
        np.einsum(over, rows, columns, taps),
    )


def _targets(size: int, out: int, kernel: int, stride: int, padding: int, dilation: int) -> Ints:
    """1 where a position [size] reaches a place of the result through a tap [kernel], else 0."""
    position = np.arange(size)[:, None] + padding - dilation * np.arange(kernel)[None]
    fits = (position >= 0) & (position % stride == 0) & (position // stride < out)
    targets: Ints = fits.astype(np.int64)
    return targets
