"""Units for the profile `loihi-lava`: one a population, within the registers of Lava's LIF."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from snncc.backends.lava_nc.registers import (
    CURRENT_SHIFT,
    DECAY_BITS,
    LARGEST_BIAS,
    LARGEST_CURRENT,
    LARGEST_STATE,
    on_bias_grid,
)
from snncc.ir import Graph, Node
from snncc.ir.dialects.projections import Concat, Contract, Convolve, Sum
from snncc.ir.dialects.spiking import Population
from snncc.ir.types import BIT
from snncc.passes.named import Named
from snncc.quantize.units import LEAST_SHARE, Bits, Loss, Units, choose_units, rows_of

EXTRA_BITS = 3
"""A population's grid may be so much finer than its weights': units then fit thresholds better."""
MOST_EXTRA_BITS = 7
"""And so much where nothing may be rounded: a bit that a leak shifts out must be there before."""
MARGIN = 1.05
"""Room for rounding: integer weights may add up to a little more than the real ones."""
RELATIVE_EQUAL = 2.0**-22
"""Relatively, what float32 may have rounded."""
Interval = tuple[float, float]


@dataclass(frozen=True)
class LoihiUnits(Units):
    """Units of which every threshold is a whole number.

    Attributes:
        extra: by population: membranes lie on the finest of its weights' grids * 2^-(6 + extra).
    """

    extra: Mapping[str, int] = field(default_factory=dict[str, int])


def choose_loihi_units(
    graph: Graph, bits: Bits, loss: Loss, *, least: float = LEAST_SHARE
) -> LoihiUnits:
    """One unit for each population, chosen by what rounding loses, then fitted to the registers.

    A population's currents, with all of their weights, lie on grids unit * 2^-exponent; its
    membrane on lsb = unit * 2^-(finest exponent + extra + 6). The lsb is made so large that no
    input at all can carry current or membrane out of 24 bits, and such that the threshold K is
    64 * vth + 1 times as large: for the integer membrane v > 64 * vth is then v * lsb >= K exactly
    (64 * vth times, where the neuron compares with >). Currents that lie on a grid already keep
    their unit where `_keep` finds one that decides exactly.

    Args:
        graph: spiking graph in which no two populations share a current.
        bits: of every projection.
        loss: judges a grid.
        least: share of the largest weight, at least, as the end of a grid.
    """
    base, rounded = choose_units(graph, bits, loss, False, least=least), set[str]()
    unit, exponent, extra = dict(base.unit), dict(base.exponent), dict[str, int]()
    for node in graph.select(Population):
        if isinstance(node.op, Population):
            kept = None
            if node.inputs[0] in base.on_grid:
                kept = _keep(graph, node, node.op, base, exponent)
            if kept is None:
                _fit(graph, node, node.op, unit, exponent, extra)
                rounded.update(each.name for each in currents_of(graph, node.inputs[0]))
            else:
                extra[node.name] = kept
    return LoihiUnits(unit, exponent, base.on_grid - rounded, extra)


def currents_of(graph: Graph, name: str) -> list[Node]:
    """A current and all currents that it is made of, down to the projections."""
    node = graph[name]
    if isinstance(node.op, Contract | Convolve):
        return [node]
    return [node, *(each for source in node.inputs for each in currents_of(graph, source))]


def _fit(
    graph: Graph,
    node: Node,
    op: Population,
    unit: dict[str, Named],
    exponent: dict[str, int],
    extra: dict[str, int],
) -> None:
    """Changes unit and exponents of everything that leads into one population."""
    parts = currents_of(graph, node.inputs[0])
    maps = [each.name for each in parts if each.name in exponent]
    own = float(unit[node.inputs[0]].array.reshape(-1)[0])
    finest = max(exponent[name] for name in maps)
    threshold = float(np.max(graph.constants[op.threshold.name]))
    least = MARGIN * _least_step(graph, node, op, threshold)
    room = math.floor(math.log2(own / 2.0 ** (CURRENT_SHIFT + finest) / least))
    if room < 0:
        finest = math.ceil(math.log2(own / 2.0**CURRENT_SHIFT / least))
        own = least * 2.0 ** (CURRENT_SHIFT + finest)
        exponent.update({name: min(exponent[name], finest) for name in maps})
    extra[node.name] = more = max(0, min(EXTRA_BITS, room))
    step = own / 2.0 ** (CURRENT_SHIFT + finest + more)
    part = 1 if op.compare == "ge" else 0
    whole = math.floor((threshold / step - part) / 2.0**CURRENT_SHIFT)
    if whole >= 1:
        step = threshold / (whole * 2.0**CURRENT_SHIFT + part)
    fitted = Named.scalar(step * 2.0 ** (CURRENT_SHIFT + finest + more))
    unit.update({each.name: fitted for each in parts})


def _keep(
    graph: Graph, node: Node, op: Population, base: Units, exponent: dict[str, int]
) -> int | None:
    """How much finer a membrane is than its currents' grid, that no decision is a rounded one.

    The integer membrane must be a multiple of 64 at every step: then v >= K and v > 64 * vth are
    the same for vth = ceil(K / 64) - 1. With compare ">", vth = floor(K / 64), it is enough that
    64 divides K. A leak takes bits away at all steps but the first. None where the registers or a
    bias do not allow it; else exponents become the least that hold the weights.
    """
    lost = _bits_that_leak(op.decay)
    if lost is None or op.reset != "hard":
        return None
    lost *= graph.steps - 1
    maps = [each.name for each in currents_of(graph, node.inputs[0]) if each.name in exponent]
    finest = max(exponent[name] for name in maps)
    own = float(base.unit[node.inputs[0]].array.reshape(-1)[0]) * 2.0**-finest
    zeros = min(_zeros(np.rint(rows_of(graph, graph[name]) / own)) for name in maps)
    own *= 2.0**zeros
    threshold = float(np.max(graph.constants[op.threshold.name]))
    room = own / 2.0**CURRENT_SHIFT / _least_step(graph, node, op, threshold)
    bias = np.zeros(1) if op.bias is None else np.asarray(graph.constants[op.bias.name])
    for bits in range(MOST_EXTRA_BITS + 1):
        fine = 2.0 ** (CURRENT_SHIFT + bits) / own
        added = np.rint(bias * fine)
        exact = np.abs(added - bias * fine) <= RELATIVE_EQUAL * np.abs(bias * fine)
        left = min(CURRENT_SHIFT + bits, _zeros(added)) - lost
        met = op.compare == "gt" and (threshold * fine) % 2.0**CURRENT_SHIFT == 0.0
        held = exact.all() and (on_bias_grid(added.astype(np.int64)) == added).all()
        if 2.0**bits <= room and held and left >= (0 if met else CURRENT_SHIFT):
            exponent.update({name: exponent[name] - zeros for name in maps})
            return bits
    return None


def _bits_that_leak(decay: float) -> int | None:
    """How many bits a membrane loses in a step; None if no register holds the decay."""
    factor = decay * 2**DECAY_BITS
    if factor != round(factor):
        return None
    return DECAY_BITS - min(DECAY_BITS, _zeros(np.asarray(factor)))


def _zeros(whole: NDArray[np.float64]) -> int:
    """By how many powers of two all of these integers can be divided; many if all are 0."""
    every = int(np.bitwise_or.reduce(np.abs(whole.astype(np.int64)).reshape(-1)))
    return (every & -every).bit_length() - 1 if every else 64


def _least_step(graph: Graph, node: Node, op: Population, threshold: float) -> float:
    """The finest grid on which current, bias and membrane stay within their registers."""
    low, high = _reach(graph, node.inputs[0])
    largest = max(-low, high) / (LARGEST_CURRENT * 2.0**CURRENT_SHIFT)
    biases = np.zeros(1) if op.bias is None else graph.constants[op.bias.name]
    bottom, top = low + float(biases.min()), high + float(biases.max())
    least = 0.0
    for _ in range(graph.steps):
        least = min(0.0, op.decay * least + bottom)
    most = max(threshold, op.decay * threshold + top, -least)
    widest = float(np.abs(biases).max()) / LARGEST_BIAS
    return max(largest, widest, most / LARGEST_STATE)


def _reach(graph: Graph, name: str) -> Interval:
    """Least and largest that any element of a current can be, for any spikes and counts."""
    node = graph[name]
    parts = [graph[source] for source in node.inputs]
    match node.op:
        case Contract(weight=weight, summed=summed, shared=shared, out=out):
            array = np.asarray(graph.constants[weight.name], np.float64)
            rows = array.reshape(*array.shape[: len(shared) + len(out)], -1)
            again = math.prod(parts[0].type.size(axis) for axis in summed)
        case Convolve(weight=weight):
            array = np.asarray(graph.constants[weight.name], np.float64)
            rows, again = array.reshape(*array.shape[:-3], -1), 1
        case Sum():
            ends = [_reach(graph, source) for source in node.inputs]
            return sum(end[0] for end in ends), sum(end[1] for end in ends)
        case Concat():
            ends = [_reach(graph, source) for source in node.inputs]
            return min(end[0] for end in ends), max(end[1] for end in ends)
        case _:
            return _reach(graph, node.inputs[0])
    least, most = (again * end for end in parts[0].type.domain or BIT)
    negative, positive = np.minimum(rows, 0.0).sum(axis=-1), np.maximum(rows, 0.0).sum(axis=-1)
    low = float((most * negative + least * positive).min(initial=0.0))
    high = float((most * positive + least * negative).max(initial=0.0))
    return low, high
