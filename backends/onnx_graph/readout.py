"""ONNX's answer: the sum over time, which goes on from run to run, and the same in real units."""

import numpy as np

from snncc.backends.onnx_graph.draft import next_name
from snncc.backends.onnx_graph.integers import INT64
from snncc.backends.onnx_graph.table import FORM, At
from snncc.backends.onnx_graph.value import LEADING, Value
from snncc.ir import TIME
from snncc.ir.dialects.integer import IntegerReadout


@FORM.of(IntegerReadout)
def readout(at: At, op: IntegerReadout) -> Value:
    w, draft = at.w, at.draft
    x = w.cast(at.sources[0], INT64)
    if TIME in x.axes:
        x = w.total(x, (TIME,))
    elif not draft.stepwise:
        x = w.apply("Mul", x, Value(draft.run_length(TIME), (), INT64))
    order = (LEADING, *at.node.type.names)
    total = w.apply("Add", draft.state(at.node, INT64), w.transpose(x, order))
    draft.leaves(total, next_name(at.node.name), at.node.type)
    answer = total
    if op.offset is not None:
        answer = w.apply("Add", total, draft.over(op.offset, order))
    real = w.cast(answer, np.float64)
    draft.logits = w.apply("Mul", real, np.asarray(op.unit, np.float64))
    return answer
