"""What a neuron of several states does, one neuron at a time: written from the equation alone.

It takes `State` and `Fire` with plain numbers, and any numbers at all: floats or fractions.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from snncc.ir import Param
from snncc.ir.dialects.integer_neurons import IntegerNeuron
from snncc.ir.dialects.neurons import Fire, State


def reference(
    states: Sequence[State], form: Mapping[int, Any], fire: Fire | None, xs: Sequence[Any]
) -> tuple[list[int], list[Any]]:
    """Spikes and forms of one neuron for its currents, step by step."""
    v = [state.start for state in states]
    last = 0
    spikes: list[int] = []
    forms: list[Any] = []
    for x in xs:
        u: list[Any] = []
        for i, s in enumerate(states):
            level = s.leak * v[i] + s.gain * x + s.bias
            for j, coefficient in s.reads.items():
                level += coefficient * (u[j] if j < i else v[j])
            if last:
                level = 0 if s.swallow else level - last * s.late
            if s.floor is not None and level < s.floor:
                level = s.floor
            if s.high is not None and level > s.high:
                level = s.high
            u.append(level)
        total = sum(c * u[j] for j, c in form.items())
        last = 0
        if fire is not None:
            last = spikes_of(fire.compare, fire.most, total, fire.threshold, fire.step, fire.below)
        spikes.append(last)
        forms.append(total)
        for i, s in enumerate(states):
            after = u[i]
            if last:
                after = s.keep * u[i] - last * s.amount - sum(c * u[j] for j, c in s.takes.items())
            v[i] = after if s.low is None or after >= s.low else s.low
    return spikes, forms


def spikes_of(compare: str, most: int, form: Any, level: Any, step: Any, below: Any) -> int:
    """How many spikes a step has; `most` 0 is any number."""
    found = 0
    while not most or found < most:
        strict = compare == "gt" or (compare == "even" and found % 2 == 0)
        border = level + found * (step or 0)
        if form < border or (strict and form == border):
            break
        found += 1
    lower = below is not None and (form < below if compare == "gt" else form <= below)
    return found - int(lower)


def integers(op: IntegerNeuron, constants: Mapping[str, Any], place: int, xs: Sequence[int]) -> Any:
    """Spikes, forms and states of one neuron of an integer program, from the equation alone.

    Args:
        op: the neuron, its constants over the axis "f" alone, apart from those of states.
        constants: of the program.
        place: which neuron along "f".
        xs: its currents.
    """

    def of(param: Param | None, *at: int) -> int:
        if param is None:
            return 0
        index = iter(at)
        found = tuple(place if axis == "f" else next(index) for axis in param.axes)
        return int(constants[param.name][found])

    n = len(op.shift)
    carry, back = op.carry or (0,) * n, op.reset_shift or (0,) * n

    def divided(x: int, more: int, shift: int) -> int:
        return -((-x + more) // 2**shift) if op.compare == "gt" else (x + more) // 2**shift

    v, last = [of(op.start, i) for i in range(n)], 0
    spikes, forms, states = list[int](), list[int](), list[list[int]]()
    for x in xs:
        u = list[int]()
        for i in range(n):
            total = of(op.leak, i) * v[i] + of(op.gain, i) * x
            total += sum(of(op.reads, i, j) * (u[j] if j < i else v[j]) for j in range(n))
            level = divided(total, carry[i], op.shift[i]) + of(op.bias, i) - last * of(op.late, i)
            level = 0 if last and op.swallow and op.swallow[i] else level
            level = max(level, of(op.floor, i)) if op.has_floor and op.has_floor[i] else level
            u.append(min(level, of(op.high, i)) if op.has_high and op.has_high[i] else level)
        form = sum(of(op.form, i) * u[i] for i in range(n))
        last = 0
        if op.threshold is not None:
            below = None if op.below is None else of(op.below)
            step = of(op.step)
            last = spikes_of(op.compare, op.most, form, of(op.threshold), step, below)
        for i in range(n):
            after = u[i]
            if last:
                keep = of(op.keep, i) if op.keep is not None else 2 ** back[i]
                kept = keep * u[i] - sum(of(op.takes, i, j) * u[j] for j in range(n))
                after = divided(kept, 0, back[i]) - last * of(op.amount, i)
            v[i] = max(after, of(op.low, i)) if op.has_low and op.has_low[i] else after
        spikes.append(last)
        forms.append(form)
        states.append([*v, last] if op.remembers else [*v])
    return spikes, forms, states
