"""Values that are compared, or held within numbers, in a neuron's algebra."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from snncc.frontends.torch_recorder.loops.forms import Literal
from snncc.frontends.torch_recorder.loops.polynomials import VALUES, Polynomial, number, of


@dataclass(frozen=True)
class Comparison:
    """A bit: 1 where `excess` is above 0, or at 0 too unless `strict`."""

    excess: Polynomial
    strict: bool


@dataclass(frozen=True)
class Clamp:
    """`inner`, held within two numbers; None for no end."""

    inner: Polynomial
    low: float | None
    high: float | None = None

    def of_number(self, value: float) -> float:
        """What becomes of a number."""
        value = value if self.low is None else max(value, self.low)
        return value if self.high is None else min(value, self.high)


def of_a_bit(value: Polynomial, what: Callable[[float], float]) -> Polynomial | None:
    """A function of a number, for a value that one bit or none decides; None for others."""
    bits = value.variables("bit") | value.variables("late")
    if len(bits) > 1 or value.without("bit", "late").constant() is None:
        return None
    if any(v.kind in VALUES for monomial in value.terms for v in monomial):
        return None
    at = [value.replaced({b: number(x) for b in bits}).constant() or 0.0 for x in (0.0, 1.0)]
    off, on = map(what, at)
    return number(off).plus(of(*bits), on - off) if bits else number(off)


def bounds_of(given: tuple[Any, ...], named: Any) -> tuple[Any, ...]:
    """Arguments of a clamp: what is clamped, the least and the largest."""
    found = {key.value: form for key, form in named}
    low, high = (found.get(name, Literal(type(None), None)) for name in ("min", "max"))
    return (*given, *(low, high)[len(given) - 1 :])
