"""The interpreter's neurons: leak, add, compare, reset, step by step; see `IntegerPopulation`."""

from collections.abc import Callable

import numpy as np

from snncc.execution import Ints
from snncc.ir import TIME, Array
from snncc.ir.arrays import at_step, over_steps
from snncc.ir.dialects.integer import IntegerPopulation
from snncc.ir.dialects.neuron_rule import Rounding
from snncc.ir.digits import signed_digits
from snncc.runtime.interpreter.shifted import times
from snncc.runtime.interpreter.table import VALUE, At, Computed


@VALUE.of(IntegerPopulation)
def population(at: At, op: IntegerPopulation) -> Computed:
    """Spikes, membranes and the last state; the first two in the axes of the node's type."""
    steps = at.graph.steps
    names = at.names[0]
    rest = (TIME, *(n for n in names if n != TIME))
    x = _drive(at, op, over_steps(at.sources[0], names, steps), rest)
    thresholds = at.constant(op.threshold, rest)
    none = np.zeros_like(thresholds)
    biases = at.constant(op.bias, rest) if op.bias is not None else none
    leak = _leak(op)
    state = np.zeros_like(x[:, 0], order="C") if at.state is None else at.state.astype(np.int64)
    spikes, levels = np.empty_like(x, np.uint8, order="C"), np.empty_like(x, order="C")
    for t in range(steps):
        threshold = at_step(thresholds, t)
        level = leak(state) + x[:, t] + at_step(biases, t)
        spike = level >= threshold if op.compare == "ge" else level > threshold
        after = np.zeros_like(level) if op.reset == "hard" else level - threshold
        state = np.where(spike, after, level)
        spikes[:, t], levels[:, t] = spike, level
    place = 1 + at.node.type.names.index(TIME)
    return Computed(np.moveaxis(spikes, 1, place), np.moveaxis(levels, 1, place), state)


def _drive(at: At, op: IntegerPopulation, x: Array, rest: tuple[str, ...]) -> Array:
    """Polarity * (X + offset), [batch, t, ...]."""
    if op.offset is not None:
        x = x + at.constant(op.offset, rest)
    if op.polarity is None:
        return x
    sign = at.constant(op.polarity, rest)
    return np.where(sign == 0, 0, np.where(sign > 0, x, -x))


def _leak(op: IntegerPopulation) -> Callable[[Ints], Ints]:
    """What remains of a membrane after one step."""
    (factor, shift), offset = op.decay, op.decay_offset
    digits = [d.reshape(()) for d in signed_digits(np.array(factor))]

    def down(v: Ints) -> Ints:
        leaked: Ints = (times(v, digits) + offset) >> shift
        return leaked

    def up(v: Ints) -> Ints:
        return -down(-v)

    match op.rounding:
        case Rounding.DOWN:
            return down
        case Rounding.UP:
            return up
        case Rounding.TO_ZERO:
            return lambda v: np.where(v < 0, up(v), down(v))
