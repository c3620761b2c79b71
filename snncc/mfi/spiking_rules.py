"""What each op of the spiking dialect needs, and the domains of its values."""

from collections.abc import Mapping

import numpy as np

from snncc.ir import Graph, Kind, Node, Op
from snncc.ir.arrays import count
from snncc.ir.encodings import from_host
from snncc.ir.projections import Concat, Contract, Convolve, Pixels, Sum
from snncc.ir.spiking_ops import Affine, Opaque, Population, Readout
from snncc.mfi import real_rules
from snncc.mfi.domains import ANY_REAL, BIT, Domain, Values, affine, hull, mapped, repeated, total
from snncc.mfi.ladder import Level
from snncc.mfi.real_rules import RealRule
from snncc.mfi.rules import UNKNOWN, Need
from snncc.mfi.structure import Structure, aligned, called, factor_of, offset_of


def domain_of(graph: Graph, node: Node, known: Mapping[str, Domain]) -> Domain:
    """The numbers that the result of one node can be, from those of its inputs."""
    inputs = tuple(known[name] for name in node.inputs)
    match node.op:
        case Pixels():
            return Domain(Values.PIXEL, 0, 255, 1)
        case Contract(weight=weight, into=into, summed=summed):
            array = graph.constants[weight.name]
            terms = count(tuple(graph[node.inputs[0]].type.size(n) for n in summed))
            rows = array.reshape(count(array.shape[: array.ndim - len(into)]), -1)
            return repeated(mapped(inputs[0], rows, np.zeros(1)), terms)
        case Convolve(weight=weight, padding=padding):
            rows = graph.constants[weight.name].reshape(graph.constants[weight.name].shape[0], -1)
            return mapped(inputs[0], rows, np.zeros(1), padded=any(padding))
        case Concat():
            return hull(inputs)
        case Sum():
            return total(inputs)
        case Affine():
            _, scale = factor_of(graph, node)
            return affine(inputs[0], scale, offset_of(graph, node), paired=aligned(node.op))
        case Population():
            return BIT
        case Opaque(kind=Kind.SPIKE):
            return BIT
        case Readout(offset=offset):
            array = np.zeros(1) if offset is None else graph.constants[offset.name]
            return affine(repeated(inputs[0], graph.steps), np.ones(1), array.reshape(-1))
        case _:
            return ANY_REAL  # no op of this dialect: nothing is known about it


def _projection(structure: Structure, node: Node) -> Need:
    """As on a traced graph, except that the host may take over the image."""
    if from_host(structure.graph, node.inputs[0]):
        return Need(Level.STRICT, (), reason="computed by the host, outside the program")
    return real_rules.projection(structure, node)


def _opaque(_structure: Structure, node: Node) -> Need:
    return Need(
        Level.NONE,
        UNKNOWN,
        reason=f"{called(node)} has no form in this dialect",
        help="judge the model: there the function is known",
    )


def _readout(_structure: Structure, _node: Node) -> Need:
    return Need(Level.STRICT, ("add",), reason="currents are summed over time")


SPIKING_RULES: Mapping[type[Op], RealRule] = {
    Pixels: real_rules.moved,
    Contract: _projection,
    Convolve: _projection,
    Concat: real_rules.moved,
    Sum: real_rules.summed,
    Affine: real_rules.factor,
    Population: real_rules.neurons,
    Readout: _readout,
    Opaque: _opaque,
}
