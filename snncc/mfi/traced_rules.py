"""What each op of the traced dialect needs, and the domains of its values.

The verdict on a traced model is about what compiling can make of it: a BatchNorm that folds needs
nothing, a float product of two spikes is a logical AND.
"""

from collections.abc import Mapping

import numpy as np

from snncc.ir import Array, Graph, Node, Op, Param
from snncc.ir import traced_ops as traced
from snncc.ir.arrays import count
from snncc.mfi import real_rules
from snncc.mfi.domains import ANY_REAL, BIT, Domain, Values, affine, hull, mapped, repeated, total
from snncc.mfi.foreign_functions import judge
from snncc.mfi.foreign_products import Operands
from snncc.mfi.real_rules import RealRule, terms_of
from snncc.mfi.rules import Need
from snncc.mfi.structure import Structure, aligned, factor_of, offset_of


def domain_of(graph: Graph, node: Node, known: Mapping[str, Domain]) -> Domain:
    """The numbers that the result of one node can be, from those of its inputs."""
    inputs = tuple(known[name] for name in node.inputs)
    match node.op:
        case traced.Input():
            return Domain(Values.PIXEL, 0, 1, 1 / 255)
        case traced.Linear(weight=weight, into=into, bias=bias):
            array = graph.constants[weight.name]
            rows = array.reshape(count(array.shape[: array.ndim - len(into)]), -1)
            return mapped(inputs[0], rows, _flat(graph, bias))
        case traced.Conv(weight=weight, bias=bias, padding=padding):
            rows = graph.constants[weight.name].reshape(graph.constants[weight.name].shape[0], -1)
            return mapped(inputs[0], rows, _flat(graph, bias), padded=any(padding))
        case traced.BatchNorm() | traced.Scale():
            _, scale = factor_of(graph, node)
            return affine(inputs[0], scale, offset_of(graph, node), paired=aligned(node.op))
        case traced.Lif():
            return BIT
        case traced.Add():
            return total(inputs)
        case traced.TracedConcat():
            return hull(inputs)
        case traced.Rearrange() | traced.Repeat():
            return inputs[0]
        case traced.Mean():
            terms = terms_of(graph, node)
            return repeated(inputs[0], terms, 1.0 / terms)
        case traced.Total():
            return repeated(inputs[0], terms_of(graph, node))
        case traced.Foreign():
            return judge(_operands(graph, node, node.op, known))[0]
        case _:
            return ANY_REAL  # no op of this dialect: nothing is known about it


def _flat(graph: Graph, param: Param | None) -> Array:
    return np.zeros(1) if param is None else graph.constants[param.name].reshape(-1)


def _operands(
    graph: Graph, node: Node, op: traced.Foreign, known: Mapping[str, Domain]
) -> Operands:
    inverted = tuple(
        isinstance(graph[name].op, traced.Scale) and known[name] == BIT for name in node.inputs
    )
    return Operands(op, tuple(known[name] for name in node.inputs), inverted)


def _foreign(structure: Structure, node: Node) -> Need:
    if not isinstance(node.op, traced.Foreign):
        raise TypeError(node.op.mnemonic)
    return judge(_operands(structure.graph, node, node.op, structure.domains))[1]


TRACED_RULES: Mapping[type[Op], RealRule] = {
    traced.Input: real_rules.moved,
    traced.Linear: real_rules.projection,
    traced.Conv: real_rules.projection,
    traced.BatchNorm: real_rules.factor,
    traced.Scale: real_rules.factor,
    traced.Lif: real_rules.neurons,
    traced.Add: real_rules.summed,
    traced.TracedConcat: real_rules.moved,
    traced.Rearrange: real_rules.moved,
    traced.Repeat: real_rules.moved,
    traced.Mean: real_rules.averaged,
    traced.Total: real_rules.averaged,
    traced.Foreign: _foreign,
}
