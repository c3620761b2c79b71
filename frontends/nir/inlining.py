"""Subgraphs become part of the graph that holds them; names in edges that were lost are found."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import TypeVar

from snncc.diagnostics import Finding
from snncc.frontends.nir.records import (
    FROM_WRITER,
    INVALID,
    NO_FORM,
    Edge,
    NirGraph,
    NirNode,
)
from snncc.ir import Loc

Each = TypeVar("Each", str, Edge)


@dataclass
class Inlined:
    """A graph without subgraphs, with what was wrong and what was repaired."""

    nodes: list[NirNode] = field(default_factory=list[NirNode])
    edges: list[Edge] = field(default_factory=list[Edge])
    findings: list[Finding] = field(default_factory=list[Finding])
    notes: list[str] = field(default_factory=list[str])


def inlined(graph: NirGraph) -> Inlined:
    """The graph with the nodes of its subgraphs in their place, all the way down.

    An edge to a subgraph leads to its Input, an edge from it comes from its Output; these stay as
    nodes that pass on what they read (`NirNode.inner`).
    """
    work = Inlined()
    _take(work, graph, "")
    for name in _several(node.name for node in work.nodes):
        told = f"two nodes are called {name!r}"
        why = "nodes of a subgraph are called after it, with a dot between"
        work.findings.append(Finding(INVALID, told, Loc(name), why, FROM_WRITER))
    return work


def _take(work: Inlined, graph: NirGraph, above: str) -> None:
    edges = _known_edges(work, graph, above)
    doors = {node.name: _doors(work, node) for node in graph.nodes if node.graph is not None}
    for node in graph.nodes:
        if node.graph is not None:
            _take(work, node.graph, node.name)
        else:
            inner = above != "" and node.kind in ("Input", "Output")
            work.nodes.append(replace(node, inner=inner))
    for source, target in edges:
        out = doors[source][1] if source in doors else source
        into = doors[target][0] if target in doors else target
        if out is not None and into is not None:
            work.edges.append((out, into))


def _doors(work: Inlined, node: NirNode) -> tuple[str | None, str | None]:
    """The names of a subgraph's Input and Output."""
    found: list[str | None] = []
    held = () if node.graph is None else node.graph.nodes
    for kind in ("Input", "Output"):
        names = [each.name for each in held if each.kind == kind]
        if len(names) != 1:
            code = NO_FORM if names else INVALID
            told = f"subgraph {node.name!r} has {len(names)} nodes of type {kind}"
            why = "edges to and from a subgraph do not say which of several is meant"
            work.findings.append(node.finding(code, told, why, "give it one Input and one Output"))
        found.append(names[0] if len(names) == 1 else None)
    return found[0], found[1]


def _known_edges(work: Inlined, graph: NirGraph, above: str) -> list[Edge]:
    """Edges between nodes that there are; one lost name of one lost node is brought together."""
    names = {node.name for node in graph.nodes}
    used = {name for edge in graph.edges for name in edge}
    lost, alone = sorted(used - names), sorted(names - used)
    given = {name: name for name in names}
    if len(lost) == 1 and len(alone) == 1:
        given[lost[0]] = alone[0]
        where = f"in subgraph {above!r} " if above else ""
        work.notes.append(f"{where}edges name {lost[0]!r}, which is taken as node {alone[0]!r}")
    else:
        for name in lost:
            told = f"edges name {name!r}, and no node is called so"
            why = f"nodes without an edge: {', '.join(alone[:5]) or 'none'}"
            work.findings.append(Finding(INVALID, told, Loc(name), why, FROM_WRITER))
    known = [(given[a], given[b]) for a, b in graph.edges if a in given and b in given]
    for edge in _several(known):
        told = f"the edge from {edge[0]!r} to {edge[1]!r} stands twice"
        why = "whether it counts twice is not said"
        work.findings.append(Finding(INVALID, told, Loc(edge[1]), why, FROM_WRITER))
    return sorted(dict.fromkeys(known))


def _several(things: Iterable[Each]) -> list[Each]:
    """Those that stand there more than once."""
    return [thing for thing, count in Counter(things).items() if count > 1]
