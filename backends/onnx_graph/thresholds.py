"""ONNX's staircases: a comparison with each threshold, and the sum of what they say."""

from dataclasses import replace

import numpy as np

from snncc.backends.onnx_graph.integers import type_for, type_of
from snncc.backends.onnx_graph.table import FORM, At
from snncc.backends.onnx_graph.value import Value
from snncc.ir import TIME
from snncc.ir.dialects.thresholds import LEVEL, MultiThreshold


@FORM.of(MultiThreshold)
def staircase(at: At, op: MultiThreshold) -> Value:
    """Thresholds stand as near as no current reaches: a type that holds the current holds them."""
    w, draft = at.w, at.draft
    x, order = at.ordered()
    low, high = at.inputs[0].range or (0, 0)
    far = max(-low, high)
    dtype = type_for(-far - 1, far + 1)
    x = w.cast(x, dtype)
    if op.polarity is not None:
        sign = draft.constant(draft.over(op.polarity, order), order, dtype)
        x = w.apply("Mul", x, w.align(sign, x.axes) if TIME not in sign.axes else sign)
    levels = np.clip(draft.over(op.thresholds, (*order, LEVEL)), -far - 1, far + 1)
    thresholds = draft.constant(levels, (*order, LEVEL), dtype)
    passed = w.compare("GreaterOrEqual", w.align(x, (*x.axes, LEVEL)), thresholds)
    made = type_of(at.node.type.range)
    count = w.total(w.cast(passed, made), (LEVEL,))
    return w.apply("Add", replace(count, dtype=made), op.lowest) if op.lowest else count
