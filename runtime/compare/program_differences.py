"""Which constants on the way into one population differ between two programs."""

from dataclasses import dataclass

import numpy as np

from snncc.ir import Array, Graph, Node, Param
from snncc.ir.dialects.projections import Frames
from snncc.ir.populations import is_population


@dataclass(frozen=True)
class ConstantDifference:
    """One constant that is not the same in both programs.

    Attributes:
        node: that names it.
        what: the field: "weight", "threshold".
        elements: how many differ.
        total: how many there are.
        largest: largest difference of two elements.
        currents: whether it shapes the current (not the neuron).
    """

    node: str
    what: str
    elements: int
    total: int
    largest: int
    currents: bool


def constant_differences(
    a: Graph, node_a: Node, b: Graph, node_b: Node
) -> tuple[ConstantDifference, ...] | None:
    """What differs from the last populations or pixels up to this population.

    Returns:
        The constants that differ; None where the programs are not built alike there.
    """
    found: list[ConstantDifference] = []
    pending, seen = [(node_a, node_b)], set[tuple[str, str]]()
    while pending:
        left, right = pending.pop()
        if (left.name, right.name) in seen:
            continue
        seen.add((left.name, right.name))
        top = left is node_a
        if not top and (is_population(left.op) or isinstance(left.op, Frames)):
            if left.name != right.name:
                return None
            continue
        if type(left.op) is not type(right.op) or len(left.inputs) != len(right.inputs):
            return None
        fields = _field_differences(a, left, b, right, top)
        if fields is None:
            return None
        found += fields
        pending += [(a[x], b[y]) for x, y in zip(left.inputs, right.inputs, strict=True)]
    return tuple(found)


def _field_differences(
    a: Graph, left: Node, b: Graph, right: Node, neuron: bool
) -> list[ConstantDifference] | None:
    found: list[ConstantDifference] = []
    for name in left.op.__dataclass_fields__:
        x, y = getattr(left.op, name), getattr(right.op, name)
        if isinstance(x, Param) and isinstance(y, Param):
            one, two = a.constants[x.name], b.constants[y.name]
            if x.axes != y.axes or one.shape != two.shape:
                return None
            if not np.array_equal(one, two):
                found.append(_difference(left.name, name, one, two, not neuron))
        elif (x != y and not neuron) or (x is None) != (y is None):
            return None
    return found


def _difference(node: str, what: str, one: Array, two: Array, currents: bool) -> ConstantDifference:
    apart = np.abs(one.astype(np.int64) - two.astype(np.int64))
    return ConstantDifference(
        node, what, int(np.count_nonzero(apart)), apart.size, int(apart.max()), currents
    )
