"""Neurons of several states on tensors, step by step; see `IntegerNeuron`."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from snncc.backends.torch_tensors.axes import at_step, ordered, timed
from snncc.backends.torch_tensors.table import TYPES, VALUE, At, Computed
from snncc.ir import TIME, Param
from snncc.ir.dialects.integer_neurons import IntegerNeuron
from snncc.ir.dialects.neurons import READ, STATE


@VALUE.of(IntegerNeuron)
def neurons(at: At, op: IntegerNeuron) -> Computed:
    """States lie in front of the axes of a step; S is behind them where it acts a step later."""
    x, names = timed(at.wide[0], at.names[0], at.graph.steps)
    step = _Step.of(at, op, names[1:])
    biases = _maybe(at, op.bias, (TIME, STATE, *names[1:]))
    thresholds = _maybe(at, op.threshold, names)
    belows = _maybe(at, op.below, names)
    v, spiked = _start(at, op, x[:, 0], names[1:], step.states)
    given, forms = list[Tensor](), list[Tensor]()
    for t in range(at.graph.steps):
        u = step.levels(x[:, t], None if biases is None else at_step(biases, t), v, spiked)
        form, spikes = _combined(step.form, u), None
        if thresholds is not None:
            below = None if belows is None else at_step(belows, t)
            spikes = spiked = _spikes(op, form, at_step(thresholds, t), step.step, below)
        v = step.after(u, spikes)
        value = form if spikes is None else spikes
        given.append(value if step.read is None else _combined(step.read, v))
        forms += [form] if at.keep else []
    made = at.node.type
    value = ordered(torch.stack(given, 1), names, made.names)
    value = value.to(TYPES[made.dtype]) if op.fires else value
    membranes = ordered(torch.stack(forms, 1), names, made.names) if at.keep else None
    slots = [*v, spiked] if op.remembers else v
    return Computed(value, membranes, torch.stack(slots, dim=1))


@dataclass(frozen=True)
class _Step:
    """One step: constants [states, *axes of one step], None where they are not there."""

    op: IntegerNeuron
    states: int
    leak: Tensor
    gain: Tensor
    form: Tensor
    reads: Tensor | None
    late: Tensor | None
    floor: Tensor | None
    high: Tensor | None
    keep: Tensor | None
    takes: Tensor | None
    amount: Tensor | None
    low: Tensor | None
    read: Tensor | None
    step: Tensor | None

    @classmethod
    def of(cls, at: At, op: IntegerNeuron, names: tuple[str, ...]) -> "_Step":
        def row(param: Param | None) -> Tensor | None:
            return _maybe(at, param, (STATE, *names))

        def table(param: Param | None) -> Tensor | None:
            return _maybe(at, param, (STATE, READ, *names))

        leak, gain, form = (at.constant(p, (STATE, *names)) for p in (op.leak, op.gain, op.form))
        return cls(
            op,
            states=len(leak),
            leak=leak,
            gain=gain,
            form=form,
            reads=table(op.reads),
            late=row(op.late),
            floor=row(op.floor),
            high=row(op.high),
            keep=row(op.keep),
            takes=table(op.takes),
            amount=row(op.amount),
            low=row(op.low),
            read=row(op.read),
            step=_maybe(at, op.step, names),
        )

    def levels(
        self, x: Tensor, bias: Tensor | None, v: Sequence[Tensor], spiked: Tensor
    ) -> list[Tensor]:
        """Every u_i."""
        op, u = self.op, list[Tensor]()
        for i in range(self.states):
            total = self.leak[i] * v[i] + self.gain[i] * x
            if self.reads is not None:
                for j in range(self.states):
                    total = total + self.reads[i][j] * (u[j] if j < i else v[j])
            level = self._rounded(total, op.carry[i] if op.carry else 0, op.shift[i])
            if bias is not None:
                level = level + bias[i]
            if self.late is not None:
                level = level - self.late[i] * spiked
            if op.swallow and op.swallow[i]:
                level = torch.where(spiked == 0, level, torch.zeros_like(level))
            if self.floor is not None and op.has_floor[i]:
                level = torch.maximum(level, self.floor[i])
            if self.high is not None and op.has_high[i]:
                level = torch.minimum(level, self.high[i])
            u.append(level)
        return u

    def after(self, u: Sequence[Tensor], spikes: Tensor | None) -> list[Tensor]:
        """Every v_i."""
        return [self._kept(i, u, spikes) for i in range(self.states)]

    def _kept(self, i: int, u: Sequence[Tensor], spikes: Tensor | None) -> Tensor:
        op, kept = self.op, u[i]
        if spikes is not None:
            shift = op.reset_shift[i] if op.reset_shift else 0
            total = u[i] << shift if self.keep is None else self.keep[i] * u[i]
            if self.takes is not None:
                for j, other in enumerate(u):
                    total = total - self.takes[i][j] * other
            reset = self._rounded(total, 0, shift)
            if self.amount is not None:
                reset = reset - self.amount[i] * spikes
            kept = torch.where(spikes == 0, kept, reset)
        if self.low is not None and op.has_low[i]:
            kept = torch.maximum(kept, self.low[i])
        return kept

    def _rounded(self, total: Tensor, carry: int, shift: int) -> Tensor:
        if self.op.compare == "gt":
            return -((carry - total) >> shift)
        return (total + carry) >> shift


def _maybe(at: At, param: Param | None, target: tuple[str, ...]) -> Tensor | None:
    return None if param is None else at.constant(param, target)


def _combined(factors: Tensor, levels: Sequence[Tensor]) -> Tensor:
    total = factors[0] * levels[0]
    for factor, level in zip(factors[1:], levels[1:], strict=True):
        total = total + factor * level
    return total


def _spikes(
    op: IntegerNeuron, form: Tensor, threshold: Tensor, step: Tensor | None, below: Tensor | None
) -> Tensor:
    """How many thresholds are reached, by a division; -1 for what lies below all."""
    above = form - threshold
    if step is None:
        found = (above > 0 if op.compare != "ge" else above >= 0).to(torch.int64)
    else:
        reached = above - 1 if op.compare == "gt" else above
        found = (torch.div(reached, step, rounding_mode="floor") + 1).clamp(0, op.most)
        if op.compare == "even":
            level = (found - 1) * step
            found = torch.where((found & 1 == 1) & (above == level), found - 1, found)
    if below is None:
        return found
    lower = form < below if op.compare == "gt" else form <= below
    return found - lower.to(torch.int64)


def _start(
    at: At, op: IntegerNeuron, like: Tensor, names: tuple[str, ...], states: int
) -> tuple[list[Tensor], Tensor]:
    """Every v_i before the first step, and S of the step before it."""
    zeros = torch.zeros_like(like)
    if at.state is not None:
        slots = [*at.state.unbind(1)]
        return slots[:states], slots[states] if op.remembers else zeros
    starts = _maybe(at, op.start, (STATE, *names))
    return [zeros if starts is None else zeros + starts[i] for i in range(states)], zeros
