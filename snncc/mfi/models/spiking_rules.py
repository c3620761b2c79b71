"""What each op of the spiking dialect needs, and the domains of its values."""

import numpy as np

from snncc.ir import SPIKING, Kind, Op
from snncc.ir.arrays import count
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
from snncc.ir.encodings import from_host
from snncc.meaning import Meaning
from snncc.mfi.ladder import Level
from snncc.mfi.models import neuron_rules, real_rules
from snncc.mfi.models.domains import (
    ANY_REAL,
    BIT,
    Domain,
    Values,
    affine,
    hull,
    mapped,
    product,
    repeated,
    total,
    with_zeros,
)
from snncc.mfi.models.structure import Judged, Read, aligned, display_name, factor_of, offset_of
from snncc.mfi.rules import UNKNOWN, Need

DOMAIN: Meaning[Read, Domain] = Meaning("the domains of the spiking dialect", SPIKING)
NEED: Meaning[Judged, Need] = Meaning("the verdict on spiking graphs", SPIKING)


@DOMAIN.of(Frames)
def frames(at: Read, op: Frames) -> Domain:
    return Domain(Values.FRAME, *op.domain, 1)


@DOMAIN.of(Contract)
def contract(at: Read, op: Contract) -> Domain:
    array = at.graph.constants[op.weight.name]
    terms = count(tuple(at.graph[at.node.inputs[0]].type.size(n) for n in op.summed))
    rows = array.reshape(count(array.shape[: array.ndim - len(op.into)]), -1)
    return repeated(mapped(at.inputs[0], rows, np.zeros(1)), terms)


@DOMAIN.of(Convolve)
def convolve(at: Read, op: Convolve) -> Domain:
    kernel = at.graph.constants[op.weight.name]
    rows = kernel.reshape(kernel.shape[0], -1)
    return mapped(at.inputs[0], rows, np.zeros(1), padded=any(op.padding))


@DOMAIN.of(Concat)
def side_by_side(at: Read, op: Concat) -> Domain:
    return hull(at.inputs)


@DOMAIN.of(Sum)
def added(at: Read, op: Sum) -> Domain:
    return total(at.inputs)


@DOMAIN.of(SumAlong)
def added_along(at: Read, op: SumAlong) -> Domain:
    return repeated(at.inputs[0], op.places(at.graph[at.node.inputs[0]].type))


@DOMAIN.of(Gate)
def gated(at: Read, op: Gate) -> Domain:
    return with_zeros(at.inputs[1])


@DOMAIN.of(Delay)
def delayed(at: Read, op: Delay) -> Domain:
    return real_rules.delayed(at, op)


@DOMAIN.of(Product)
def multiplied(at: Read, op: Product) -> Domain:
    gate = at.graph[at.node.inputs[0]].type
    terms = count(tuple(gate.size(name) for name in op.summed))
    return product(at.inputs[0], at.inputs[1], terms)


@DOMAIN.of(MultiThreshold)
def staircase(at: Read, op: MultiThreshold) -> Domain:
    return real_rules.staircase(at, op)


@DOMAIN.of(Take)
def taken(at: Read, op: Take) -> Domain:
    return with_zeros(at.inputs[0]) if op.fills else at.inputs[0]


@DOMAIN.of(Largest)
def largest(at: Read, op: Largest) -> Domain:
    if op.offset is None:
        return at.inputs[0]
    return affine(at.inputs[0], np.ones(1), at.graph.constants[op.offset.name].reshape(-1))


@DOMAIN.of(Affine)
def scaled(at: Read, op: Affine) -> Domain:
    _, scale = factor_of(at.graph, at.node)
    return affine(at.inputs[0], scale, offset_of(at.graph, at.node), paired=aligned(op))


@DOMAIN.of(Population)
def spikes(at: Read, op: Population) -> Domain:
    return BIT


@DOMAIN.of(Opaque)
def opaque(at: Read, op: Opaque) -> Domain:
    return BIT if op.kind is Kind.SPIKE else ANY_REAL


@DOMAIN.of(Readout)
def summed_up(at: Read, op: Readout) -> Domain:
    offset = np.zeros(1) if op.offset is None else at.graph.constants[op.offset.name]
    return affine(repeated(at.inputs[0], at.graph.steps), np.ones(1), offset.reshape(-1))


NEED.each(Frames, Concat, Take)(real_rules.moved)
NEED.each(Sum)(real_rules.summed)
NEED.each(Affine)(real_rules.factor)
NEED.of(Largest)(real_rules.largest)
NEED.of(Gate)(real_rules.gate)
NEED.of(Delay)(real_rules.register)
NEED.of(Product)(real_rules.product)
NEED.of(MultiThreshold)(real_rules.thresholds)
NEED.of(Population)(real_rules.population)
DOMAIN.each(Neuron)(neuron_rules.domain)
NEED.of(Neuron)(neuron_rules.need)


@NEED.each(Contract, Convolve)
def projection(at: Judged, op: Op) -> Need:
    """As on a traced graph, except that the host may take over the image."""
    if from_host(at.structure.graph, at.node.inputs[0]):
        return Need(Level.STRICT, (), reason="computed by the host, outside the program")
    return real_rules.projection(at, op)


@NEED.of(SumAlong)
def summed_along(at: Judged, op: SumAlong) -> Need:
    return Need(Level.STRICT, ("add",), reason="currents are added along an axis")


@NEED.of(Opaque)
def unknown(at: Judged, op: Opaque) -> Need:
    return Need(
        Level.NONE,
        UNKNOWN,
        reason=f"{display_name(at.node)} has no form in this dialect",
        help="judge the model: there the function is known",
    )


@NEED.of(Readout)
def readout(at: Judged, op: Readout) -> Need:
    return Need(Level.STRICT, ("add",), reason="currents are summed over time")
