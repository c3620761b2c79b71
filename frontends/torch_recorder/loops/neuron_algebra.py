"""A neuron as written by hand, read as the population it is: by algebra, whoever wrote it.

The calls of a cycle through states are carried out on polynomials. Comparisons become bits. What
comes out is a `Lif` when one membrane leaks, takes its current, is compared with a threshold and
is reset by the bit, now or at the next step; else a general neuron where every state is linear once
the bits are known. Anything else has no form.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any

import torch

from snncc.frontends.torch_recorder.loops.bounded_values import (
    Clamp,
    Comparison,
    bounds_of,
    of_a_bit,
)
from snncc.frontends.torch_recorder.loops.counts import Counting, ternary
from snncc.frontends.torch_recorder.loops.forms import NO_FORM, Call, Form, Inside, Literal, leaves
from snncc.frontends.torch_recorder.loops.polynomials import (
    NotLinear,
    Polynomial,
    Variable,
    number,
    of,
)
from snncc.frontends.torch_recorder.loops.roll import Rolled
from snncc.frontends.torch_recorder.loops.tape import NEURON, Const, NotRolled
from snncc.frontends.torch_recorder.loops.timing import Place


class Cycle:
    """The calls of a loop's body that read each other's results of the step before.

    Args:
        loop: the whole loop.
        places: of the cycle, in the order of the tape.

    Attributes:
        values: what each call gives.
        bits: the comparisons, by variable.
        clamps: what is held within numbers, by variable.
        counting: rounded values and counts of spikes.
        past: bits of the step before that are kept as such, and the state that keeps them.
        last: the call that is at work, for messages.
    """

    def __init__(self, loop: Rolled, places: Iterable[Place]) -> None:
        self.loop = loop
        self.places = [*places]
        self.values: dict[Place, Polynomial] = {}
        self.bits: dict[Variable, Comparison] = {}
        self.clamps: dict[Variable, Clamp] = {}
        self.counting = Counting()
        self.past: dict[Variable, Place] = {}
        self._spikes = _comparisons(loop, self.places)
        self.last = loop.body[self.places[0]]
        for place in self.places:
            self._carry_out(place)

    def _carry_out(self, place: Place) -> None:
        self.last = self.loop.body[place]
        try:
            self.values[place] = self._call(place, self.last)
        except NotLinear as error:
            raise self.refused(
                f"two values that depend on the input are multiplied in it: {error}"
            ) from error

    def refused(self, why: str) -> NotRolled:
        return NotRolled(NO_FORM, why, self.last.entry)

    def _call(self, place: Place, call: Call) -> Polynomial:
        name = call.entry.name
        rule = _RULES.get(name)
        if name in MAPS:
            raise self.refused(
                f"spikes or membranes are fed back through {name}, and what it reads is no plain "
                "spike of the step before but a state, such as spikes that are filtered; programs "
                "delay spikes and filter currents: as the map is linear, filter what it gives, "
                "state = leak * state + map(spikes of the step before)"
            )
        if name in _JOINS:
            raise self.refused(
                f"{name} in it joins two comparisons, a neuron has one: counted steps of a "
                "refractory period have no form; let a spike lower a state that leaks, and add it"
            )
        if rule is None or len(call.entry.outs) != 1:
            raise self.refused(f"{name} in it is no part of a neuron that is known")
        if call.entry.outs[0].dtype is torch.bool and rule not in _OF_BITS:
            raise self.refused(f"{name} in it joins bits")
        given, named = call.form
        if name in _BOUNDED:
            given, named = bounds_of(given, named), ()
        mode = next((form for key, form in named if key.value == "rounding_mode"), None)
        if isinstance(mode, Literal) and mode.value in ("floor", "trunc"):
            inner = _quotient(self, place, given)
            return self.counting.quotient(place, inner, str(mode.value))
        plain = [key.value for key, form in named if form != Literal(bool, False)]
        if any(key not in ("dtype", "copy", "device") for key in plain):
            raise self.refused(f"{call.entry.name} in it has options that are not followed")
        found = rule(self, place, given)
        if call.entry.outs[0].dtype not in EXACT and not self.is_bit(found):
            raise self.refused("a membrane is rounded in it")
        return found

    def operand(self, form: Form) -> Polynomial:
        """What a call reads, as a polynomial. Raises NotRolled."""
        if isinstance(form, Literal) and form.kind in (int, float, bool):
            return number(float(form.value))
        if isinstance(form, Const):
            known = self.loop.numbers.get(form)
            if known is None:
                raise self.refused(
                    "a leak, threshold or other constant in it differs between neurons"
                )
            return number(known)
        if isinstance(form, Inside) and form.place in self.values and form.delay == 0:
            return self.values[form.place]
        if isinstance(form, Inside) and form.place in self.places:
            if form.delay != 1:
                raise self.refused("it reads what it was more than one step ago")
            if form.place in self._spikes:
                late = Variable("late", self._spikes[form.place])
                self.past[late] = form.place
                return of(late)
            return of(Variable("state", form.place))
        if isinstance(form, Inside) and form.delay:
            raise self.refused("it reads a current of an earlier step")
        if any(isinstance(leaf, Literal | Const) for leaf in leaves(form)):
            raise self.refused("an argument of a call in it is not followed")
        return of(Variable("current", form))

    def bit(self, place: Place, excess: Polynomial, strict: bool) -> Polynomial:
        """What a comparison gives; of a bit it is that bit, its opposite or a number."""
        alone = of_a_bit(excess, lambda x: float(x > 0.0 or (not strict and x == 0.0)))
        if alone is not None:
            return alone
        for variable, known in self.bits.items():
            if known == Comparison(excess, strict):
                return of(variable)
        variable = Variable("bit", place)
        self.bits[variable] = Comparison(excess, strict)
        return of(variable)

    def gives_bits(self, place: Place) -> bool:
        """Whether a call of the cycle gives a comparison's bits, or counts of spikes."""
        value = self.values[place]
        counted = self.counting.only(value, self.counting.counts) is not None
        return counted or self.is_bit(value) or value == self.signed()

    def signed(self) -> Polynomial | None:
        """Spikes with a sign, where it has such."""
        excess = {v: c.excess for v, c in self.bits.items()}
        return ternary(excess, [*self.values.values()])

    def merged(self, late: Variable) -> Polynomial:
        """A bit of the step before, by the comparison that stands for all like it."""
        (bit,) = self.values[late.what].variables("bit") or {late}
        return of(Variable("late", bit.what))

    def is_bit(self, value: Polynomial) -> bool:
        return any(value == of(variable) for variable in self.bits)

    def states(self) -> set[Variable]:
        """The states that anything in the cycle reads."""
        everything = [*self.values.values(), *(c.excess for c in self.bits.values())]
        everything += [c.inner for c in self.clamps.values()]
        return {v for value in everything for v in value.variables("state")}


def _comparisons(loop: Rolled, places: list[Place]) -> dict[Place, Place]:
    """Calls of a cycle that give bits, and the comparison each of them passes on."""
    found: dict[Place, Place] = {}
    for place in places:
        call = loop.body[place]
        first = call.form[0][0] if call.form[0] else None
        if call.entry.name in COMPARED:
            found[place] = place
        elif (
            call.entry.name in _PASSED
            and isinstance(first, Inside)
            and first.delay == 0
            and first.place in found
        ):
            found[place] = found[first.place]
    return found


EXACT = (torch.float32, torch.float64, torch.bool)
"""Types in which a value stays what it is, whichever cast leads to them."""
Rule = Callable[[Cycle, Place, tuple[Any, ...]], Polynomial]


def _same(cycle: Cycle, _place: Place, given: tuple[Any, ...]) -> Polynomial:
    return cycle.operand(given[0])


def _sum(left: float, right: float) -> Rule:
    def rule(cycle: Cycle, _place: Place, given: tuple[Any, ...]) -> Polynomial:
        a, b = map(cycle.operand, _two(cycle, given))
        return number(0.0).plus(a, left).plus(b, right)

    return rule


def _product(cycle: Cycle, place: Place, given: tuple[Any, ...]) -> Polynomial:
    a, b = map(cycle.operand, _two(cycle, given))
    for bit, value in ((a, b), (b, a)):
        if cycle.is_bit(bit):
            (known,) = bit.variables("bit")
            found = cycle.counting.above_zero(place, cycle.bits[known].excess, value)
            if found is not None:
                return found
    return a.times(b)


def _rounded(how: str) -> Rule:
    def rule(cycle: Cycle, place: Place, given: tuple[Any, ...]) -> Polynomial:
        if len(given) != 1:
            raise cycle.refused("a value is rounded in it to digits")
        value = cycle.operand(given[0])
        clamp = next((c for v, c in cycle.clamps.items() if value == of(v)), None)
        if clamp is not None and clamp.low == 0.0 and clamp.high is not None:
            whole = cycle.counting.quotient(place, clamp.inner, how)
            found = cycle.counting.held(place, whole, clamp.low, clamp.high)
            if found is not None:
                return found
        return cycle.counting.quotient(place, value, how)

    return rule


def _quotient(cycle: Cycle, _place: Place, given: tuple[Any, ...]) -> Polynomial:
    a, b = map(cycle.operand, _two(cycle, given))
    divisor = b.constant()
    if not divisor:
        raise cycle.refused("a value is divided by data in it")
    return number(0.0).plus(a, 1.0 / divisor)


def _negative(cycle: Cycle, _place: Place, given: tuple[Any, ...]) -> Polynomial:
    return number(0.0).plus(cycle.operand(given[0]), -1.0)


def _inverted(cycle: Cycle, _place: Place, given: tuple[Any, ...]) -> Polynomial:
    value = cycle.operand(given[0])
    if not cycle.is_bit(value):
        raise cycle.refused("bits of a number are inverted in it")
    return number(1.0).plus(value, -1.0)


def _chosen(cycle: Cycle, _place: Place, given: tuple[Any, ...]) -> Polynomial:
    if len(given) != 3:
        raise cycle.refused("torch.where in it takes one argument")
    condition, a, b = map(cycle.operand, given)
    opposite = number(1.0).plus(condition, -1.0)
    if not (cycle.is_bit(condition) or cycle.is_bit(opposite)):
        raise cycle.refused("torch.where in it chooses by what is no comparison")
    return condition.times(a).plus(opposite.times(b))


def _assigned(cycle: Cycle, _place: Place, given: tuple[Any, ...]) -> Polynomial:
    """`v[mask] = number`: the number where the mask is set."""
    if len(given) != 3 or isinstance(given[1], tuple):
        raise cycle.refused("a part of it is overwritten that no comparison chooses")
    old, mask, value = map(cycle.operand, given)
    opposite = number(1.0).plus(mask, -1.0)
    if not (cycle.is_bit(mask) or cycle.is_bit(opposite)) or value.constant() is None:
        raise cycle.refused("a part of it is overwritten that no comparison chooses")
    return mask.times(value).plus(opposite.times(old))


def _filled(cycle: Cycle, place: Place, given: tuple[Any, ...]) -> Polynomial:
    """`v.masked_fill(mask, number)`."""
    return _assigned(cycle, place, given)


def _equal(same: float) -> Rule:
    def rule(cycle: Cycle, _place: Place, given: tuple[Any, ...]) -> Polynomial:
        a, b = map(cycle.operand, _two(cycle, given))
        found = of_a_bit(a.plus(b, -1.0), lambda x: same if x == 0.0 else 1.0 - same)
        if found is None:
            raise cycle.refused("a membrane is compared in it for being equal to a number")
        return found

    return rule


def _clamped(cycle: Cycle, place: Place, given: tuple[Any, ...]) -> Polynomial:
    """relu, clamp, clip: with numbers below and above."""
    ends = [None if _is_none(form) else cycle.operand(form) for form in given[1:]]
    bounds = [None if end is None else end.constant() for end in ends]
    if any(end is not None and bound is None for end, bound in zip(ends, bounds, strict=True)):
        raise cycle.refused("a membrane is held within a value that depends on the input")
    low, high = bounds if bounds else (0.0, None)
    if low is not None and high is not None and low > high:
        raise cycle.refused("a membrane is held above a number that is larger than its upper end")
    return held(cycle, place, cycle.operand(given[0]), Clamp(number(0.0), low, high))


def _end(*, larger: bool) -> Rule:
    def rule(cycle: Cycle, place: Place, given: tuple[Any, ...]) -> Polynomial:
        pair = [cycle.operand(form) for form in _two(cycle, given)]
        ends = [value.constant() for value in pair]
        for end, inner in ((ends[1], pair[0]), (ends[0], pair[1])):
            if end is not None:
                low, high = (end, None) if larger else (None, end)
                return held(cycle, place, inner, Clamp(inner, low, high))
        which = "larger" if larger else "smaller"
        raise cycle.refused(
            f"the {which} one of two values that depend on the input is taken in it"
        )

    return rule


def held(cycle: Cycle, place: Place, inner: Polynomial, ends: Clamp) -> Polynomial:
    """A value within numbers."""
    plain = of_a_bit(inner, ends.of_number)
    counted = cycle.counting.held(place, inner, ends.low, ends.high)
    if plain is not None or counted is not None:
        return plain if plain is not None else counted or inner
    variable = Variable("clamped", place)
    cycle.clamps[variable] = replace(ends, inner=inner)
    return of(variable)


def _is_none(form: Form) -> bool:
    return isinstance(form, Literal) and form.value is None


def _compared(sign: float, strict: bool) -> Rule:
    def rule(cycle: Cycle, place: Place, given: tuple[Any, ...]) -> Polynomial:
        a, b = map(cycle.operand, _two(cycle, given))
        return cycle.bit(place, number(0.0).plus(a, sign).plus(b, -sign), strict)

    return rule


def _stepped(cycle: Cycle, place: Place, given: tuple[Any, ...]) -> Polynomial:
    value, at_zero = map(cycle.operand, _two(cycle, given))
    if at_zero.constant() not in (0.0, 1.0):
        raise cycle.refused("torch.heaviside in it gives another value than 0 or 1 at 0")
    return cycle.bit(place, value, at_zero.constant() == 0.0)


def _two(cycle: Cycle, given: tuple[Any, ...]) -> tuple[Any, Any]:
    if len(given) != 2:
        raise cycle.refused("a call in it has arguments that are not followed")
    return given[0], given[1]


_GROUPS: Mapping[str, Rule] = {
    "to float double type type_as clone detach contiguous identity": _same,
    "add iadd": _sum(1.0, 1.0),
    "sub isub subtract": _sum(1.0, -1.0),
    "rsub": _sum(-1.0, 1.0),
    "mul imul multiply": _product,
    "div truediv idiv divide true_divide": _quotient,
    "neg negative": _negative,
    "logical_not invert bitwise_not": _inverted,
    "where": _chosen,
    "setitem": _assigned,
    "masked_fill": _filled,
    "eq": _equal(1.0),
    "ne not_equal": _equal(0.0),
    "relu clamp clip clamp_min": _clamped,
    "maximum": _end(larger=True),
    "minimum clamp_max": _end(larger=False),
    "round": _rounded("round"),
    "floor": _rounded("floor"),
    "trunc fix": _rounded("trunc"),
    "ge greater_equal": _compared(1.0, False),
    "gt greater": _compared(1.0, True),
    "le less_equal": _compared(-1.0, False),
    "lt less": _compared(-1.0, True),
    "heaviside": _stepped,
}
_JOINS = frozenset(
    ("and", "or", "xor", "logical_and", "logical_or", "logical_xor", "bitwise_and", "bitwise_or")
)
_BOUNDED = frozenset(("clamp", "clip", "clamp_min"))
_PASSED = frozenset(
    ["to", "float", "double", "type", "type_as", "clone", "detach", "contiguous", "identity"]
)
COMPARED = frozenset(
    ["ge", "greater_equal", "gt", "greater", "le", "less_equal", "lt", "less", "heaviside"]
)
_OF_BITS = (
    *(_same, _inverted),
    *(_GROUPS[n] for n in _GROUPS if n.split()[0] in ("ge", "gt", "le", "lt", "eq", "ne")),
)
MAPS = frozenset((NEURON, "linear", "conv1d", "conv2d", "matmul", "mm", "bmm", "einsum"))
_RULES: Mapping[str, Rule] = {n: rule for names, rule in _GROUPS.items() for n in names.split()}
ELEMENTWISE = frozenset(_RULES)
"""Functions that a neuron may be made of."""
