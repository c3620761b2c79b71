"""What each op of the traced dialect needs, and the domains of its values.

The verdict on a traced model is about what compiling can make of it: a BatchNorm that folds needs
nothing, a float product of two spikes is a logical AND.
"""

from collections.abc import Mapping

import numpy as np

from snncc.ir import TRACED, Array, Graph, Node, Op, Param
from snncc.ir.arrays import count
from snncc.ir.dialects import traced
from snncc.ir.dialects.delays import Delay
from snncc.ir.dialects.gates import Gate
from snncc.ir.dialects.moves import Take
from snncc.ir.dialects.neurons import TracedNeuron
from snncc.ir.dialects.pointwise import Pointwise
from snncc.ir.dialects.products import Product
from snncc.ir.dialects.thresholds import MultiThreshold
from snncc.ir.dialects.windows import Largest
from snncc.meaning import Meaning
from snncc.mfi.models import neuron_rules, real_rules
from snncc.mfi.models.domains import (
    BIT,
    Domain,
    Values,
    affine,
    hull,
    integers,
    mapped,
    product,
    real,
    repeated,
    total,
    with_zeros,
)
from snncc.mfi.models.foreign_functions import judge
from snncc.mfi.models.foreign_products import Operands
from snncc.mfi.models.real_rules import terms_of
from snncc.mfi.models.structure import Judged, Read, aligned, factor_of, offset_of
from snncc.mfi.rules import Need

DOMAIN: Meaning[Read, Domain] = Meaning("the domains of the traced dialect", TRACED)
NEED: Meaning[Judged, Need] = Meaning("the verdict on models", TRACED)


@DOMAIN.of(traced.Input)
def network_input(at: Read, op: traced.Input) -> Domain:
    return Domain(Values.FRAME, 0, 1, 1 / 255)


@DOMAIN.of(traced.Linear)
def linear(at: Read, op: traced.Linear) -> Domain:
    array = at.graph.constants[op.weight.name]
    rows = array.reshape(count(array.shape[: array.ndim - len(op.into)]), -1)
    return mapped(at.inputs[0], rows, _flat(at.graph, op.bias))


@DOMAIN.of(traced.Conv)
def conv(at: Read, op: traced.Conv) -> Domain:
    kernel = at.graph.constants[op.weight.name]
    rows = kernel.reshape(kernel.shape[0], -1)
    return mapped(at.inputs[0], rows, _flat(at.graph, op.bias), padded=any(op.padding))


@DOMAIN.each(traced.BatchNorm, traced.Scale)
def scaled(at: Read, op: Op) -> Domain:
    _, scale = factor_of(at.graph, at.node)
    return affine(at.inputs[0], scale, offset_of(at.graph, at.node), paired=aligned(op))


@DOMAIN.of(traced.Lif)
def spikes(at: Read, op: traced.Lif) -> Domain:
    return BIT


@DOMAIN.of(traced.Add)
def added(at: Read, op: traced.Add) -> Domain:
    return total(at.inputs)


@DOMAIN.of(traced.TracedConcat)
def side_by_side(at: Read, op: traced.TracedConcat) -> Domain:
    return hull(at.inputs)


@DOMAIN.each(traced.Rearrange, traced.Repeat, Largest)
def moved(at: Read, op: Op) -> Domain:
    return at.inputs[0]


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


@DOMAIN.of(traced.Mean)
def mean(at: Read, op: traced.Mean) -> Domain:
    terms = terms_of(at.graph, at.node)
    return repeated(at.inputs[0], terms, 1.0 / terms)


@DOMAIN.of(traced.Total)
def summed_up(at: Read, op: traced.Total) -> Domain:
    return repeated(at.inputs[0], terms_of(at.graph, at.node))


@DOMAIN.of(traced.Foreign)
def result(at: Read, op: traced.Foreign) -> Domain:
    return judge(_operands(at.graph, at.node, op, at.known))[0]


NEED.each(traced.Input, traced.TracedConcat, traced.Rearrange, traced.Repeat, Take)(
    real_rules.moved
)
NEED.each(traced.Linear, traced.Conv)(real_rules.projection)
NEED.each(traced.BatchNorm, traced.Scale)(real_rules.factor)
NEED.of(traced.Lif)(real_rules.lif)
DOMAIN.each(TracedNeuron)(neuron_rules.domain)
NEED.of(TracedNeuron)(neuron_rules.need)
NEED.each(traced.Add)(real_rules.summed)
NEED.of(Largest)(real_rules.largest)
NEED.of(Gate)(real_rules.gate)
NEED.of(Delay)(real_rules.register)
NEED.of(Product)(real_rules.product)
NEED.of(MultiThreshold)(real_rules.thresholds)
NEED.each(traced.Mean, traced.Total)(real_rules.averaged)


@NEED.of(traced.Foreign)
def foreign(at: Judged, op: traced.Foreign) -> Need:
    structure = at.structure
    return judge(_operands(structure.graph, at.node, op, structure.domains))[1]


@DOMAIN.of(Pointwise)
def clipped(at: Read, op: Pointwise) -> Domain:
    if op.rounds:
        return judge(_by_name("round", at.node, at.inputs))[0]
    (x,) = at.inputs
    low, high = (
        None if param is None else at.graph.constants[param.name] for param in (op.low, op.high)
    )
    ends = x.low, x.high
    if low is not None:
        ends = max(ends[0], float(low.min())), max(ends[1], float(low.max()))
    if high is not None:
        ends = min(ends[0], float(high.min())), min(ends[1], float(high.max()))
    whole = x.discrete and all(float(end / x.step).is_integer() for end in ends)
    return integers(*ends, x.step) if whole else real(*ends)


@NEED.of(Pointwise)
def clips(at: Judged, op: Pointwise) -> Need:
    domains = at.structure.domains
    name = "round" if op.rounds else "relu"
    return judge(_by_name(name, at.node, (domains[at.node.inputs[0]],)))[1]


def _by_name(name: str, node: Node, inputs: tuple[Domain, ...]) -> Operands:
    """A function that nobody has a form for yet."""
    op = traced.Foreign(name, node.type.names, node.type.shape)
    return Operands(op, inputs, (False,))


def _flat(graph: Graph, param: Param | None) -> Array:
    return np.zeros(1) if param is None else graph.constants[param.name].reshape(-1)


def _operands(
    graph: Graph, node: Node, op: traced.Foreign, known: Mapping[str, Domain]
) -> Operands:
    inverted = tuple(
        isinstance(graph[name].op, traced.Scale) and known[name] == BIT for name in node.inputs
    )
    return Operands(op, tuple(known[name] for name in node.inputs), inverted)
