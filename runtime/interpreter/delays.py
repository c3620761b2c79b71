"""The interpreter's delays: registers, each a queue of what it read in the last steps."""

import numpy as np

from snncc.ir import TIME, Array
from snncc.ir.arrays import align, timed
from snncc.ir.dialects.delays import Delay
from snncc.runtime.interpreter.table import VALUE, At, Computed


@VALUE.of(Delay)
def delay(at: At, op: Delay) -> Computed:
    """What was read before the first of these steps, then what is read in them, up to the last."""
    x = align(*timed(at.sources[0], at.names[0], at.graph.steps), (TIME, *op.axes))
    queue = np.concatenate([past_of(at, op, x[:, 0]), x], axis=1)
    return Computed(queue[:, : at.graph.steps], None, queue[:, at.graph.steps :])


def past_of(at: At, op: Delay, like: Array) -> Array:
    """The last values that a delay has read, [batch, steps, *axes of one step].

    Args:
        at: with the queue in `state`, or None before the first step.
        op: the delay.
        like: a value of one step, [batch, *axes]: its type is the queue's.
    """
    if at.state is not None:
        return at.state.astype(like.dtype)
    queue: Array = np.zeros_like(like, shape=(like.shape[0], op.steps, *op.shape))
    if op.start is None:
        return queue
    start = at.constant(op.start, op.axes).astype(like.dtype)
    full = np.broadcast_to(start, (like.shape[0], op.steps, *op.shape))
    return np.concatenate([queue[:, :0], full], axis=1)  # data: the queue is no constant
