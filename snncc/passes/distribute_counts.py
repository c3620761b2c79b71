"""Projections of counts as projections of the spikes that are added up, for wires of one bit."""

from snncc.ir import Graph, Kind, Node
from snncc.ir.dialects.projections import Contract, Convolve, Sum
from snncc.passes.rewriter import Rewriter


def distribute_counts(graph: Graph) -> Graph:
    """W(s1 + s2) = W s1 + W s2, in integers: every copy has the same constant.

    Args:
        graph: integer dialect.

    Returns:
        The same currents, of which none reads a sum of spikes; sums that nothing else reads are
        gone. A program without such sums stays what it is.
    """
    sums = {node.name for node in graph.nodes if _is_sum_of_spikes(node)}
    if not sums:
        return graph
    kept: set[str] = set()
    for node in reversed(graph.nodes):
        if not isinstance(node.op, Contract | Convolve) and (node.name not in sums - kept):
            kept.update(node.inputs)
    rewriter = Rewriter(graph)
    for node in graph.nodes:
        if isinstance(node.op, Contract | Convolve) and node.inputs[0] in sums:
            terms = [rewriter.value[name] for name in _terms(graph, node.inputs[0], sums)]
            parts = [rewriter.emit(node, node.op, term) for term in terms]
            rewriter.value[node.name] = rewriter.emit(node, Sum(), *parts)
        elif node.name not in sums or node.name in kept:
            made = rewriter.emit(node, node.op, *rewriter.inputs(node))
            rewriter.value[node.name] = made
    return rewriter.finish()


def _is_sum_of_spikes(node: Node) -> bool:
    return isinstance(node.op, Sum) and node.type.kind is Kind.COUNT


def _terms(graph: Graph, name: str, sums: set[str]) -> list[str]:
    """What a sum adds up, through sums in it; what it adds twice is there twice."""
    if name not in sums:
        return [name]
    return [term for each in graph[name].inputs for term in _terms(graph, each, sums)]
