"""Projections whose sums need more than 32 bits, as several that do not.

The weights are cut into digits: W = W0 + (W1 << b) + (W2 << 2b) + ..., every digit but the last
of b bits and not negative. Each digit's projection is compiled; the host adds them up.
"""

from collections.abc import Container
from dataclasses import replace

import numpy as np

from snncc.backends.cpu.arrangement import NotExpressible
from snncc.backends.cpu.plan.hosting import INT32, has_no_planes, needs_digits
from snncc.ir import Array, Graph, Node
from snncc.ir.cycles import arranged, components
from snncc.ir.dialects.projections import Contract, Convolve, Sum
from snncc.ir.op import Context


def narrowed(graph: Graph) -> Graph:
    """The same program with projections that compiled units can add up; itself where all are.

    Those of loops stay: the host computes such loops. The nodes of each loop stand together.
    """
    graph = arranged(graph)
    looped = {n.name for part in components(graph) if part.cyclic for n in part.nodes}
    wide = {node.name for node in graph.select(Contract, Convolve) if _is_too_wide(graph, node)}
    wide -= looped
    if not wide:
        return graph
    constants = dict(graph.constants)
    nodes: list[Node] = []
    taken = {node.name for node in graph.nodes}
    for node in graph.nodes:
        op = node.op
        if node.name not in wide or not isinstance(op, Contract | Convolve):
            nodes.append(node)
            continue
        weight = constants[op.weight.name].astype(np.int64)
        bits = _digit_bits(graph, node, op)
        digits: list[str] = []
        for number, digit in enumerate(_digits(weight, bits)):
            name = _unused(f"{node.name}, digit {number}", taken)
            constant = _unused(f"{op.weight.name}, digit {number}", constants)
            constants[constant] = digit
            own = replace(op, weight=replace(op.weight, name=constant))
            kind = own.infer(graph.input_types(node), Context(graph.steps, constants))
            nodes.append(Node(name, own, node.inputs, kind, node.locs))
            taken.add(name)
            digits.append(name)
        shifts = tuple(bits * number for number in range(len(digits)))
        nodes.append(replace(node, op=Sum(shifts), inputs=tuple(digits)))
    return replace(graph, nodes=tuple(nodes), constants=constants)


def _is_too_wide(graph: Graph, node: Node) -> bool:
    op = node.op
    if not isinstance(op, Contract | Convolve) or has_no_planes(graph[node.inputs[0]]):
        return False
    return needs_digits(graph, node, op)


def _digit_bits(graph: Graph, node: Node, op: Contract | Convolve) -> int:
    """How many bits a digit may have, so that the sum of as many as there are fits 32."""
    ones = np.ones_like(graph.constants[op.weight.name], np.int8)
    context = Context(graph.steps, {op.weight.name: ones})
    _, most = op.infer(graph.input_types(node), context).range or (0, INT32)
    bits = (INT32 // max(1, most)).bit_length() - 1  # most << bits is at most INT32
    if bits < 1:
        raise NotExpressible(f"{node.name} adds up more than 2^30 inputs")
    return bits


def _digits(weight: Array, bits: int) -> list[Array]:
    """Integers whose sum, each shifted by `bits` more than the one before, is the weight."""
    found: list[Array] = []
    rest = weight
    while int(rest.min(initial=0)) < -(1 << bits) or int(rest.max(initial=0)) > 1 << bits:
        found.append((rest & ((1 << bits) - 1)).astype(np.int32))
        rest = rest >> bits
    return [*found, rest.astype(np.int32)]


def _unused(name: str, taken: Container[str]) -> str:
    """A name that nothing has: the program's own names are any text."""
    while name in taken:
        name += "'"
    return name
