"""How active what is no population is: about, from the activity of what it is made of."""

import math
from collections.abc import Mapping

from snncc.backends.cpu.arrangement import planes_of
from snncc.ir import Graph, Kind, Node
from snncc.ir.dialects.gates import Gate
from snncc.ir.dialects.products import Product
from snncc.ir.dialects.projections import Sum
from snncc.ir.dialects.windows import Largest


def activities(graph: Graph, rates: Mapping[str, float]) -> dict[str, float]:
    """Shares of bits that are set, by value: of spikes, or of all planes of counts.

    Args:
        graph: integer dialect.
        rates: of its populations.
    """
    means: dict[str, float] = dict(rates)
    for node in graph.nodes:
        if node.name not in means:
            means[node.name] = _mean(graph, node, means)
    return {
        node.name: min(1.0, means[node.name] / planes_of(node.type))
        for node in graph.nodes
        if node.type.kind in (Kind.SPIKE, Kind.COUNT)
    }


def _mean(graph: Graph, node: Node, means: Mapping[str, float]) -> float:
    """The mean of a value's elements; of what comes a step late that of nothing yet."""
    given = [means.get(name, 0.0) for name in node.inputs]
    match node.op:
        case Sum():
            return sum(given)
        case Gate(inverted=inverted):
            return (1.0 - given[0] if inverted else given[0]) * given[1]
        case Product(summed=summed, inverted=inverted):
            places = math.prod(graph[node.inputs[0]].type.size(name) for name in summed)
            return (1.0 - given[0] if inverted else given[0]) * given[1] * places
        case Largest(kernel=kernel) if node.type.kind is Kind.SPIKE:
            return 1.0 - (1.0 - min(1.0, given[0])) ** math.prod(kernel)
        case _:
            return max(given, default=0.0)
