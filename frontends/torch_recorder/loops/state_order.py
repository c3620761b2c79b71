"""In which order a step computes the states of a neuron, and of what it makes each."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice, permutations

from snncc.frontends.torch_recorder.loops.forms import Form
from snncc.frontends.torch_recorder.loops.linear_fits import fit, snapped
from snncc.frontends.torch_recorder.loops.polynomials import (
    NEAR,
    ONE,
    Monomial,
    Polynomial,
    Variable,
    number,
)
from snncc.ir.dialects.neurons import MOST_STATES, State

_GAINS = "its states read several currents, each with gains of its own"
_ORDERS = 120
"""So many orders of states are tried: all of up to five states."""


@dataclass(frozen=True)
class Charged:
    """A state in a step without a spike.

    Attributes:
        variable: the state as the next step reads it.
        seen: what the rest of the step finds, as one value.
        made: of what it is made, before it is clamped.
        fired: what is left of it after a spike, before `low`.
        floor: what it is held above before the comparison; None for nothing.
        low: what it is held above after it.
        swallow: whether the last spike takes all of it.
        high: what it is held below before the comparison; None for nothing.
    """

    variable: Variable
    seen: Polynomial
    made: Polynomial
    fired: Polynomial
    floor: float | None
    low: float | None
    swallow: bool = False
    high: float | None = None

    def swallowing(self, late: Variable) -> "Charged":
        """The same, with a reset that takes all of it at the next step told apart."""
        if late not in self.made.variables("late"):
            return self
        left = self.made.replaced({late: number(1.0)})
        size = max(map(abs, self.made.terms.values()))
        if any(abs(value) > NEAR * size for value in left.terms.values()):
            return self
        return replace(self, made=self.made.replaced({late: number(0.0)}), swallow=True)

    def without_late(self, state: Variable, late: Variable) -> "Charged":
        """The same, with another state's late reset left out: it happens at once."""
        taken = frozenset((state, late))
        parts = [
            Polynomial({m: v for m, v in p.terms.items() if m != taken})
            for p in (self.made, self.seen)
        ]
        return replace(self, made=parts[0], seen=parts[1])


@dataclass(frozen=True)
class Ordered:
    """States in order.

    Attributes:
        order: of the variables.
        states: with leak, gain, bias, reads, late, swallow and ends; by variable.
        currents: what X is, by form, with a factor each.
    """

    order: tuple[Variable, ...]
    states: Mapping[Variable, State]
    currents: Mapping[Form, float]


@dataclass(frozen=True)
class _Made:
    """Of what a state is made: of states by number, and of the rest."""

    reads: Mapping[int, float]
    rest: Polynomial


def in_order(charged: Sequence[Charged], late: Variable | None) -> Ordered | str:
    """The order in which the states are made of the least; or why there is none."""
    if len(charged) > MOST_STATES:
        return f"it has {len(charged)} states; a neuron of a program has at most {MOST_STATES}"
    found = _best_order(charged, late)
    if found is None or isinstance(found, str):
        for state in charged if len(charged) < MOST_STATES else ():
            # A state in front of all others that reads it: what it was a step ago.
            own = Polynomial({frozenset((state.variable,)): 1.0})
            old = Charged(
                Variable("state", ("old", state.variable.what)), own, own, own, None, None
            )
            more = _best_order([*charged, old], late)
            if more is not None and not isinstance(more, str):
                found = more
                break
    if found is None or isinstance(found, str):
        return found or _GAINS
    return _ordered(*found, late)


def _best_order(
    charged: Sequence[Charged], late: Variable | None
) -> tuple[tuple[Charged, ...], list[_Made]] | str | None:
    """The order of the fewest reads, with what each state is made of; or why there is none."""
    best: tuple[int, tuple[Charged, ...], list[_Made]] | None = None
    why = ""
    for order in islice(permutations(charged), _ORDERS):
        made: list[_Made] = []
        for at, state in enumerate(order):
            found = _made_of(state, order[:at], order[at + 1 :], late)
            if isinstance(found, str):
                why = why or found
                break
            made.append(found)
        else:
            price = sum(len(m.reads) + len(m.rest.terms) for m in made)
            if _gains(made) is not None and (best is None or price < best[0]):
                best = price, order, made
    return (best[1], best[2]) if best is not None else why or None


def _made_of(
    state: Charged, before: Sequence[Charged], behind: Sequence[Charged], late: Variable | None
) -> _Made | str:
    """A state by those of this step that come before it, and by what the last step left."""
    read = {frozenset((c.variable,)) for c in (state, *behind)}
    last = None if late is None or state.swallow else frozenset((late,))

    def allowed(monomial: Monomial) -> bool:
        if monomial in read or monomial in (ONE, last):
            return True
        return len(monomial) == 1 and next(iter(monomial)).kind == "current"

    columns = [c.seen for c in before]
    if state.swallow and late is not None:
        columns = [column.replaced({late: number(0.0)}) for column in columns]
    found = fit(state.made, columns, allowed)
    if found is None:
        odd = [m for m in state.made.terms if not allowed(m)]
        return f"a state in it is no sum of states and currents: {_words(odd)}"
    return _Made(found.coefficients, found.rest)


def _words(odd: Sequence[Monomial]) -> str:
    """What has no form, in words."""
    names = {
        "state": "a state",
        "current": "its current",
        "bit": "its spike",
        "late": "its spike of the step before",
        "clamped": "a value that is clamped",
        "quotient": "a rounded value",
        "count": "its spikes",
    }
    order = [*names]
    products = {
        " times ".join(names[v.kind] for v in sorted(m, key=lambda v: order.index(v.kind)))
        for m in odd
    }
    return ", ".join(sorted(products)) or "states that read each other in a circle"


def _gains(made: Sequence[_Made]) -> tuple[list[float], dict[Form, float]] | None:
    """The gain of each state, and the currents' factors; None where no single X has them."""
    variables = list(dict.fromkeys(v for m in made for v in _currents(m.rest)))
    rows = [[m.rest.terms.get(frozenset((v,)), 0.0) for v in variables] for m in made]
    main = next((row for row in rows if any(row)), None)
    if main is None:
        return [0.0] * len(made), {}
    at = next(i for i, value in enumerate(main) if value)
    factors = [value / main[at] for value in main]
    for row in rows:
        size = max(map(abs, row))
        if any(abs(v - row[at] * f) > NEAR * size for v, f in zip(row, factors, strict=True)):
            return None
    currents = {v.what: snapped(f) for v, f in zip(variables, factors, strict=True) if f}
    return [row[at] for row in rows], currents


def _currents(value: Polynomial) -> list[Variable]:
    return [v for m in value.terms for v in m if v.kind == "current"]


def _ordered(
    order: Sequence[Charged], made: Sequence[_Made], late: Variable | None
) -> Ordered | str:
    found = _gains(made)
    if found is None or not found[1]:
        return "it reads no current"
    gains, currents = found
    states: dict[Variable, State] = {}
    for at, (charged, parts) in enumerate(zip(order, made, strict=True)):
        terms = parts.rest.terms
        leak = terms.get(frozenset((charged.variable,)), 0.0)
        if not 0.0 <= leak <= 1.0:
            return f"its membrane is multiplied by {leak:g} in every step, not by 0 to 1"
        behind = {
            i: terms[frozenset((other.variable,))]
            for i, other in enumerate(order)
            if i > at and frozenset((other.variable,)) in terms
        }
        states[charged.variable] = State(
            leak=leak,
            gain=gains[at],
            bias=terms.get(ONE, 0.0),
            reads={**parts.reads, **behind},
            late=0.0 if late is None else 0.0 - terms.get(frozenset((late,)), 0.0),
            swallow=charged.swallow,
            floor=charged.floor,
            low=charged.low,
            high=charged.high,
        )
    return Ordered(tuple(c.variable for c in order), states, currents)
