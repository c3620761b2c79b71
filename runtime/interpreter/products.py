"""The interpreter's products: a spike selects, and what it selects is added up."""

import numpy as np

from snncc.ir import Array
from snncc.ir.arrays import align, count
from snncc.ir.dialects.products import Product
from snncc.runtime.interpreter.table import VALUE, At, Computed

CHUNK = 1 << 22
"""Selected numbers at a time: bounds memory."""


@VALUE.of(Product)
def product(at: At, op: Product) -> Computed:
    """Some of the summed places after the other."""
    made, names = at.node.type, (*at.node.type.names, *op.summed)
    bit, x = (align(value, axes, names) for value, axes in zip(at.sources, at.names, strict=True))
    rest = len(made.names) + 1
    opens, x = (each.reshape(*each.shape[:rest], -1) for each in (bit, x.astype(np.int64)))
    opens = opens == 0 if op.inverted else opens != 0
    places = x.shape[-1]
    step = max(1, CHUNK // max(1, x.shape[0] * count(made.shape)))

    def added(start: int) -> Array:
        chosen = slice(start, start + step)
        total: Array = np.where(opens[..., chosen], x[..., chosen], 0).sum(axis=-1)
        return total

    total = added(0)
    for start in range(step, places, step):
        total = total + added(start)
    return Computed(total)
