"""Loops through delays: what runs step by step, and in which order the rest runs.

Only a delay reads what comes after it (`Op.looks_back`), so a graph without one has no loop, and
its nodes are in order already.
"""

import heapq
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from snncc.ir.graph import Graph, Node


@dataclass(frozen=True)
class Component:
    """Nodes that depend on one another, or a single node.

    Attributes:
        nodes: in the order of the graph: within a step each comes after what it reads, but for
            delays, which read earlier steps.
        cyclic: whether it is a loop, whose next step needs the result of the last.
    """

    nodes: tuple[Node, ...]
    cyclic: bool


def components(graph: Graph) -> tuple[Component, ...]:
    """The strongly connected parts of a graph, each after all that it reads from the others."""
    nodes = graph.nodes
    if not has_delays(graph):
        return tuple(Component((node,), False) for node in nodes)
    reads = _reads(graph)
    owner = _owners(reads)
    members: dict[int, list[int]] = {}
    for number, root in enumerate(owner):
        members.setdefault(root, []).append(number)
    first = {root: min(numbers) for root, numbers in members.items()}
    edges = {
        (first[owner[source]], first[owner[number]])
        for number, sources in enumerate(reads)
        for source in sources
    }
    looped = {first[owner[n]] for n, sources in enumerate(reads) for s in sources if s == n}
    looped |= {first[root] for root, numbers in members.items() if len(numbers) > 1}
    order = _sorted(first.values(), ((a, b) for a, b in edges if a != b))
    inside = {first[root]: numbers for root, numbers in members.items()}
    return tuple(
        Component(tuple(nodes[n] for n in sorted(inside[at])), at in looped) for at in order
    )


def has_delays(graph: Graph) -> bool:
    """Whether a node may read what comes after it."""
    return any(node.op.looks_back for node in graph.nodes)


def arranged(graph: Graph) -> Graph:
    """The same program with the nodes of each loop beside one another, after all that they read.

    Every delay outside of loops then comes after its source. Itself where there are no delays.
    """
    if not has_delays(graph):
        return graph
    return replace(graph, nodes=tuple(n for part in components(graph) for n in part.nodes))


def between_neurons(graph: Graph) -> tuple[Node, ...]:
    """The nodes, delays too, each after what it reads; neurons may come before what they read.

    Raises:
        ValueError: a loop does not lead through neurons; no verified graph has one.
    """
    if not has_delays(graph):
        return graph.nodes
    order = _order_between(graph)
    if len(order) != len(graph.nodes):
        raise ValueError("a loop does not lead through neurons")
    return tuple(graph.nodes[number] for number in order)


def loop_without_neurons(graph: Graph) -> Node | None:
    """A node of a loop that leads through no neurons; None where there is no such loop.

    What such a loop holds is bounded by nothing but itself: it is a neuron's state, not wiring.
    """
    if not has_delays(graph):
        return None
    done = set(_order_between(graph))
    # What only lies behind such a loop is left out too: a delay of it is on the loop.
    reads = [tuple(s for s in sources if s not in done) for sources in _inner(graph)]
    owner = _owners(reads)
    sizes = Counter(owner)
    for number, node in enumerate(graph.nodes):
        if number not in done and (sizes[owner[number]] > 1 or number in reads[number]):
            return node
    return None


def _order_between(graph: Graph) -> list[int]:
    reads = _inner(graph)
    edges = ((source, n) for n, sources in enumerate(reads) for source in sources)
    return _sorted(range(len(graph.nodes)), edges)


def _inner(graph: Graph) -> list[tuple[int, ...]]:
    """What each node reads, by number; nothing for those whose result is bounded by itself."""
    found = zip(graph.nodes, _reads(graph), strict=True)
    return [() if node.op.breaks_loops else sources for node, sources in found]


def _reads(graph: Graph) -> list[tuple[int, ...]]:
    numbers = {node.name: number for number, node in enumerate(graph.nodes)}
    return [tuple(numbers[name] for name in dict.fromkeys(n.inputs)) for n in graph.nodes]


def _sorted(nodes: Iterable[int], edges: Iterable[tuple[int, int]]) -> list[int]:
    """Numbers, each after those from which an edge leads to it, else the lowest first.

    What lies on a loop, or behind one, is left out.
    """
    behind: dict[int, set[int]] = {number: set() for number in nodes}
    missing = dict.fromkeys(behind, 0)
    for source, target in edges:
        if target not in behind[source]:
            behind[source].add(target)
            missing[target] += 1
    ready = [number for number, count in missing.items() if count == 0]
    heapq.heapify(ready)
    found: list[int] = []
    while ready:
        number = heapq.heappop(ready)
        found.append(number)
        for target in behind[number]:
            missing[target] -= 1
            if missing[target] == 0:
                heapq.heappush(ready, target)
    return found


def _owners(reads: Sequence[tuple[int, ...]]) -> list[int]:
    """For every number one that stands for its strongly connected component (Tarjan, no stack)."""
    owner, low, seen = [-1] * len(reads), [0] * len(reads), [-1] * len(reads)
    open_, count = list[int](), 0
    for root in range(len(reads)):
        work = [(root, 0)] if seen[root] < 0 else []
        while work:
            number, place = work.pop()
            if place == 0:
                seen[number] = low[number] = count
                count += 1
                open_.append(number)
            descended = False
            for at in range(place, len(reads[number])):
                source = reads[number][at]
                if seen[source] < 0:
                    work += [(number, at + 1), (source, 0)]
                    descended = True
                    break
                if owner[source] < 0:
                    low[number] = min(low[number], seen[source])
            if descended:
                continue
            if low[number] == seen[number]:
                while owner[number] < 0:
                    owner[open_.pop()] = number
            if work:
                above = work[-1][0]
                low[above] = min(low[above], low[number])
    return owner
