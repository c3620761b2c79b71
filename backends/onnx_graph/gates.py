"""ONNX's gates and products: a spike selects what passes, or 0; products add that up."""

from dataclasses import replace

import numpy as np

from snncc.backends.onnx_graph.integers import type_for, type_of
from snncc.backends.onnx_graph.table import FORM, At
from snncc.backends.onnx_graph.value import LEADING, Value
from snncc.backends.onnx_graph.writer import BOOL
from snncc.ir import TIME, Kind
from snncc.ir.dialects.gates import Gate
from snncc.ir.dialects.products import Product


@FORM.of(Gate)
def gate(at: At, op: Gate) -> Value:
    w, order = at.w, at.joined()
    bit, x = (w.align(source, order) for source in at.sources)
    dtype = np.dtype(np.uint8)
    if at.node.type.kind is not Kind.SPIKE:
        dtype = type_of(at.node.type.range)
    x, opens = w.cast(x, dtype), w.cast(bit, BOOL)
    zero = Value(w.constant(np.zeros((), dtype)), (), dtype)
    passing = w.where(opens, zero, x) if op.inverted else w.where(opens, x, zero)
    return replace(passing, axes=order, dtype=dtype)


@FORM.of(Product)
def product(at: At, op: Product) -> Value:
    """In a type that holds the sum of any of what passes: its declared ends lie around 0."""
    w = at.w
    rest = tuple(name for name in at.node.type.names if name != TIME)
    time = (TIME,) if any(TIME in source.axes for source in at.sources) else ()
    order = (*time, LEADING, *rest, *op.summed)
    bit, x = (w.align(source, order) for source in at.sources)
    dtype = type_for(*(at.node.type.range or (0, 0)))
    x, opens = w.cast(x, dtype), w.cast(bit, BOOL)
    zero = Value(w.constant(np.zeros((), dtype)), (), dtype)
    passing = w.where(opens, zero, x) if op.inverted else w.where(opens, x, zero)
    each = replace(passing, axes=order, dtype=dtype)
    total = w.total(each, op.summed) if op.summed else each
    return w.cast(total, type_of(at.node.type.range))
