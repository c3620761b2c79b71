"""Counts of spikes in a neuron's algebra: quotients that are rounded, and what bounds them.

A rounded quotient is below 0 where the membrane is. It becomes a count when something holds it
above 0: a relu, a clamp, or a comparison of the membrane with 0 that it is multiplied by.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from snncc.frontends.torch_recorder.loops.polynomials import (
    ONE,
    Polynomial,
    Variable,
    near,
    of,
)
from snncc.frontends.torch_recorder.loops.timing import Place


@dataclass(frozen=True)
class Quotient:
    """A whole number near a value: "floor", "trunc" or "round" (ties to even)."""

    inner: Polynomial
    how: str


@dataclass(frozen=True)
class Count:
    """How many thresholds 1, 2, ... `most` a value reaches; rounded, those are 1/2, 3/2, ...

    Attributes:
        inner: the value.
        even: whether it is rounded, with ties to even.
        most: 0 for any number.
    """

    inner: Polynomial
    even: bool
    most: int


@dataclass
class Counting:
    """What a cycle's variables of these kinds are.

    Attributes:
        quotients: by variable.
        counts: likewise.
    """

    quotients: dict[Variable, Quotient] = field(default_factory=dict[Variable, Quotient])
    counts: dict[Variable, Count] = field(default_factory=dict[Variable, Count])

    def quotient(self, place: Place, inner: Polynomial, how: str) -> Polynomial:
        """A value that is rounded; a count is whole already."""
        if self.only(inner, self.counts) is not None:
            return inner
        variable = Variable("quotient", place)
        self.quotients[variable] = Quotient(inner, how)
        return of(variable)

    def counted(self, place: Place, inner: Polynomial, how: str, most: int) -> Polynomial:
        """A rounded value that is held between 0 and a number."""
        variable = Variable("count", place)
        self.counts[variable] = Count(inner, how == "round", most)
        return of(variable)

    def held(
        self, place: Place, value: Polynomial, low: float | None, high: float | None
    ) -> Polynomial | None:
        """A rounded value, or a count, within two numbers; None for anything else."""
        if high is not None and (high < 1.0 or high != int(high)):
            return None
        most = 0 if high is None else int(high)
        variable = self.only(value, self.quotients)
        if variable is not None and low == 0.0:
            found = self.quotients[variable]
            return self.counted(place, found.inner, found.how, most)
        variable = self.only(value, self.counts)
        if variable is None or (low or 0.0) > 0.0:
            return None
        known = self.counts[variable]
        if not most or (known.most and known.most <= most):
            return value
        new = Variable("count", place)
        self.counts[new] = replace(known, most=most)
        return of(new)

    def above_zero(self, place: Place, excess: Polynomial, value: Polynomial) -> Polynomial | None:
        """A rounded value times the bit that tells where what is rounded is above 0."""
        variable = self.only(value, self.quotients)
        if variable is None or ONE in excess.terms:
            return None
        found = self.quotients[variable]
        at = next(iter(found.inner.terms), None)
        scale = 0.0 if at is None else excess.terms.get(at, 0.0) / found.inner.terms[at]
        if scale <= 0.0 or found.how == "round" or not near(excess, found.inner.scaled(scale)):
            return None
        return self.counted(place, found.inner, found.how, 0)

    def only(self, value: Polynomial, known: Mapping[Variable, object]) -> Variable | None:
        """The variable that a value is."""
        return next((v for v in known if value == of(v)), None)


def ternary(bits: Mapping[Variable, Polynomial], values: list[Polynomial]) -> Polynomial | None:
    """The difference of two bits that are never both 1, where some value is that."""
    if len(bits) != 2:
        return None
    one, other = bits
    for plus, minus in ((one, other), (other, one)):
        signed = of(plus).plus(of(minus), -1.0)
        if any(value == signed for value in values) and _apart(bits[plus], bits[minus]):
            return signed
    return None


def _apart(upper: Polynomial, lower: Polynomial) -> bool:
    """Whether two values that depend on the same in opposite directions are never both above 0."""
    parts = [Polynomial({m: v for m, v in p.terms.items() if m != ONE}) for p in (upper, lower)]
    at = next(iter(parts[0].terms), None)
    scale = 0.0 if at is None else -parts[1].terms.get(at, 0.0) / parts[0].terms[at]
    if scale <= 0.0 or not near(parts[1], parts[0].scaled(-scale)):
        return False
    return upper.terms.get(ONE, 0.0) + lower.terms.get(ONE, 0.0) / scale < 0.0
