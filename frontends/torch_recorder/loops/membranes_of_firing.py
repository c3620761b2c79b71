"""The membrane of neurons that fire, as a sum of two readouts that do not.

Where a spike takes an amount from a state, now or at the next step, the membrane is linear in the
current and in the spikes: one readout reads the current and is never reset, the other one reads the
spikes and sums what they took. Their sum is the membrane.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from snncc.frontends.torch_recorder.loops.linear_fits import snapped
from snncc.ir.dialects.neurons import Number, State


@dataclass(frozen=True)
class Parts:
    """Two readouts whose sum is the membrane.

    Attributes:
        charged: the states that read the current.
        form: what is read of them, by number of the state.
        taken: the states that read the spikes times `amount`; the last one holds that for a step.
        taken_form: what is read of those.
        amount: a spike is that much of a current, so that it is as finely graded as what it takes.
    """

    charged: tuple[State, ...]
    form: Mapping[int, float]
    taken: tuple[State, ...]
    taken_form: Mapping[int, float]
    amount: float


def takes_amounts_only(states: Sequence[State]) -> bool:
    """Whether all that a spike does is to take amounts from states."""
    return all(
        s.keep == 1.0
        and not s.takes
        and not s.swallow
        and s.floor is None
        and s.low is None
        and s.high is None
        for s in states
    )


def parts_of(states: Sequence[State], form: Mapping[int, float], at_once: float) -> Parts:
    """The two readouts of some states.

    Args:
        states: of neurons that fire and whose spikes take amounts only.
        form: what is read of the charged states, by number.
        at_once: what a spike adds to what is read in the same step.
    """
    charged = tuple(
        State(leak=s.leak, gain=s.gain, bias=s.bias, reads=s.reads, start=s.start) for s in states
    )
    held = len(states)
    lost: list[float] = []
    for i, state in enumerate(states):
        whole = _number(state.late) + _number(state.leak) * _number(state.amount)
        for j, factor in state.reads.items():
            whole += _number(factor) * _number(states[j].amount) if j > i else 0.0
        lost.append(whole)
    amount = max((abs(value) for value in (*lost, at_once)), default=0.0) or 1.0
    taken = [
        State(leak=s.leak, reads={**s.reads, held: snapped(0.0 - part / amount)})
        for s, part in zip(states, lost, strict=True)
    ]
    read = {**form, held: snapped(at_once / amount)} if at_once else form
    return Parts(charged, form, (*taken, State(leak=0.0, gain=1.0)), read, amount)


def of_amount(
    states: Sequence[State], form: Mapping[int, Number], factor: float
) -> tuple[tuple[State, ...], dict[int, Number]]:
    """States that read spikes, and what is read of them, where a spike is more by a factor."""
    held = len(states) - 1
    changed = [
        replace(s, reads={**s.reads, held: _number(s.reads.get(held, 0.0)) / factor})
        for s in states[:-1]
    ]
    read = {i: _number(v) / factor if i == held else v for i, v in form.items()}
    return (*changed, states[held]), read


def _number(value: Number) -> float:
    if not isinstance(value, int | float):
        raise TypeError("constants over neurons are put together later")
    return float(value)
