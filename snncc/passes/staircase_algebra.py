"""Functions of one number that clip, scale and round, inverted exactly: thresholds as rationals."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

from snncc.ir.dialects.thresholds import MOST_LEVELS

HALF = Fraction(1, 2)
Limit = Fraction | None
"""A number, or None for one that is infinite."""


@dataclass(frozen=True)
class Where:
    """Of which x a condition holds: sign * x >= at, or > where it is strict; `at` None: for none.

    Attributes:
        sign: 1 or -1; 0 where it holds for every x.
    """

    sign: int
    at: Limit = None
    strict: bool = False

    def opposite(self) -> "Where":
        """Where the condition does not hold."""
        if self.sign == 0 or self.at is None:
            return NOWHERE if self.sign == 0 else EVERYWHERE
        return Where(-self.sign, -self.at, not self.strict)


EVERYWHERE, NOWHERE = Where(0), Where(1)


@dataclass(frozen=True)
class Scaled:
    """y = scale * x + offset."""

    scale: Fraction
    offset: Fraction

    def apply(self, x: Fraction) -> Fraction:
        return self.scale * x + self.offset

    def limit(self, upper: bool) -> tuple[Limit, bool]:
        """What it tends to, and at which end, as x does at one."""
        return (self.offset if self.scale == 0 else None), upper == (self.scale > 0)

    def before(self, y: Where) -> Where:
        if self.scale == 0 and y.at is not None:
            value = y.sign * self.offset
            return EVERYWHERE if value > y.at or (value == y.at and not y.strict) else NOWHERE
        if y.at is None:
            return y
        sign = y.sign if self.scale > 0 else -y.sign
        return Where(sign, (y.at - y.sign * self.offset) / abs(self.scale), y.strict)


@dataclass(frozen=True)
class Bounded:
    """y = max(x, bound), or min(x, bound) where `upper`."""

    bound: Fraction
    upper: bool

    def apply(self, x: Fraction) -> Fraction:
        return min(x, self.bound) if self.upper else max(x, self.bound)

    def limit(self, upper: bool) -> tuple[Limit, bool]:
        return (self.bound if upper == self.upper else None), upper

    def before(self, y: Where) -> Where:
        if y.at is None or y.sign == 0:
            return y
        reached = y.sign * self.bound
        passes = reached > y.at or (reached == y.at and not y.strict)
        if (y.sign > 0) != self.upper:  # the bound helps: there the condition holds everywhere
            return EVERYWHERE if passes else y
        return y if passes else NOWHERE


@dataclass(frozen=True)
class Rounded:
    """y = x as a whole number: floor, ceil, trunc or round (halves to the even one)."""

    how: str

    def apply(self, x: Fraction) -> Fraction:
        return Fraction(_ROUND[self.how](x))

    def limit(self, upper: bool) -> tuple[Limit, bool]:
        return None, upper

    def before(self, y: Where) -> Where:
        if y.at is None or y.sign == 0:
            return y
        if y.sign < 0:  # y <= k is not y > k
            return self.before(y.opposite()).opposite()
        n = math.floor(y.at) + 1 if y.strict else math.ceil(y.at)
        return _REACHES[self.how](n)


_ROUND: Mapping[str, Callable[[Fraction], int]] = {
    "floor": math.floor,
    "ceil": math.ceil,
    "trunc": math.trunc,
    "round": round,
}
_REACHES: Mapping[str, Callable[[int], Where]] = {
    "floor": lambda n: Where(1, Fraction(n)),
    "ceil": lambda n: Where(1, Fraction(n - 1), True),
    "trunc": lambda n: Where(1, Fraction(n)) if n > 0 else Where(1, Fraction(n - 1), True),
    "round": lambda n: Where(1, n - HALF, n % 2 == 1),
}
"""Where x, rounded, is at least n."""
Stage = Scaled | Bounded | Rounded


@dataclass(frozen=True)
class Staircase:
    """What a function of one number takes on.

    Attributes:
        values: every one, ascending.
        passed: where each but the first is reached.
    """

    values: tuple[Fraction, ...]
    passed: tuple[Where, ...]


def staircase_of(stages: Sequence[Stage]) -> Staircase | None:
    """The function that the stages make, first to last; None where it takes on too many values."""
    last = max((i for i, stage in enumerate(stages) if isinstance(stage, Rounded)), default=-1)
    if last < 0:
        return None
    after = stages[last + 1 :]
    ends = [_end(stages[: last + 1], after, upper) for upper in (False, True)]
    low, high = ends
    if low is None or high is None:
        return None
    low, high = sorted((low, high))
    if high - low > MOST_LEVELS:
        return None
    found = sorted({_through(after, Fraction(n)) for n in range(low, high + 1)})
    passed = tuple(condition(stages, value) for value in found[1:])
    return Staircase(tuple(found), passed)


def condition(stages: Sequence[Stage], value: Fraction, strict: bool = False) -> Where:
    """Of which x the function is at least a value, or above it where that is strict."""
    found = Where(1, value, strict)
    for stage in reversed(stages):
        if found.sign == 0 or found.at is None:
            return found
        found = stage.before(found)
    return found


def _end(before: Sequence[Stage], after: Sequence[Stage], upper: bool) -> int | None:
    """The whole number at one end of x beyond which the rest of the function stays as it is."""
    number, side = _limit(before, upper)
    if number is not None:
        return int(number)
    value, raised = _limit(after, side)
    if value is None:
        return None
    reached = condition(after, value) if raised else condition(after, value, True).opposite()
    if reached.at is None:
        return 0  # the rest is constant
    bound = reached.sign * reached.at
    below = math.floor if reached.sign < 0 else math.ceil
    beyond = reached.strict and bound == below(bound)
    return below(bound) + (reached.sign if beyond else 0)


def _limit(stages: Sequence[Stage], upper: bool) -> tuple[Limit, bool]:
    """What the stages give at one end of x, and whether that is their upper end."""
    number: Limit = None
    for stage in stages:
        if number is None:
            number, upper = stage.limit(upper)
        else:
            number = stage.apply(number)
            upper ^= isinstance(stage, Scaled) and stage.scale < 0
    return number, upper


def _through(stages: Sequence[Stage], x: Fraction) -> Fraction:
    for stage in stages:
        x = stage.apply(x)
    return x
