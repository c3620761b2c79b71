"""What a neuron of several states does, one neuron at a time: written from the equation alone.

It takes `State` and `Fire` with plain numbers, and any numbers at all: floats or fractions.
"""

from collections.abc import Mapping, Sequence
from typing import Any

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
                level = 0 if s.swallow else level - s.late
            if s.floor is not None and level < s.floor:
                level = s.floor
            u.append(level)
        total = sum(c * u[j] for j, c in form.items())
        last = 0
        if fire is not None:
            last = int(total >= fire.threshold if fire.compare == "ge" else total > fire.threshold)
        spikes.append(last)
        forms.append(total)
        for i, s in enumerate(states):
            after = u[i]
            if last:
                after = s.keep * u[i] - s.amount - sum(c * u[j] for j, c in s.takes.items())
            v[i] = after if s.low is None or after >= s.low else s.low
    return spikes, forms
