"""Comparisons of the old membrane: they are the spike of the step before, or never true."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace

from snncc.frontends.torch_recorder.loops.bounded_values import Clamp, Comparison
from snncc.frontends.torch_recorder.loops.neuron_algebra import Cycle
from snncc.frontends.torch_recorder.loops.neuron_starts import start_of
from snncc.frontends.torch_recorder.loops.polynomials import (
    NotLinear,
    Polynomial,
    Variable,
    near,
    number,
    of,
)
from snncc.frontends.torch_recorder.loops.timing import Place

_BEFORE = "a spike is kept for more than one step, or from before the first"


@dataclass(frozen=True)
class Tidied:
    """The polynomials of a cycle in which all bits are of this step or of the one before.

    Attributes:
        values: what each call gives.
        bits: the comparisons of this step, by variable.
        clamps: what is held above a number, by variable.
        late: what stands for bits of the step before, by variable.
        again: comparisons of the old membrane that stand for the spike of the step before; before
            the first step they must be false.
    """

    values: Mapping[Place, Polynomial]
    bits: Mapping[Variable, Comparison]
    clamps: Mapping[Variable, Clamp]
    again: tuple[Comparison, ...]
    late: Mapping[Variable, Polynomial]


def tidied(cycle: Cycle, outputs: Collection[Place] = ()) -> Tidied:
    """Polynomials in which a comparison of the old membrane is the spike of the step before.

    Args:
        cycle: the neuron's calls.
        outputs: calls that are read elsewhere: a bit that one of them gives is a spike of now.

    Raises:
        NotRolled: a spike is kept for longer.
    """
    values, bits = cycle.values, dict(cycle.bits)
    again: list[Comparison] = []
    unseen: set[Variable] = set()
    late: dict[Variable, Polynomial] = {v: cycle.merged(v) for v in cycle.past}
    if any(start_of(cycle, Variable("state", place)) != 0.0 for place in cycle.past.values()):
        raise cycle.refused(_BEFORE)
    for variable, comparison in cycle.bits.items():
        excess = comparison.excess
        if not excess.variables("state") or excess.without("state").constant() is None:
            continue
        try:
            then = excess.replaced({v: values[v.what] for v in excess.variables("state")})
        except NotLinear:
            continue
        for other, now in cycle.bits.items():
            if other == variable or now.strict != comparison.strict:
                continue
            if near(now.excess, then):
                late[variable] = of(Variable("late", other.what))
                again.append(comparison)
            elif variable not in late and _never(variable, then, other, now):
                late[variable] = number(0.0)
                again.append(comparison)
        given = any(values.get(place) == of(variable) for place in outputs)
        if not given and variable not in late and not then.variables("bit") - {variable}:
            # No call computes the spike itself, such as where the membranes are the answer.
            late[variable] = of(Variable("late", variable.what))
            bits[variable] = replace(comparison, excess=then)
            unseen.add(variable)
            again.append(comparison)
    for variable in cycle.states():
        value = values[variable.what].replaced(late)
        if value.variables("count") or value.variables("quotient"):
            continue
        if not any(value.variables(kind) for kind in ("state", "current", "clamped")):
            late[variable] = value.replaced(
                {b: of(Variable("late", b.what)) for b in value.variables("bit")}
            )
            if value.variables("late") or start_of(cycle, variable) != 0.0:
                raise cycle.refused(_BEFORE)
    return Tidied(
        {place: value.replaced(late) for place, value in values.items()},
        {
            v: replace(c, excess=c.excess.replaced(late))
            for v, c in bits.items()
            if v not in late or v in unseen
        },
        {v: replace(c, inner=c.inner.replaced(late)) for v, c in cycle.clamps.items()},
        tuple(again),
        late,
    )


def _never(variable: Variable, then: Polynomial, other: Variable, now: Comparison) -> bool:
    """Whether a comparison of the old membrane is false, by induction over the steps.

    Where the membrane fired it was reset to a number that does not fire; where it did not fire it
    is what was compared with the same threshold.

    Args:
        variable: the comparison's bit.
        then: its excess one step on.
        other: the bit of the spike.
        now: what that compares.
    """
    if other not in then.variables("bit"):
        return False
    before = {variable: number(0.0)}
    excess = now.excess.replaced(before)
    silent = then.replaced({**before, other: number(0.0)})
    fired = then.replaced({**before, other: number(1.0)}).constant()
    if fired is None or fired > 0.0 or (fired == 0.0 and not now.strict):
        return False
    return near(silent, excess)
