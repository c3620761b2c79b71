"""Proves again that every product is exact in its form, by code that shares nothing with `forms`.

It looks at the program alone: for each output of a map it adds up the positive and the negative
weights, in halves of 32 bits, so that no sum wraps, and multiplies the ends of the domain with them
as Python's integers.
"""

from collections.abc import Mapping

import numpy as np

from snncc.diagnostics import SnnccError
from snncc.ir import Array, Graph, Node
from snncc.ir.dialects.products import Product
from snncc.ir.dialects.projections import Contract, Convolve

EXACT_BITS = {"float32": 24, "float64": 53, "int8": 31}


def check_forms(graph: Graph, forms: Mapping[str, str]) -> None:
    """Looks at every product of a program.

    Args:
        graph: integer dialect, verified.
        forms: the numbers in which each of its products is computed.

    Raises:
        SnnccError: SNN061, naming the first product that can be rounded in its form, or has none.
    """
    for node in graph.nodes:
        if isinstance(node.op, Contract | Convolve | Product):
            form = forms.get(node.name, "")
            if form != "int64":
                _require_exact(graph, node, form)


def _require_exact(graph: Graph, node: Node, form: str) -> None:
    if form not in EXACT_BITS:
        raise _wrong(node, f"no form {form!r} is known")
    factors, reach = _reach(graph, node)
    most = (1 << EXACT_BITS[form]) - (form == "int8")
    if reach > most:
        raise _wrong(node, f"its sums reach {reach}, and {form} is exact up to {most}")
    if form == "int8" and factors > 127:
        raise _wrong(node, f"it multiplies numbers up to {factors}, and int8 holds 127")


def _reach(graph: Graph, node: Node) -> tuple[int, int]:
    """The largest factor, and what the magnitudes of its products add up to at most."""
    op, source = node.op, graph[node.inputs[-1]].type
    interval = source.range if source.range is not None else (0, 1)
    far = max(abs(end) for end in interval)
    again = 1
    for name in getattr(op, "summed", ()):
        again *= source.size(name)
    if isinstance(op, Product):
        return far, far * again
    if not isinstance(op, Contract | Convolve):
        return 0, 0
    weight = graph.constants[op.weight.name]
    added = op.into if isinstance(op, Contract) else op.weight.axes[-3:]
    places = tuple(range(weight.ndim - len(added), weight.ndim))
    return max(far * again, _largest(weight)), _heaviest(weight, places) * far * again


def _largest(weight: Array) -> int:
    return max((abs(int(end)) for end in (weight.min(initial=0), weight.max(initial=0))), default=0)


def _heaviest(weight: Array, places: tuple[int, ...]) -> int:
    """The largest sum of |w| over these axes, exactly."""
    total = np.zeros((), object)
    for sign in (1, -1):
        part = np.maximum(weight.astype(np.int64) * sign, 0)
        high, low = part >> 32, part & 0xFFFFFFFF
        for half, power in ((high, 32), (low, 0)):
            total = total + half.sum(axis=places, dtype=np.int64).astype(object) * (1 << power)
    return int(np.max(total, initial=0))


def _wrong(node: Node, why: str) -> SnnccError:
    return SnnccError(
        "SNN061",
        f"a product of tensors may round ({node.name})",
        loc=node.loc,
        why=why,
        help="this is a fault of snncc: run the program with --executor simulator, and report it",
    )
