"""ONNX's windows: elements of every window are gathered, and the largest is taken."""

from dataclasses import replace

from snncc.backends.onnx_graph.integers import type_for, type_of
from snncc.backends.onnx_graph.table import FORM, At
from snncc.backends.onnx_graph.value import Value
from snncc.ir import Kind
from snncc.ir.dialects.windows import Largest


@FORM.of(Largest)
def largest(at: At, op: Largest) -> Value:
    """Axis after axis, since windows are products."""
    w, draft, kind = at.w, at.draft, at.inputs[0]
    x, order = at.ordered()
    bits = at.node.type.kind is Kind.SPIKE
    if not bits:
        ends = [*(kind.range or (0, 0)), *(at.node.type.range or (0, 0))]
        if op.offset is None:
            x = w.cast(x, type_for(*ends))
        else:
            offset = draft.over(op.offset, order)
            dtype = type_for(*ends, int(offset.min()), int(offset.max()))
            x = w.apply("Add", w.cast(x, dtype), draft.constant(offset, order, dtype))
    for i, name in enumerate(op.axes):
        place = x.axes.index(name)
        elements = w.constant(op.places(i, kind.size(name)))
        taken = w.node("Gather", x.made, elements, axis=place)
        x = replace(x, made=w.node("ReduceMax", taken, axes=[place], keepdims=0))
    names = dict(zip(op.axes, op.out, strict=True))
    x = replace(x, axes=tuple(names.get(axis, axis) for axis in x.axes))
    return x if bits else w.cast(x, type_of(at.node.type.range))
