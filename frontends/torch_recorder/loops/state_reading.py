"""The states of a general neuron, read off the polynomials of a cycle; or what has no form in it.

For every value of the comparison's bit each state must be a sum of states, currents and numbers.
Then what a step makes of a state without a spike, what a spike does to it, and what is compared
are columns of one table, and the fields are the coefficients by which the ones are made of others.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace

from snncc.frontends.torch_recorder.loops.late_bits import Tidied
from snncc.frontends.torch_recorder.loops.linear_fits import fit, snapped
from snncc.frontends.torch_recorder.loops.neuron_algebra import Cycle
from snncc.frontends.torch_recorder.loops.neuron_starts import check_first_step, start_of
from snncc.frontends.torch_recorder.loops.polynomials import (
    ONE,
    Monomial,
    Polynomial,
    Variable,
    near,
    number,
    of,
)
from snncc.frontends.torch_recorder.loops.spikes import Spikes
from snncc.frontends.torch_recorder.loops.state_order import Charged, Ordered, in_order
from snncc.frontends.torch_recorder.loops.states import Read, States
from snncc.frontends.torch_recorder.loops.timing import Place
from snncc.ir.dialects.neurons import MOST_STATES, Fire, Number, State

_COMPARED = Variable("state", "what is compared")
_ROUNDED = "a value is rounded in it that may be below 0, or is no count of spikes"
_SEVERAL = "several spikes of a step do something else to it than taking the same amount each"
_SIGNED = "a spike below 0 does something else to it than the opposite of one above 0"
_SPIKE_BEFORE = "what is read of it is its spike of the step before: a delay"


@dataclass(frozen=True)
class _Hit:
    """What a spike leaves of a state: keep * u - amount - the sum of takes_j * u_j."""

    keep: float = 1.0
    amount: float = 0.0
    takes: Mapping[Variable, float] | None = None


def neurons_of(cycle: Cycle, tidy: Tidied, outputs: Collection[Place]) -> tuple[Read, ...]:
    """The neurons that a cycle is: one that fires, or one for each membrane that is read.

    Args:
        cycle: the cycle.
        tidy: its polynomials.
        outputs: calls whose results are read elsewhere.

    Raises:
        NotRolled: no neuron of a program is like that, and why.
    """
    return _Neurons(cycle, tidy, outputs).found()


class _Neurons:
    def __init__(self, cycle: Cycle, tidy: Tidied, outputs: Collection[Place]) -> None:
        self.cycle = cycle
        self.tidy = tidy
        self.outputs = sorted(outputs, key=cycle.loop.order.__getitem__)
        self.states, self.fired = self._reached([tidy.values[place] for place in self.outputs])
        self.spikes = Spikes(cycle, tidy, self.fired)
        self.charged = {state: self._charged(state) for state in self.states}

    def found(self) -> tuple[Read, ...]:
        if not self.states and not self.fired:
            raise self.cycle.refused("nothing in it is a membrane")
        if len(self.fired) > 1 and self.spikes.signed is None:
            raise self.cycle.refused(
                f"it compares {len(self.fired)} times; a neuron of a program has one threshold"
            )
        starts = {state: start_of(self.cycle, state) for state in self.states}
        self._check_start(starts)
        if self.fired:
            return self._firing(starts)
        return tuple(self._readout(place, starts) for place in self.outputs)

    # Which states and bits there are.

    def _reached(self, wanted: list[Polynomial]) -> tuple[list[Variable], list[Variable]]:
        """States and comparisons on which some values depend, in the order of the tape."""
        found: set[Variable] = set()
        pending = [*wanted]
        while pending:
            value = pending.pop()
            for variable in {v for monomial in value.terms for v in monomial}:
                at = Variable("bit", variable.what) if variable.kind == "late" else variable
                if at in found or at.kind == "current":
                    continue
                found.add(at)
                if at.kind == "state":
                    pending.append(self.tidy.values[at.what])
                elif at.kind == "clamped":
                    pending.append(self.tidy.clamps[at].inner)
                elif at.kind == "count":
                    pending.append(self.cycle.counting.counts[at].inner.replaced(self.tidy.late))
                elif at.kind == "quotient":
                    raise self.cycle.refused(_ROUNDED)
                else:
                    pending.append(self.tidy.bits[at].excess)
        order = self.cycle.loop.order
        ordered = sorted(found, key=lambda v: order[v.what])
        return (
            [v for v in ordered if v.kind == "state"],
            [v for v in ordered if v.kind in ("bit", "count")],
        )

    def _check_start(self, starts: Mapping[Variable, float]) -> None:
        first = {state: number(value) for state, value in starts.items()}
        for bit in self.fired:
            first[Variable("late", bit.what)] = number(0.0)
        check_first_step(self.cycle, self.tidy.values, first, self.tidy.clamps, self.tidy.bits)
        for comparison in self.tidy.again:
            others = comparison.excess.variables("state") - {*first}
            known = {**first, **{v: number(start_of(self.cycle, v)) for v in others}}
            excess = comparison.excess.replaced(known).constant()
            if excess is None:
                continue
            if excess > 0.0 or (excess == 0.0 and not comparison.strict):
                raise self.cycle.refused("its membrane starts above the threshold")

    # Parts of a state.

    def _charged(self, state: Variable) -> Charged:
        """What a step makes of a state without a spike, and between which ends."""
        value = self.tidy.values[state.what]
        low: float | None = None
        behind = self._behind_the_reset(value)
        if behind is not None:
            low, value = behind
        if any(self._holds_spikes(clamped) for clamped in value.variables("clamped")):
            raise self._refused_at(state, "a spike acts on it before it is held within numbers")
        silent = self.spikes.silent(value)
        floor: float | None = None
        high: float | None = None
        made = silent
        scale = self._scaled_clamp(silent)
        if scale is not None:
            variable, factor, offset = scale
            clamp = self.tidy.clamps[variable]
            made = self.spikes.silent(clamp.inner).scaled(factor).plus(number(offset))
            floor = None if clamp.low is None else clamp.low * factor + offset
            high = None if clamp.high is None else clamp.high * factor + offset
        return Charged(state, silent, made, self.spikes.after(value), floor, low, high=high)

    def _holds_spikes(self, clamped: Variable) -> bool:
        """Whether what is held within numbers depends on spikes of this step, at any depth."""
        inner = self.tidy.clamps[clamped].inner
        if inner.variables("bit") or inner.variables("count"):
            return True
        return any(self._holds_spikes(deeper) for deeper in inner.variables("clamped"))

    def _behind_the_reset(self, value: Polynomial) -> tuple[float, Polynomial] | None:
        """Of max(w, a) + b: the number a + b and w + b, unless this step reads it."""
        found = self._scaled_clamp(value)
        if found is None or found[1] != 1.0:
            return None
        variable, _factor, offset = found
        clamp = self.tidy.clamps[variable]
        if self._is_read(variable) or clamp.low is None or clamp.high is not None:
            return None
        return clamp.low + offset, clamp.inner.plus(number(offset))

    def _is_read(self, variable: Variable) -> bool:
        values = [self.spikes.excess(bit) for bit in self.fired]
        values += [self.tidy.values[place] for place in self.outputs]
        return any(variable in value.variables("clamped") for value in values)

    def _scaled_clamp(self, value: Polynomial) -> tuple[Variable, float, float] | None:
        """A clamped variable, its positive factor and an offset, where a value is that."""
        variables = value.variables("clamped")
        if len(variables) != 1:
            return None
        (variable,) = variables
        factor = value.terms.get(frozenset((variable,)), 0.0)
        if factor <= 0.0 or not {*value.terms} <= {frozenset((variable,)), ONE}:
            return None
        return variable, factor, value.terms.get(ONE, 0.0)

    # Neurons.

    def _firing(self, starts: Mapping[Variable, float]) -> tuple[Read, ...]:
        bit = self.spikes.main
        gives = frozenset(p for p, value in self.tidy.values.items() if value == self.spikes.given)
        excess = self.spikes.excess(bit)
        if excess.variables("bit") or excess.variables("count"):
            raise self.cycle.refused("its threshold is changed by the spike that it decides")
        form, offset, charged = self._form(excess, "what is compared with the threshold")
        hits = {state: self._hit(state) for state in self.states}
        ordered, hits = self._in_order(charged, Variable("late", bit.what), hits)
        scale = max(map(abs, form.values()))
        fire = self.spikes.fire(scale, offset)
        form = {state: value / scale for state, value in form.items()}
        firing = self._read(ordered, form, fire, hits, starts, 0.0, gives)
        at = {variable: i for i, variable in enumerate(ordered.order)}
        self._check_amounts(hits)
        others = [place for place in self.outputs if place not in gives]
        return firing, *(self._membrane(firing, place, bit, at) for place in others)

    def _check_amounts(self, hits: Mapping[Variable, _Hit]) -> None:
        """Raises NotRolled where what several spikes, or one below 0, do is not what one does."""
        if self.fired[0].kind == "count":
            for state in self.states:
                hit, value = hits.get(state, _Hit()), self.tidy.values[state.what]
                nothing = not self.charged[state].seen.terms
                if (hit.keep != 1.0 and not nothing) or hit.takes:
                    raise self._refused_at(state, _SEVERAL)
                if any(len(m) > 1 and m & {*self.fired} for m in value.terms):
                    raise self._refused_at(state, _SEVERAL)
        if self.spikes.signed is not None:
            for state in self.states:
                hit = hits.get(state, _Hit())
                below = self._hit(state, self.spikes.after(self._value_of(state), -1.0))
                same = (below.keep, below.takes or {}) == (hit.keep, hit.takes or {})
                if not same or not near(number(below.amount), number(0.0 - hit.amount)):
                    raise self._refused_at(state, _SIGNED)

    def _value_of(self, state: Variable) -> Polynomial:
        value = self.tidy.values[state.what]
        behind = self._behind_the_reset(value)
        return value if behind is None else behind[1]

    def _membrane(
        self, firing: Read, place: Place, bit: Variable, at: Mapping[Variable, int]
    ) -> Read:
        """A membrane of neurons that fire: of states after and before the reset, and the spike."""
        self.cycle.last = self.cycle.loop.body[place]
        value, values = self.tidy.values[place], self.tidy.values
        if value == of(Variable("late", bit.what)):
            raise self.cycle.refused(_SPIKE_BEFORE)
        after = [values[state.what] for state in self.states]
        before = [self.charged[state].seen for state in self.states]
        found = fit(value, [*after, *before, self.spikes.given], _is_number)
        if found is None or not found.coefficients:
            raise self.cycle.refused("what is read of it is neither its spike nor its membrane")
        read, states = dict[int, Number](), [*firing.op.states]
        for column, factor in found.coefficients.items():
            kind, number_of = divmod(column, len(self.states))
            if kind == 0:
                read[at[self.states[number_of]]] = factor
                continue
            read[len(states)] = factor  # a state that keeps nothing: the level, or the spike
            level = State(leak=0.0, reads={at[self.states[number_of]]: 1.0}) if kind == 1 else None
            states.append(level or State(leak=0.0, amount=-1.0))
        if len(states) > MOST_STATES:
            raise self.cycle.refused(f"it has more than {MOST_STATES} states")
        op = replace(firing.op, states=tuple(states), read=read)
        offset = found.rest.terms.get(ONE, 0.0)
        return Read(op, firing.currents, offset, frozenset((place,)))

    def _readout(self, place: Place, starts: Mapping[Variable, float]) -> Read:
        self.cycle.last = self.cycle.loop.body[place]
        form, offset, charged = self._form(self.tidy.values[place], "what is read of it")
        ordered, hits = self._in_order(charged, None, {})
        return self._read(ordered, form, None, hits, starts, offset, frozenset((place,)))

    def _form(
        self, value: Polynomial, what: str
    ) -> tuple[dict[Variable, float], float, list[Charged]]:
        """A value as a sum of charged states, with its offset and the states.

        A value that is none gets a state of its own, which remembers nothing.
        """
        states = [*self.charged.values()]
        found = fit(value, [state.seen for state in states], _is_number)
        if found is not None and found.coefficients:
            form = {states[i].variable: factor for i, factor in found.coefficients.items()}
            return form, found.rest.terms.get(ONE, 0.0), states
        offset = value.terms.get(ONE, 0.0)
        own = value.plus(number(offset), -1.0)
        if not own.terms or own.variables("bit"):
            raise self.cycle.refused(f"{what} is not its charged membrane")
        return {_COMPARED: 1.0}, offset, [*states, Charged(_COMPARED, own, own, own, None, None)]

    def _hit(self, state: Variable, fired: Polynomial | None = None) -> _Hit:
        """What a spike does to a state."""
        charged = self.charged[state]
        states = [charged, *(c for s, c in self.charged.items() if s != state)]
        found = fit(fired or charged.fired, [c.seen for c in states], _is_number)
        if found is None:
            raise self._refused_at(state, "what a spike does to it has no form")
        keep = found.coefficients.get(0, 0.0)
        takes = {states[i].variable: -c for i, c in found.coefficients.items() if i}
        return _Hit(keep, 0.0 - found.rest.terms.get(ONE, 0.0), takes)

    def _in_order(
        self, charged: list[Charged], late: Variable | None, hits: Mapping[Variable, _Hit]
    ) -> tuple[Ordered, dict[Variable, _Hit]]:
        """The states in an order in which each is made of those before it.

        A late reset that is nothing but a factor of the old state is one of now.
        """
        result = dict(hits)
        stripped = [c if late is None else c.swallowing(late) for c in charged]
        if late is not None:
            for state in self.states:
                factor = _late_factor(state, late, stripped)
                if not factor:
                    continue
                low = self.charged[state].low
                if low is not None and (factor != 1.0 or low > 0.0):
                    raise self._refused_at(state, "it is clamped and reset late")
                stripped = [c.without_late(state, late) for c in stripped]
                hit = result.get(state, _Hit())
                kept = 1.0 - factor
                result[state] = _Hit(
                    hit.keep * kept,
                    hit.amount * kept,
                    {s: v * kept for s, v in (hit.takes or {}).items() if kept},
                )
        found = in_order(stripped, late)
        if isinstance(found, str):
            raise self.cycle.refused(found)
        return found, result

    def _read(
        self,
        ordered: Ordered,
        form: Mapping[Variable, float],
        fire: Fire | None,
        hits: Mapping[Variable, _Hit],
        starts: Mapping[Variable, float],
        offset: float,
        gives: frozenset[Place],
    ) -> Read:
        at = {variable: i for i, variable in enumerate(ordered.order)}
        states: list[State] = []
        for variable in ordered.order:
            hit = hits.get(variable, _Hit())
            if fire is None and hit != _Hit():
                raise self._refused_at(variable, "it has a reset and never fires")
            state = replace(
                ordered.states[variable],
                keep=hit.keep,
                amount=hit.amount,
                takes={at[s]: v for s, v in (hit.takes or {}).items()},
                start=starts.get(variable, 0.0),
            )
            states.append(state)
        numbered: dict[int, Number] = {at[variable]: value for variable, value in form.items()}
        op = States(tuple(states), numbered, fire)
        return Read(op, ordered.currents, offset, gives)

    def _refused_at(self, state: Variable, why: str) -> Exception:
        if state != _COMPARED:
            self.cycle.last = self.cycle.loop.body[state.what]
        return self.cycle.refused(why)


def _is_number(monomial: Monomial) -> bool:
    return monomial == ONE


def _late_factor(state: Variable, late: Variable, charged: list[Charged]) -> float:
    """How much of the old state the last spike took away before anything read it, 0 to 1."""
    plain, product = frozenset((state,)), frozenset((state, late))
    found: list[float] = []
    for each in charged:
        own, taken = (each.made.terms.get(m, 0.0) for m in (plain, product))
        if own or taken:
            found.append(-taken / own if own else 0.0)
    first = found[0] if found else 0.0
    alike = all(near(number(f), number(first)) for f in found)
    return snapped(first) if alike and first else 0.0
