"""A traced model of one image at all steps, as one that gets a frame of its own at every step."""

from dataclasses import replace

from snncc.ir import TIME, Graph
from snncc.ir.dialects.traced import Input
from snncc.passes.rewriter import Rewriter


def give_each_step_a_frame(graph: Graph) -> Graph:
    """The same model, whose input has time, with a frame for every step, as its first axis.

    Raises:
        TypeRuleError: a step of the model gives the image its time axis, so there is but one.
    """
    rewriter = Rewriter(graph)
    for node in graph.nodes:
        op = node.op
        if isinstance(op, Input):
            timed = op if TIME in op.axes else replace(op, axes=(TIME, *op.axes))
            shape = op.shape if TIME in op.axes else (graph.steps, *op.shape)
            op = replace(timed, shape=shape, frames=True)
        rewriter.value[node.name] = rewriter.emit(node, op, *rewriter.inputs(node))
    return rewriter.finish()
