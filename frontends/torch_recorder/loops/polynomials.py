"""Sums of products of states, currents and comparison bits, with real coefficients."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Variable:
    """A value that a polynomial is about.

    Attributes:
        kind: "state" (a result of the step before), "current" (of this step), "bit" (of a
            comparison now), "late" (of the same comparison a step ago), "clamped" (a value of this
            step that is held within two numbers), "quotient" (a value of this step, rounded),
            "count" (of spikes of this step).
        what: which one.
    """

    kind: str
    what: Any


Monomial = frozenset[Variable]
"""A product; a bit times itself is the bit, so no variable stands twice."""
ONE: Monomial = frozenset()


VALUES = ("state", "current", "clamped", "quotient", "count")
"""Kinds of variables that are numbers; the others are bits."""


class NotLinear(ValueError):
    """A product of two values that are not bits; says which."""


@dataclass(frozen=True, eq=False)
class Polynomial:
    """A sum of products.

    Attributes:
        terms: coefficients, none of them 0.
    """

    terms: Mapping[Monomial, float] = field(default_factory=dict[Monomial, float])

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Polynomial) and dict(self.terms) == dict(other.terms)

    def __hash__(self) -> int:
        return hash(frozenset(self.terms.items()))

    def plus(self, other: "Polynomial", factor: float = 1.0) -> "Polynomial":
        """The sum of this one and `factor` times the other."""
        terms = dict(self.terms)
        for monomial, value in other.terms.items():
            terms[monomial] = terms.get(monomial, 0.0) + factor * value
        return Polynomial({m: v for m, v in terms.items() if v != 0.0})

    def scaled(self, factor: float) -> "Polynomial":
        return Polynomial({m: v * factor for m, v in self.terms.items() if v * factor != 0.0})

    def times(self, other: "Polynomial") -> "Polynomial":
        """Their product. Raises NotLinear when two values are multiplied."""
        result = Polynomial()
        for left, a in self.terms.items():
            for right, b in other.terms.items():
                product = left | right
                values = [[v for v in m if v.kind in VALUES] for m in (left, right)]
                if values[0] and values[1]:
                    raise NotLinear(_product_of(values[0][0], values[1][0]))
                result = result.plus(Polynomial({product: a * b}))
        return result

    def replaced(self, values: Mapping[Variable, "Polynomial"]) -> "Polynomial":
        """With polynomials in the place of some variables. Raises NotLinear."""
        result = Polynomial()
        for monomial, value in self.terms.items():
            product = number(value)
            for variable in monomial:
                product = product.times(values.get(variable, of(variable)))
            result = result.plus(product)
        return result

    def without(self, *kinds: str) -> "Polynomial":
        """Those terms in which no variable of these kinds stands."""
        return Polynomial(
            {m: v for m, v in self.terms.items() if not any(x.kind in kinds for x in m)}
        )

    def variables(self, kind: str) -> set[Variable]:
        return {v for monomial in self.terms for v in monomial if v.kind == kind}

    def constant(self) -> float | None:
        """Its value where it is a number."""
        return self.terms.get(ONE, 0.0) if all(m == ONE for m in self.terms) else None


def _product_of(one: Variable, other: Variable) -> str:
    """What is multiplied, in words."""
    words = {"state": "a state", "current": "a current", "clamped": "a membrane that is clamped"}
    words |= {"quotient": "a rounded value", "count": "a count of spikes"}
    if one == other:
        return f"{words[one.kind]} with itself"
    second = words[other.kind]
    if one.kind == other.kind:
        second = second.replace("a ", "another ", 1)
    return f"{words[one.kind]} with {second}"


NEAR = 1e-12
"""Coefficients are products of the user's constants, each rounded."""


def near(one: Polynomial, other: Polynomial) -> bool:
    """Whether two polynomials are the same but for the last bits of their coefficients."""
    largest = max((abs(v) for p in (one, other) for v in p.terms.values()), default=0.0)
    return all(abs(v) <= NEAR * largest for v in one.plus(other, -1.0).terms.values())


def number(value: float) -> Polynomial:
    return Polynomial({ONE: float(value)} if value != 0 else {})


def of(variable: Variable) -> Polynomial:
    return Polynomial({frozenset((variable,)): 1.0})
