"""A program in a notebook: the verdict and the layers, as HTML."""

from collections.abc import Mapping
from html import escape
from typing import Any

from snncc.api.verdicts import Verdict
from snncc.ir import Graph
from snncc.ir.populations import population_nodes

SHOWN = 40
"""Populations in the table; a network of 140 layers would fill the page."""


def program_page(graph: Graph, report: Mapping[str, Any], verdict: Verdict) -> str:
    """One HTML fragment: what the network is, its verdict, its populations.

    Names come from files and are escaped.
    """
    nodes = population_nodes(graph)
    rows = [
        (node.name, " x ".join(str(n) for n in node.type.shape), f"{node.type.neurons:,}")
        for node in nodes[:SHOWN]
    ]
    rest = len(nodes) - len(rows)
    more = f"<p>and {rest} more populations</p>" if rest > 0 else ""
    head = (
        f"<b>{escape(str(report.get('network', 'program')))}</b>: {verdict.headline}, level "
        f"{escape(verdict.level)}; {graph.steps} time steps, "
        f"{escape(str(report.get('weight_bits', '?')))}-bit weights"
    )
    table = "".join(
        f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in row)}</tr>" for row in rows
    )
    columns = "<tr><th>population</th><th>shape</th><th>neurons</th></tr>"
    return f"<div><p>{head}</p><table>{columns}{table}</table>{more}</div>"
