"""Stub replaced below."""

from snncc.ir import Graph, Node
from snncc.ir.integer_ops import Gain


def before_shift(graph: Graph, node: Node, op: Gain) -> tuple[int, int]:
    """Interval of mantissa * x + 2^(shift-1), over the whole declared range of the current."""
    low, high = graph[node.inputs[0]].type.range or (0, 0)
    mantissa = graph.constants[op.mantissa.name]
    half = (1 << op.shift) >> 1
    ends = [
        int(m) * x + half
        for m in (mantissa.min(initial=0), mantissa.max(initial=0))
        for x in (low, high)
    ]
    return min(ends), max(ends)
