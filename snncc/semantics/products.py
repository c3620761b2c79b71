"""Products of spikes with what they select, in real numbers: a matrix product."""

import numpy as np

from snncc.ir import Node
from snncc.ir.arrays import count
from snncc.ir.dialects.products import Product
from snncc.semantics.arrays import Real


def product(op: Product, inputs: list[Real], names: list[tuple[str, ...]], node: Node) -> Real:
    """The sum of gate * x over the summed axes; sums of integers are exact in any order.

    Args:
        op: the product.
        inputs: of gate and x, [batch, *axes of each].
        names: axes of both.
        node: whose value it is.
    """
    gate, x = inputs
    first, second = names
    shared = [n for n in first if n in second and n not in op.summed]
    own = [n for n in first if n not in second]
    other = [n for n in second if n not in first]
    left = _rows(1.0 - gate if op.inverted else gate, first, shared, own, [*op.summed])
    right = _rows(x, second, shared, [*op.summed], other)
    made: Real = np.matmul(left[0], right[0])
    have = [*shared, *own, *other]
    shape = (len(gate), *left[1], *left[2], *right[3])
    return made.reshape(shape).transpose([0, *(1 + have.index(n) for n in node.type.names)])


def _rows(
    value: Real, names: tuple[str, ...], lead: list[str], rows: list[str], columns: list[str]
) -> tuple[Real, tuple[int, ...], tuple[int, ...], tuple[int, ...]]:
    """Matrices [batch, lead, rows, columns], and the lengths of the three groups of axes."""
    moved = value.transpose([0, *(1 + names.index(n) for n in (*lead, *rows, *columns))])
    a, b = 1 + len(lead), 1 + len(lead) + len(rows)
    sizes = moved.shape[1:a], moved.shape[a:b], moved.shape[b:]
    flat = moved.reshape(len(value), *(count(each) for each in sizes))
    return flat, *sizes
