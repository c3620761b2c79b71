"""What the states of a cycle are before the first step, and what the first step does without."""

import math
from collections.abc import Mapping

from snncc.frontends.torch_recorder.loops.bounded_values import Clamp, Comparison
from snncc.frontends.torch_recorder.loops.forms import Form, Inside, Literal
from snncc.frontends.torch_recorder.loops.neuron_algebra import Cycle
from snncc.frontends.torch_recorder.loops.polynomials import (
    ONE,
    Polynomial,
    Variable,
    near,
    number,
    of,
)
from snncc.frontends.torch_recorder.loops.tape import Const
from snncc.frontends.torch_recorder.loops.timing import Place

BY_DATA = "it starts from a value that depends on the input"


def start_of(cycle: Cycle, state: Variable) -> float:
    """What a state is before the first step; 0 where the first step says so by leaving it out.

    Raises:
        NotRolled: it is no number.
    """
    form = cycle.loop.starts.get((state.what, 0, -1))
    if form is None:
        return _implied_start(cycle, state)
    found = _number(cycle, form)
    if found is None or not math.isfinite(found):
        raise cycle.refused(BY_DATA if not isinstance(form, Const) else "its start differs")
    return found


def _implied_start(cycle: Cycle, state: Variable) -> float:
    """The start of a state of which the first step only has a result: 0.5 * V, computed before."""
    for (place, _out, step), form in cycle.loop.starts.items():
        value, found = cycle.values.get(place), _number(cycle, form)
        if value is None or found is None or step != 0:
            continue
        plain = value.without("late", "bit", "current", "clamped")
        factor = plain.terms.get(frozenset((state,)), 0.0)
        if factor and {*plain.terms} <= {frozenset((state,)), ONE}:
            return (found - plain.terms.get(ONE, 0.0)) / factor
    return 0.0


def _number(cycle: Cycle, form: Form) -> float | None:
    if isinstance(form, Const):
        return cycle.loop.numbers.get(form)
    if isinstance(form, Literal) and form.kind in (int, float):
        return float(form.value)
    return None


def check_first_step(
    cycle: Cycle,
    values: Mapping[Place, Polynomial],
    first: Mapping[Variable, Polynomial],
    clamps: Mapping[Variable, Clamp] | None = None,
    bits: Mapping[Variable, Comparison] | None = None,
) -> None:
    """What the first step does without must be what it would do from the start.

    Args:
        cycle: the whole cycle.
        values: what each of its calls gives.
        first: states and late bits as the first step finds them.
        clamps: what the clamped variables in `values` are.
        bits: what the bits in `values` compare, for steps that the input has not reached yet.

    Raises:
        NotRolled: it is something else.
    """
    steps = [_settled(first, clamps or {}, bits or {})]
    most = max((key[2] for key in cycle.loop.starts if key[0] in values), default=0)
    for _ in range(most if bits is not None else 0):
        after = _advanced(values, first, steps[-1])
        steps.append(_settled(after, clamps or {}, bits or {}))
    for (place, _out, step), form in cycle.loop.starts.items():
        if place not in values or step < 0:
            continue
        given = steps[step] if step < len(steps) else None
        if given is None:
            raise cycle.refused(BY_DATA)
        known = _number(cycle, form)
        if known is not None:
            found = number(known)
        elif isinstance(form, Inside) and form.delay == step:
            inner = values.get(form.place)
            now = Inside(form.place, form.out, 0)
            found = of(Variable("current", now)) if inner is None else inner.replaced(given)
        else:
            found = of(Variable("current", form))
        if not near(found, values[place].replaced(given)):
            raise cycle.refused(BY_DATA)


def _settled(
    given: Mapping[Variable, Polynomial],
    clamps: Mapping[Variable, Clamp],
    bits: Mapping[Variable, Comparison],
) -> dict[Variable, Polynomial]:
    """With the bits and clamped values that are numbers in a step."""
    now = {**given, **_first_clamps(given, clamps)}
    for bit, comparison in bits.items():
        excess = comparison.excess.replaced(now).constant()
        if excess is not None:
            fires = excess > 0.0 or (excess == 0.0 and not comparison.strict)
            now[bit] = number(float(fires))
    return now | _first_clamps(now, clamps)


def _advanced(
    values: Mapping[Place, Polynomial],
    first: Mapping[Variable, Polynomial],
    now: Mapping[Variable, Polynomial],
) -> dict[Variable, Polynomial]:
    """States and late bits one step on, as far as they are numbers still."""
    found: dict[Variable, Polynomial] = {}
    for variable in first:
        after = now.get(Variable("bit", variable.what))
        if variable.kind == "state":
            after = values[variable.what].replaced(now)
        if after is not None and after.constant() is not None:
            found[variable] = after
    return found


def _first_clamps(
    first: Mapping[Variable, Polynomial], clamps: Mapping[Variable, Clamp]
) -> dict[Variable, Polynomial]:
    """Clamped values that are numbers in the first step."""
    found: dict[Variable, Polynomial] = {}
    for variable, clamp in clamps.items():
        known = clamp.inner.replaced({**first, **found}).constant()
        if known is not None:
            found[variable] = number(clamp.of_number(known))
    return found
