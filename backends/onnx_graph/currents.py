"""ONNX's currents before neurons: side by side, added, scaled."""

from dataclasses import replace

import numpy as np

from snncc.backends.onnx_graph.integers import type_for, type_of
from snncc.backends.onnx_graph.shifts import floor_shift
from snncc.backends.onnx_graph.table import FORM, At
from snncc.backends.onnx_graph.value import Value
from snncc.ir import Kind
from snncc.ir.dialects.integer import Gain
from snncc.ir.dialects.projections import Concat, Sum
from snncc.ir.dialects.sums import SumAlong


@FORM.of(Concat)
def concat(at: At, op: Concat) -> Value:
    w, draft = at.w, at.draft
    dtype = np.dtype(np.uint8)
    if at.node.type.kind is not Kind.SPIKE:
        dtype = type_of(at.node.type.range)
    parts: list[Value] = []
    for source, name in zip(at.sources, op.along, strict=True):
        axes = tuple(op.out if axis == name else axis for axis in source.axes)
        part = replace(w.cast(source, dtype), axes=axes)
        parts.append(draft.timed(part) if at.node.type.temporal else part)
    first = parts[0]
    made = [w.transpose(part, first.axes).made for part in parts]
    return replace(first, made=w.node("Concat", *made, axis=first.axes.index(op.out)))


@FORM.of(Sum)
def add(at: At, op: Sum) -> Value:
    """In a type that holds the sum of any of the sources."""
    w, order = at.w, at.joined()
    ends = [(kind.range or (0, 0), shift) for kind, shift in op.terms(at.inputs)]
    low = sum(min(0, low << shift) for (low, _), shift in ends)
    high = sum(max(0, high << shift) for (_, high), shift in ends)
    dtype = type_for(low, high, *(1 << shift for _, shift in ends))
    total: Value | None = None
    for source, shift in op.terms(at.sources):
        part = w.align(w.cast(source, dtype), order)
        part = w.apply("Mul", part, 1 << shift) if shift else part
        total = part if total is None else w.apply("Add", total, part)
    if total is None:
        raise TypeError("a sum needs a source")
    return w.cast(total, type_of(at.node.type.range))


@FORM.of(SumAlong)
def add_along(at: At, op: SumAlong) -> Value:
    """In a type that holds the sum of any of the elements."""
    w, kind = at.w, at.inputs[0]
    low, high = kind.range or (0, 0)
    count = op.places(kind)
    x = w.cast(at.sources[0], type_for(count * min(0, low), count * max(0, high)))
    return w.cast(w.total(x, op.summed), type_of(at.node.type.range))


@FORM.of(Gain)
def gain(at: At, op: Gain) -> Value:
    w, draft = at.w, at.draft
    x, order = at.ordered()
    mantissa = draft.over(op.mantissa, order)
    low, high = at.inputs[0].range or (0, 0)
    factors = int(mantissa.min(initial=0)), int(mantissa.max(initial=0))
    ends = [end * factor for end in (low, high) for factor in factors]
    half = (1 << op.shift) >> 1
    how = floor_shift(min(ends), max(ends) + half, op.shift, low, high, *factors)
    factor = draft.constant(mantissa, order, how.dtype)
    product = w.apply("Mul", w.cast(x, how.dtype), factor)
    shifted = how.before_left(w, product, half)
    shifted = w.apply("Add", shifted, -how.left) if how.left else shifted
    return w.cast(shifted, type_of(at.node.type.range))
