"""The interpreter's neurons of several states, step by step; see `IntegerNeuron`."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from snncc.execution import Ints
from snncc.ir import TIME, Array, Param
from snncc.ir.arrays import at_step, over_steps
from snncc.ir.dialects.integer_neurons import IntegerNeuron
from snncc.ir.dialects.neurons import READ, STATE
from snncc.ir.digits import signed_digits
from snncc.runtime.interpreter.table import VALUE, At, Computed


@dataclass(frozen=True)
class Product:
    """A constant as the signed powers of two that it is made of.

    Attributes:
        digits: by power: where it is added (1), taken off (-1) or left out (0), [*axes].
    """

    digits: tuple[tuple[int, NDArray[np.int8]], ...] = ()

    @classmethod
    def of(cls, constant: Ints) -> "Product":
        found = enumerate(signed_digits(constant))
        return cls(tuple((power, digit) for power, digit in found if digit.any()))

    def times(self, x: Ints) -> Ints:
        """The product, as shifted additions."""
        total = np.zeros_like(x)
        for power, digit in self.digits:
            moved = x << power if power else x
            total = total + np.where(digit == 0, 0, np.where(digit > 0, moved, -moved))
        return total


@dataclass(frozen=True)
class _Neuron:
    """The constants of a neuron over the axes of one step; None for 0."""

    op: IntegerNeuron
    leak: Sequence[Product]
    gain: Sequence[Product]
    form: Sequence[Product]
    keep: Sequence[Product]
    reads: Sequence[Sequence[Product]]
    takes: Sequence[Sequence[Product]]
    late: Ints | None
    amount: Ints | None
    floor: Ints | None
    low: Ints | None
    high: Ints | None
    read: Sequence[Product]

    def shifted(self, x: Ints, carry: int, shift: int) -> Ints:
        """Round down, or up with "gt"."""
        if self.op.compare == "gt":
            return -((carry - x) >> shift)
        found: Ints = (x + carry) >> shift
        return found

    def levels(self, x: Ints, bias: Ints | None, v: list[Ints], spiked: Array | None) -> list[Ints]:
        """Every u_i of a step; `spiked` is how often each neuron fired at the step before."""
        op, u = self.op, list[Ints]()
        for i in range(len(v)):
            total = self.leak[i].times(v[i]) + self.gain[i].times(x)
            for j in range(len(v)):
                if self.reads[i][j].digits:
                    total = total + self.reads[i][j].times(u[j] if j < i else v[j])
            level = self.shifted(total, op.carry[i] if op.carry else 0, op.shift[i])
            if bias is not None:
                level = level + bias[i]
            if spiked is not None and self.late is not None:
                level = level - _times_spikes(op, self.late[i], spiked)
            if spiked is not None and op.swallow and op.swallow[i]:
                level = np.where(spiked != 0, 0, level)
            if self.floor is not None and op.has_floor[i]:
                level = _at_least(level, self.floor[i])
            if self.high is not None and op.has_high[i]:
                level = np.where(level > self.high[i], self.high[i], level)
            u.append(level)
        return u

    def formed(self, u: list[Ints]) -> Ints:
        """What is compared, or given."""
        return _combined(self.form, u)

    def membranes(self, v: list[Ints]) -> Ints:
        """What is given of membranes."""
        return _combined(self.read, v)

    def after(self, u: list[Ints], spike: Array | None) -> list[Ints]:
        """Every v_i after the step."""
        return [self._after(i, u, spike) for i in range(len(u))]

    def _after(self, i: int, u: list[Ints], spike: Array | None) -> Ints:
        op, kept = self.op, u[i]
        if spike is not None:
            total = self.keep[i].times(u[i])
            for product, other in zip(self.takes[i], u, strict=True):
                if product.digits:
                    total = total - product.times(other)
            reset = self.shifted(total, 0, op.reset_shift[i] if op.reset_shift else 0)
            if self.amount is not None:
                reset = reset - _times_spikes(op, self.amount[i], spike)
            kept = np.where(spike != 0, reset, u[i])
        return kept if self.low is None or not op.has_low[i] else _at_least(kept, self.low[i])


def _combined(factors: Sequence[Product], levels: list[Ints]) -> Ints:
    total = factors[0].times(levels[0])
    for product, level in zip(factors[1:], levels[1:], strict=True):
        total = total + product.times(level)
    return total


def _times_spikes(op: IntegerNeuron, constant: Ints, spikes: Array) -> Ints:
    """A constant for each spike, by the bits of their number: shifted additions."""
    fewest, most = op.counts
    if (fewest, most) == (0, 1):
        return np.where(spikes != 0, constant, 0)
    total = np.where(spikes < 0, -constant, 0)
    for bit in range(most.bit_length()):
        counts = (spikes > 0) & ((spikes >> bit) & 1 != 0)
        total = total + np.where(counts, constant << bit, 0)
    return total


def spikes_of(
    op: IntegerNeuron, form: Ints, threshold: Ints, step: Ints, below: Ints | None
) -> Ints:
    """How many spikes a step has: the largest number whose threshold is reached, bit by bit."""
    strict = op.compare == "gt"
    if op.most == 1:
        one = form > threshold if strict or op.compare == "even" else form >= threshold
        found = np.where(one, 1, 0)
    else:
        found, level = form - form, threshold - step  # no spike yet
        for bit in reversed(range(op.most.bit_length())):
            next_level = level + (step << bit)
            reached = form > next_level if strict else form >= next_level
            reached = reached & (found + (1 << bit) <= op.most)
            found = np.where(reached, found + (1 << bit), found)
            level = np.where(reached, next_level, level)
        if op.compare == "even":
            found = np.where((form == level) & (found & 1 != 0), found - 1, found)
    if below is not None:
        lower = form < below if strict else form <= below
        found = np.where(lower, found - 1, found)
    return found


def _at_least(x: Ints, low: Ints) -> Ints:
    return np.where(x < low, low, x)


@VALUE.of(IntegerNeuron)
def neurons(at: At, op: IntegerNeuron) -> Computed:
    """Spikes or forms, forms, and the states after the last step, [batch, slot, *axes of one step].

    The slots are v of every state, and S where it acts at the next step.
    """
    steps, names = at.graph.steps, at.names[0]
    rest = tuple(n for n in names if n != TIME)
    x = over_steps(at.sources[0], names, steps)
    neuron = _constants(at, op, rest)
    biases = None if op.bias is None else at.constant(op.bias, (TIME, STATE, *rest))
    thresholds = None if op.threshold is None else at.constant(op.threshold, (TIME, *rest))
    belows = None if op.below is None else at.constant(op.below, (TIME, *rest))
    stair = np.zeros((), np.int64) if op.step is None else at.constant(op.step, rest)
    v, spiked = _start(at, op, np.zeros_like(x[:, 0], order="C"), rest)
    spikes = np.empty_like(x, at.node.type.dtype if op.fires else "uint8", order="C")
    forms, given = np.empty_like(x, order="C"), np.empty_like(x if op.read is not None else x[:0])
    for t in range(steps):
        bias = None if biases is None else at_step(biases, t)
        u = neuron.levels(x[:, t], bias, v, spiked if op.remembers else None)
        form, spike = neuron.formed(u), None
        if thresholds is not None:
            below = None if belows is None else at_step(belows, t)
            spike = spiked = spikes_of(op, form, at_step(thresholds, t), stair, below)
            spikes[:, t] = spike
        forms[:, t] = form
        v = neuron.after(u, spike)
        if op.read is not None:
            given[:, t] = neuron.membranes(v)
    place = 1 + at.node.type.names.index(TIME)
    slots = [*v, spiked.astype(np.int64)] if op.remembers else v
    forms = np.moveaxis(forms, 1, place)
    value = np.moveaxis(spikes, 1, place) if op.fires else forms
    value = value if op.read is None else np.moveaxis(given, 1, place)
    return Computed(value, forms, np.stack(slots, axis=1))


def _start(
    at: At, op: IntegerNeuron, zeros: Ints, rest: tuple[str, ...]
) -> tuple[list[Ints], Array]:
    """States before the first step, and how often each neuron fired at the one before."""
    n = _states(at, op)
    if at.state is not None:
        state = at.state.astype(np.int64)
        return [state[:, i] for i in range(n)], state[:, n] if op.remembers else zeros
    if op.start is None:
        return [zeros] * n, zeros
    return [zeros + start for start in at.constant(op.start, (STATE, *rest))], zeros


def _states(at: At, op: IntegerNeuron) -> int:
    return len(at.graph.constants[op.leak.name])


def _constants(at: At, op: IntegerNeuron, rest: tuple[str, ...]) -> _Neuron:
    n = _states(at, op)

    def row(param: Param | None) -> Ints | None:
        return None if param is None else at.constant(param, (STATE, *rest))

    def products(param: Param | None, usual: Sequence[int]) -> list[Product]:
        own = row(param)
        return [Product.of(each) for each in (np.array(usual) if own is None else own)]

    def table(param: Param | None) -> list[list[Product]]:
        if param is None:
            return [[Product()] * n] * n
        lines = at.constant(param, (STATE, READ, *rest))
        return [[Product.of(each) for each in line] for line in lines]

    return _Neuron(
        op,
        products(op.leak, ()),
        products(op.gain, ()),
        products(op.form, ()),
        products(op.keep, [1 << shift for shift in op.reset_shift or (0,) * n]),
        table(op.reads),
        table(op.takes),
        row(op.late),
        row(op.amount),
        row(op.floor),
        row(op.low),
        row(op.high),
        [] if op.read is None else products(op.read, ()),
    )
