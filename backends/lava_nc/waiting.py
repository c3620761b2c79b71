"""When nodes listen, so that the least waits.

A value is held from the step at which it is sent to the step at which its last reader takes it. The
sum over all values of their width times that time is least, under the conditions that nobody reads
what is not there yet and that the answer comes as early as it can: a linear program over
differences, whose dual is a flow of least cost (C. E. Leiserson and J. B. Saxe, "Retiming
synchronous circuitry", Algorithmica 6, 1991, section 8, with a mirror vertex for every value).
"""

from collections.abc import Mapping, Sequence
from typing import Any

import networkx

Vertex = tuple[str, str]
START: Vertex = ("start", "")
nx: Any = networkx  # it comes without types


def times_of_least_waiting(
    reads: Mapping[str, Sequence[str]], costs: Mapping[str, int], widths: Mapping[str, int]
) -> dict[str, int]:
    """The step at which each node listens: the earliest of the schedules in which the least waits.

    Args:
        reads: what each node reads, in topological order of the nodes; nodes that read nothing
            listen at step 0.
        costs: steps from listening to sending, by node.
        widths: numbers that a node's value holds at one step.
    """
    graph = nx.DiGraph()
    read = {source for sources in reads.values() for source in sources}
    last = max(_earliest(reads, costs).values(), default=0)
    graph.add_node(START, demand=0)
    for node, sources in reads.items():
        width = widths[node] if node in read else 0
        graph.add_node(_listens(node), demand=-width)
        graph.add_node(_held(node), demand=width)
        _require(graph, _listens(node), START, 0)
        _require(graph, START, _listens(node), -(last if sources else 0))
        _require(graph, _held(node), _listens(node), costs[node])
    for node, sources in reads.items():
        for source in sources:
            _require(graph, _listens(node), _listens(source), costs[source])
            _require(graph, _held(source), _listens(node), 0)
    _, flow = nx.network_simplex(graph)
    times = _least_times(graph, flow)
    return {node: times[_listens(node)] for node in reads}


def _listens(node: str) -> Vertex:
    return "listens", node


def _held(node: str) -> Vertex:
    """Until when its value is held."""
    return "held", node


def _require(graph: Any, later: Vertex, earlier: Vertex, steps: int) -> None:
    """One vertex is at least so many steps after another."""
    graph.add_edge(earlier, later, weight=-steps)


def _least_times(graph: Any, flow: Mapping[Vertex, Mapping[Vertex, int]]) -> dict[Vertex, int]:
    """The least times that keep every condition, those that carry flow to the step."""
    exact = nx.DiGraph()
    exact.add_weighted_edges_from(graph.edges(data="weight"))
    carrying = [(a, b) for a, others in flow.items() for b, amount in others.items() if amount]
    for a, b in carrying:
        back = -graph[a][b]["weight"]
        if not exact.has_edge(b, a) or exact[b][a]["weight"] > back:
            exact.add_edge(b, a, weight=back)
    distances = nx.single_source_bellman_ford_path_length(exact, START)
    return {vertex: -distance for vertex, distance in distances.items()}


def _earliest(reads: Mapping[str, Sequence[str]], costs: Mapping[str, int]) -> dict[str, int]:
    """As soon as the last of what a node reads is there."""
    found: dict[str, int] = {}
    for node, sources in reads.items():
        found[node] = max((found[name] + costs[name] for name in sources), default=0)
    return found
