"""How images enter a program: what stands behind a value of pixels."""

from snncc.ir.dialects.projections import Concat, Frames
from snncc.ir.graph import Graph


def frames_of(graph: Graph) -> Frames:
    """What enters a program. Raises StopIteration where nothing does."""
    return next(node.op for node in graph.nodes if isinstance(node.op, Frames))


def encodings_of(graph: Graph, name: str) -> frozenset[str]:
    """Encodings of every image that a value of pixels consists of; empty for other values."""
    node = graph[name]
    match node.op:
        case Frames(encoding=encoding):
            return frozenset((encoding,))
        case Concat():
            return frozenset[str]().union(*(encodings_of(graph, each) for each in node.inputs))
        case _:
            return frozenset()


def from_host(graph: Graph, name: str) -> bool:
    """Whether the host computes the currents of what reads a value: one of its images says so."""
    return "host" in encodings_of(graph, name)
