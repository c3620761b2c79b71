"""ONNX's gates: a spike selects what passes, or 0."""

from dataclasses import replace

import numpy as np

from snncc.backends.onnx_graph.integers import type_of
from snncc.backends.onnx_graph.table import FORM, At
from snncc.backends.onnx_graph.value import Value
from snncc.backends.onnx_graph.writer import BOOL
from snncc.ir import Kind
from snncc.ir.dialects.gates import Gate


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
