"""ONNX's moves: elements that are gathered along axes, and zeros."""

from dataclasses import replace

import numpy as np

from snncc.backends.onnx_graph.table import FORM, At
from snncc.backends.onnx_graph.value import Value
from snncc.backends.onnx_graph.writer import BOOL
from snncc.ir.dialects.moves import Take


@FORM.of(Take)
def take(at: At, op: Take) -> Value:
    """A zero takes the first element, which is then put away."""
    w, x = at.w, at.sources[0]
    for i, name in enumerate(op.axes):
        place, index = x.axes.index(name), op.index(i)
        made = w.node("Gather", x.made, w.constant(np.maximum(index, 0)), axis=place)
        x = replace(x, made=made)
        if index.min() < 0:
            after = [1] * (len(x.axes) - place - 1)
            there = Value(w.constant((index >= 0).reshape(-1, *after)), (name,), BOOL)
            zero = Value(w.constant(np.zeros((), x.dtype)), (), x.dtype)
            x = replace(w.where(there, x, zero), axes=x.axes)
    names = dict(zip(op.axes, op.out, strict=True))
    return replace(x, axes=tuple(names.get(axis, axis) for axis in x.axes))
