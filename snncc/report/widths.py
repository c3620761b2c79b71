"""Bits of every number: declared by the program, proved for any input, reached on the images."""

from collections.abc import Mapping
from dataclasses import dataclass

from snncc.diagnostics import SnnccError
from snncc.ir import Graph
from snncc.mfi.prover import bits
from snncc.mfi.widths.proof import Width, prove_widths
from snncc.report.activity import Watched

MOST = 1 << 24
"""Elements at one step: beyond it, a bound for each takes minutes."""


@dataclass(frozen=True)
class WidthFacts:
    """One kind of number of one node.

    Attributes:
        name: of the node.
        what: "current", "before shift", "membrane" or "readout".
        declared, proved: closed intervals.
        reached: of a membrane, on the images; None where nobody looked.
        bits: that hold each of them.
    """

    name: str
    what: str
    declared: tuple[int, int]
    proved: tuple[int, int]
    reached: tuple[int, int] | None
    bits: tuple[int, int, int | None]


def widths_of(
    graph: Graph, watched: Mapping[str, Watched] | None = None
) -> tuple[tuple[WidthFacts, ...], str]:
    """Every current, membrane and readout; or none, and why nobody can say.

    Args:
        graph: integer dialect.
        watched: populations that were run.
    """
    elements = sum(node.type.neurons for node in graph.nodes)
    if elements > MOST:
        return (), (
            f"widths, proved one by one: bounds of {elements:,} elements would take too long here; "
            "`snncc verify --widths` takes the time"
        )
    try:
        return proved_widths(graph, watched), ""
    except SnnccError as error:
        finding = error.findings[0]
        return (), f"widths, proved one by one: {finding.message}. {finding.why}".strip()


def proved_widths(
    graph: Graph, watched: Mapping[str, Watched] | None = None
) -> tuple[WidthFacts, ...]:
    """Every number. Raises SnnccError as `prove_widths` does."""
    return tuple(_of(watched or {}, width) for width in prove_widths(graph))


def _of(seen: Mapping[str, Watched], width: Width) -> WidthFacts:
    ran = seen.get(width.node) if width.what == "membrane" else None
    reached = None if ran is None else (ran.low, ran.high)
    return WidthFacts(
        width.node,
        width.what,
        width.declared,
        width.proved,
        reached,
        (bits(width.declared), bits(width.proved), None if reached is None else bits(reached)),
    )
