"""In which numbers a matrix product is computed: by what its sums can reach at most.

A float holds every integer up to 2^24 (float32) or 2^53 (float64). Where the sum of |w| * |x| over
all inputs stays within that, every product and every partial sum is such an integer, in any order
and with or without fused additions, so nothing is ever rounded. A sum in int8 is added up in 32
bits.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from math import prod

import numpy as np

from snncc.ir import INTEGER, Array, Graph, Node
from snncc.ir.dialects.products import Product
from snncc.ir.dialects.projections import Contract, Convolve
from snncc.ir.types import ValueType
from snncc.meaning import Meaning


class Form(StrEnum):
    """The numbers of a product."""

    INT8 = "int8"
    FLOAT32 = "float32"
    FLOAT64 = "float64"
    INT64 = "int64"


MOST = {Form.INT8: (1 << 31) - 1, Form.FLOAT32: 1 << 24, Form.FLOAT64: 1 << 53}
"""The largest sum of magnitudes that a form adds up exactly; int64 takes all of a program."""
BYTE = 127
"""The largest factor of a product in int8, of either sign."""
BY_DEVICE: Mapping[str, tuple[Form, ...]] = {
    "cpu": (Form.FLOAT32, Form.FLOAT64, Form.INT64),
    "cuda": (Form.INT8, Form.FLOAT32, Form.FLOAT64, Form.INT64),
}
"""Forms in the order in which they are tried. Products in int8 are not for CPUs: without
instructions for them (VNNI) libraries add pairs of products in 16 bits, which saturate."""


@dataclass(frozen=True)
class Bound:
    """What is proved of a product.

    Attributes:
        weight: the largest |w|.
        factor: the largest |x|.
        sum: the largest sum of |w| * |x| over what is added up for one element.
    """

    weight: int
    factor: int
    sum: int

    def allows(self, form: Form) -> bool:
        """Whether a product in this form is exact."""
        if form is Form.INT64:
            return True
        small = form is not Form.INT8 or max(self.weight, self.factor) <= BYTE
        return small and self.sum <= MOST[form]


def form_for(bound: Bound, forms: Sequence[Form]) -> Form:
    """The first form that is exact; int64 where none of them is."""
    return next((form for form in forms if bound.allows(form)), Form.INT64)


BOUND: Meaning[tuple[Graph, Node], Bound] = Meaning("products of tensors", INTEGER)
"""Of ops that are matrix products."""


def forms_of(graph: Graph, forms: Sequence[Form]) -> dict[str, Form]:
    """For every matrix product of a program the form in which it is computed."""
    known = [node for node in graph.nodes if BOUND.knows(node.op)]
    return {node.name: form_for(BOUND((graph, node), node), forms) for node in known}


@BOUND.of(Contract)
def contract(asked: tuple[Graph, Node], op: Contract) -> Bound:
    graph, node = asked
    source = graph[node.inputs[0]].type
    again = prod(source.size(name) for name in op.summed)
    weight = graph.constants[op.weight.name]
    rows = weight.reshape(prod(weight.shape[: len(op.shared) + len(op.out)]), -1)
    return _selected(rows, again * magnitude(source))


@BOUND.of(Convolve)
def convolve(asked: tuple[Graph, Node], op: Convolve) -> Bound:
    graph, node = asked
    weight = graph.constants[op.weight.name]
    rows = weight.reshape(prod(weight.shape[:-3]), -1)
    return _selected(rows, magnitude(graph[node.inputs[0]].type))


@BOUND.of(Product)
def product(asked: tuple[Graph, Node], op: Product) -> Bound:
    """The gate's spikes are the weights."""
    graph, node = asked
    source = graph[node.inputs[1]].type
    places = prod(source.size(name) for name in op.summed)
    return Bound(1, magnitude(source), places * magnitude(source))


def magnitude(kind: ValueType) -> int:
    """The largest |x| of a value's elements."""
    low, high = kind.domain or kind.range or (0, 0)
    return max(-low, high)


def _selected(rows: Array, factor: int) -> Bound:
    """Of rows of weights whose inputs are at most `factor`; any large sum stands for all larger."""
    wide = rows.astype(np.int64)
    largest = max(-int(wide.min(initial=0)), int(wide.max(initial=0)))
    if largest * wide.shape[-1] >= 1 << 62:
        return Bound(largest, factor, largest * wide.shape[-1] * factor)
    sums = np.abs(wide).sum(axis=-1)
    return Bound(largest, factor, int(sums.max(initial=0)) * factor)


BOUND.refuses(
    *(op for op in INTEGER.ops.values() if op not in (Contract, Convolve, Product)),
    why="it is no matrix product: its numbers are int64",
    help="nothing: it is computed element by element",
)
