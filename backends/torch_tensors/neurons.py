"""Neurons of one state on tensors, step by step; see `IntegerPopulation`."""

from collections.abc import Callable

import torch
from torch import Tensor

from snncc.backends.torch_tensors.axes import at_step, ordered, timed
from snncc.backends.torch_tensors.table import VALUE, At, Computed
from snncc.ir.dialects.integer import IntegerPopulation
from snncc.ir.dialects.neuron_rule import Rounding


@VALUE.of(IntegerPopulation)
def population(at: At, op: IntegerPopulation) -> Computed:
    x, names = timed(at.wide[0], at.names[0], at.graph.steps)
    x = _drive(at, op, x, names)
    thresholds = at.constant(op.threshold, names)
    leak, spikes, levels = _leak(op), list[Tensor](), list[Tensor]()
    state = torch.zeros_like(x[:, 0]) if at.state is None else at.state
    for t in range(at.graph.steps):
        threshold, level = at_step(thresholds, t), leak(state) + x[:, t]
        fired = level >= threshold if op.compare == "ge" else level > threshold
        left = level - threshold if op.reset == "soft" else torch.zeros_like(level)
        state = torch.where(fired, left, level)
        spikes.append(fired.to(torch.uint8))
        levels += [level] if at.keep else []
    made = at.node.type.names
    membranes = ordered(torch.stack(levels, 1), names, made) if at.keep else None
    return Computed(ordered(torch.stack(spikes, 1), names, made), membranes, state)


def _drive(at: At, op: IntegerPopulation, x: Tensor, names: tuple[str, ...]) -> Tensor:
    """What is added to what remains of membranes, [batch, t, ...]."""
    if op.offset is not None:
        x = x + at.constant(op.offset, names)
    if op.polarity is not None:
        x = x * at.constant(op.polarity, names)
    return x if op.bias is None else x + at.constant(op.bias, names)


def _leak(op: IntegerPopulation) -> Callable[[Tensor], Tensor]:
    """What remains of a membrane after one step."""
    (factor, shift), carry = op.decay, op.decay_offset

    def down(v: Tensor) -> Tensor:
        return (v * factor + carry) >> shift

    match op.rounding:
        case Rounding.DOWN:
            return down
        case Rounding.UP:
            return lambda v: -down(-v)
        case Rounding.TO_ZERO:
            return lambda v: torch.sign(v) * down(torch.abs(v))
