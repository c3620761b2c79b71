"""The fields of a `Lif`, read off the polynomials of a cycle; or why it is another neuron."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

from snncc.frontends.torch_recorder.loops.forms import Form, Inside, Literal
from snncc.frontends.torch_recorder.loops.neuron_algebra import Comparison, Cycle
from snncc.frontends.torch_recorder.loops.polynomials import ONE, Polynomial, Variable, number, of
from snncc.frontends.torch_recorder.loops.tape import Const, NotRolled
from snncc.frontends.torch_recorder.loops.timing import Place
from snncc.ir.dialects.traced import Lif

NEAR = 1e-12
"""Coefficients are products of the user's constants, each rounded."""
_BEFORE = "a spike is kept for more than one step, or from before the first"
_BY_DATA = "it starts from a value that depends on the input"


@dataclass(frozen=True)
class Population:
    """Neurons.

    Attributes:
        op: what they are.
        currents: what they read, by form, with a gain each.
        bias: what is added to that in every step.
        spikes: the calls that give their spikes.
    """

    op: Lif
    currents: Mapping[Form, float]
    bias: float
    spikes: frozenset[Place]


def population_of(cycle: Cycle) -> Population:
    """The neurons that a cycle is.

    Raises:
        NotRolled: it is no such neuron, and why.
    """
    values, bits = _with_late_bits(cycle)
    states = _distinct({v for value in values.values() for v in value.variables("state")}, values)
    used = {v for value in values.values() for k in ("bit", "late") for v in value.variables(k)}
    fired = {Variable("bit", v.what) for v in used} & {*bits}
    if not states or not fired:
        raise cycle.refused(
            "it never fires: a program has spikes for what goes on from step to step"
            if states
            else "nothing in it is a membrane"
        )
    if len(states) > 1:
        raise cycle.refused(f"it has {len(states)} states; a neuron of a program has its membrane")
    if len(fired) > 1:
        raise cycle.refused(
            f"it compares {len(fired)} times; a neuron of a program has one threshold"
        )
    (state,), (spike,) = states, fired
    start = _start(cycle, state)
    return _Reading(cycle, values, state, spike, bits[spike], start).population()


def _with_late_bits(
    cycle: Cycle,
) -> tuple[dict[Place, Polynomial], dict[Variable, Comparison]]:
    """Polynomials in which a comparison of the old membrane is the spike of the step before."""
    values, bits = dict(cycle.values), dict(cycle.bits)
    late: dict[Variable, Polynomial] = {v: cycle.merged(v) for v in cycle.past}
    if any(_start(cycle, Variable("state", place)) != 0.0 for place in cycle.past.values()):
        raise cycle.refused(_BEFORE)
    for variable, comparison in cycle.bits.items():
        excess = comparison.excess
        if not excess.variables("state") or excess.without("state").constant() is None:
            continue
        then = excess.replaced({v: values[v.what] for v in excess.variables("state")})
        for other, now in cycle.bits.items():
            if other != variable and now.strict == comparison.strict and near(now.excess, then):
                late[variable] = of(Variable("late", other.what))
    for variable in cycle.states():
        value = cycle.values[variable.what].replaced(late)
        if not (value.variables("state") or value.variables("current")):
            late[variable] = value.replaced(
                {b: of(Variable("late", b.what)) for b in value.variables("bit")}
            )
            if value.variables("late") or _start(cycle, variable) != 0.0:
                raise cycle.refused(_BEFORE)
    values = {place: value.replaced(late) for place, value in values.items()}
    kept = {
        v: Comparison(c.excess.replaced(late), c.strict) for v, c in bits.items() if v not in late
    }
    return values, kept


def _distinct(
    states: set[Variable], values: Mapping[Place, Polynomial]
) -> dict[Variable, Polynomial]:
    return {v: values[v.what] for v in states}


def near(one: Polynomial, other: Polynomial) -> bool:
    """Whether two polynomials are the same but for the last bits of their coefficients."""
    largest = max((abs(v) for p in (one, other) for v in p.terms.values()), default=0.0)
    return all(abs(v) <= NEAR * largest for v in one.plus(other, -1.0).terms.values())


def _start(cycle: Cycle, state: Variable) -> float:
    """What a state is before the first step; 0 where the first step says so by leaving it out."""
    form = cycle.loop.starts.get((state.what, 0, -1))
    if form is None:
        return _implied_start(cycle, state)
    found = _number(cycle, form)
    if found is None or not math.isfinite(found):
        raise cycle.refused(_BY_DATA if not isinstance(form, Const) else "its start differs")
    return found


def _implied_start(cycle: Cycle, state: Variable) -> float:
    """The start of a state of which the first step only has a result: 0.5 * V, computed before."""
    for (place, _out, step), form in cycle.loop.starts.items():
        value, found = cycle.values.get(place), _number(cycle, form)
        if value is None or found is None or step != 0:
            continue
        plain = value.without("late", "bit", "current")
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


class _Reading:
    """One membrane and one comparison."""

    def __init__(
        self,
        cycle: Cycle,
        values: Mapping[Place, Polynomial],
        state: Variable,
        spike: Variable,
        fires: Comparison,
        start: float,
    ) -> None:
        self.cycle = cycle
        self.values = values
        self.state = state
        self.now, self.late = spike, Variable("late", spike.what)
        self.fires = fires
        self.start = start
        self.after = values[state.what]

    def population(self) -> Population:
        now, late = (v in self._bits() for v in (self.now, self.late))
        if now == late:
            raise self.refused(
                "it is reset twice" if now else "it fires, and its membrane is never reset"
            )
        charged = self.after.without("bit") if now else self.after
        threshold = self._threshold(charged.without("late") if late else charged, charged)
        leak, currents, bias = self._charge(charged.without("late"))
        reset = self._reset(charged, leak, threshold, now=now)
        bias -= (reset or 0.0) * (1.0 - leak)
        self._check_first_step()
        fired = threshold <= self.start if not self.fires.strict else threshold < self.start
        if late and fired:
            raise self.refused("its membrane starts above the threshold")
        op = Lif(
            tau=None if leak == 1.0 else 1.0 / (1.0 - leak),
            v_threshold=threshold,
            v_reset=reset,
            decay_input=False,
            compare="gt" if self.fires.strict else "ge",
            start=None if self.start == (reset or 0.0) else self.start,
        )
        spikes = frozenset(p for p, value in self.values.items() if value == of(self.now))
        return Population(op, currents, bias, spikes)

    def refused(self, why: str) -> NotRolled:
        self.cycle.last = self.cycle.loop.body[self.state.what]
        return self.cycle.refused(why)

    def _bits(self) -> set[Variable]:
        return self.after.variables("bit") | self.after.variables("late")

    def _threshold(self, plain: Polynomial, charged: Polynomial) -> float:
        """Where it fires: the comparison must be of the charged membrane, and of nothing else."""
        excess = self.fires.excess
        at = next((m for m in plain.terms if m != ONE), None)
        scale = 0.0 if at is None else excess.terms.get(at, 0.0) / plain.terms[at]
        rest = excess.plus(charged, -scale)
        off = rest.terms.get(ONE, 0.0)
        if scale <= 0.0 or not near(excess, charged.plus(number(off / scale)).scaled(scale)):
            raise self.refused("what is compared with the threshold is not its charged membrane")
        return -off / scale

    def _charge(self, plain: Polynomial) -> tuple[float, dict[Form, float], float]:
        """Leak, currents with their gains, and bias of the membrane without its reset."""
        leak, bias = 0.0, 0.0
        currents: dict[Form, float] = {}
        for monomial, value in plain.terms.items():
            if monomial == ONE:
                bias = value
                continue
            (variable,) = monomial
            if variable == self.state:
                leak = value
            else:
                currents[variable.what] = value
        if not 0.0 <= leak <= 1.0:
            raise self.refused(
                f"its membrane is multiplied by {leak:g} in every step, not by 0 to 1"
            )
        if not currents:
            raise self.refused("it reads no current")
        return leak, currents, bias

    def _reset(
        self, charged: Polynomial, leak: float, threshold: float, *, now: bool
    ) -> float | None:
        """What the membrane is reset to, None for a soft reset."""
        bit = of(self.now if now else self.late)
        held = charged if now else of(self.state)
        found = self.after.plus(charged.without("late"), -1.0)
        factor = 1.0 if now else leak
        if near(found, bit.scaled(-threshold * factor)):
            return None
        to = found.plus(bit.times(held).scaled(factor))
        amount = to.terms.get(frozenset((self.now if now else self.late,)), 0.0)
        if (factor or not amount) and near(
            found, bit.scaled(amount).plus(bit.times(held).scaled(factor), -1.0)
        ):
            return amount / factor if amount else 0.0
        plain = found.terms.get(frozenset((self.now if now else self.late,)))
        if plain is not None and len(found.terms) == 1:
            raise self.refused(
                f"a spike takes {-plain / factor:g} from the membrane; neurons of a program lose "
                f"their threshold, {threshold:g}, or are reset"
                if factor
                else "it has no memory but its reset"
            )
        raise self.refused("its reset is neither to a number nor by the threshold")

    def _check_first_step(self) -> None:
        """What the first step does without must be what it would do from the start."""
        first = {self.state: number(self.start), self.late: number(0.0)}
        for (place, _out, step), form in self.cycle.loop.starts.items():
            if place not in self.values or step < 0:
                continue
            known = _number(self.cycle, form)
            if known is not None:
                found = number(known)
            elif isinstance(form, Inside) and form.delay == step:
                inner = self.values.get(form.place)
                now = Inside(form.place, form.out, 0)
                found = of(Variable("current", now)) if inner is None else inner.replaced(first)
            else:
                found = of(Variable("current", form))
            if step > 0 or not near(found, self.values[place].replaced(first)):
                raise self.refused(_BY_DATA)
