"""A graph as a drawing in Graphviz's language: `dot -Tsvg`."""

from collections.abc import Iterator

from snncc.ir.graph import Graph, Node
from snncc.ir.types import Kind

SHAPES = {Kind.SPIKE: "box", Kind.CURRENT: "ellipse", Kind.COUNT: "cds", Kind.READOUT: "house"}
"""Shapes of nodes by the kind of their values."""


def dot_text(graph: Graph) -> str:
    """The whole graph, from the image down to the answer; the same text for the same graph.

    Every node has its name, its op and the type of its value; arrows carry what is read.
    """
    numbers = {node.name: f"n{number}" for number, node in enumerate(graph.nodes)}
    return "\n".join(["digraph {", *(f"  {line}" for line in _lines(graph, numbers)), "}"]) + "\n"


def _lines(graph: Graph, numbers: dict[str, str]) -> Iterator[str]:
    title = f"{graph.dialect} graph, T = {graph.steps}, profile {graph.profile or 'none'}"
    yield f"graph [label={_quoted(title)}, labelloc=t]"
    yield 'node [fontname="Helvetica"]'
    for node in graph.nodes:
        shape = SHAPES.get(node.type.kind, "ellipse")
        bold = ", style=bold" if node.name == graph.output else ""
        yield f"{numbers[node.name]} [shape={shape}, label={_quoted(*_label(node))}{bold}]"
    for node in graph.nodes:
        for name in node.inputs:
            yield f"{numbers[name]} -> {numbers[node.name]}"


def _label(node: Node) -> tuple[str, ...]:
    return node.name, node.op.word, str(node.type)


def _quoted(*lines: str) -> str:
    """A string of Graphviz; backslashes and quotes in it are themselves."""
    escaped = (line.replace("\\", "\\\\").replace('"', '\\"') for line in lines)
    return '"' + "\\n".join(escaped) + '"'
