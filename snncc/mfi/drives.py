"""Currents that drive one neuron as far as any can, by the exact sets of levels it can have."""

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

Interval = tuple[int, int]
WIDEST_SCAN = 1 << 20
"""So many constant currents are tried at most."""


@dataclass(frozen=True)
class Rule:
    """How a neuron leaks, fires and resets, as in `IntegerPopulation`."""

    decay: tuple[int, int]
    decay_offset: int
    hard: bool
    at_least: bool
    toward_zero: bool = False

    def leak(self, level: int) -> int:
        factor, shift = self.decay
        if level >= 0 if self.toward_zero else self.at_least:
            return (factor * level + self.decay_offset) >> shift
        return -((factor * -level + self.decay_offset) >> shift)


@dataclass(frozen=True)
class Moment:
    """Constants of one neuron at one step, and the range of its current there.

    Attributes:
        threshold: as in `IntegerPopulation`.
        bias: bias + polarity * offset.
        polarity: -1, 0 or 1.
        current: closed interval.
    """

    threshold: int
    bias: int
    polarity: int
    current: Interval

    def last(self, rule: Rule) -> int:
        """The highest level that does not fire."""
        return self.threshold - 1 if rule.at_least else self.threshold

    @property
    def push(self) -> Interval:
        """Range of polarity * X."""
        ends = [self.polarity * x for x in self.current]
        return min(ends), max(ends)


def drive(rule: Rule, moments: Sequence[Moment], upper: bool, varies: bool) -> tuple[int, ...]:
    """The current at every step that brings Z highest (upper) or lowest.

    Args:
        rule: see `Rule`.
        moments: of all T steps.
        upper: which end.
        varies: whether the current may differ from step to step; if not, its range does not.
    """
    if varies:
        return _varying(rule, moments, upper)
    return (_constant(rule, moments, upper),) * len(moments)


def _constant(rule: Rule, moments: Sequence[Moment], upper: bool) -> int:
    """The best constant current; all of them are tried, or evenly many."""
    low, high = moments[0].current
    stride = (high - low) // WIDEST_SCAN + 1
    x = np.append(np.arange(low, high, stride), high)
    factor, shift = rule.decay
    v, best = np.zeros_like(x), np.zeros_like(x)
    for moment in moments:
        side = np.where(v < 0, -1, 1) if rule.toward_zero else 1 if rule.at_least else -1
        v = side * ((factor * side * v + rule.decay_offset) >> shift)
        z = v + moment.polarity * x + moment.bias
        best = np.maximum(best, z) if upper else np.minimum(best, z)
        v = np.where(z > moment.last(rule), 0 if rule.hard else z - moment.threshold, z)
    return int(x[best.argmax() if upper else best.argmin()])


def _varying(rule: Rule, moments: Sequence[Moment], upper: bool) -> tuple[int, ...]:
    """Forward: the exact sets of V and Z as unions of intervals. Backward: how to get there.

    The leak takes neighbours to neighbours or to the same level, so that it takes intervals of
    integers to intervals of integers, without holes.
    """
    before: list[list[Interval]] = []
    levels: list[list[Interval]] = []
    v: list[Interval] = [(0, 0)]
    for moment in moments:
        (low, high), last = moment.push, moment.last(rule)
        z = _union(
            [(rule.leak(a) + low + moment.bias, rule.leak(b) + high + moment.bias) for a, b in v]
        )
        before.append(v)
        levels.append(z)
        stays = [(a, min(b, last)) for a, b in z if a <= last]
        fires = [(max(a, last + 1), b) for a, b in z if b > last]
        if rule.hard:
            v = _union([*stays, *([(0, 0)] if fires else [])])
        else:
            v = _union([*stays, *((a - moment.threshold, b - moment.threshold) for a, b in fires)])
    reach = [z[-1][1] if upper else z[0][0] for z in levels]
    at = reach.index(max(reach) if upper else min(reach))
    currents = [max(m.current[0], min(0, m.current[1])) for m in moments]
    target = reach[at]
    for t in range(at, -1, -1):
        level, push = _origin(rule, moments[t], before[t], target)
        if moments[t].polarity:
            currents[t] = push * moments[t].polarity
        if t > 0:
            target = _unreset(rule, moments[t - 1], levels[t - 1], level)
    return tuple(currents)


def _origin(rule: Rule, moment: Moment, levels: list[Interval], target: int) -> tuple[int, int]:
    """V and polarity * X with leak(V) + polarity * X + bias = target."""
    want = target - moment.bias
    for a, b in levels:
        low, high = (
            max(rule.leak(a), want - moment.push[1]),
            min(rule.leak(b), want - moment.push[0]),
        )
        if low <= high:
            return a + bisect_left(range(a, b + 1), low, key=rule.leak), want - low
    raise ArithmeticError(f"no level leads to {target}")


def _unreset(rule: Rule, moment: Moment, levels: list[Interval], after: int) -> int:
    """Z of the step before which leaves V = after behind."""
    if after <= moment.last(rule) and _holds(levels, after):
        return after
    return levels[-1][1] if rule.hard else after + moment.threshold


def _holds(levels: list[Interval], level: int) -> bool:
    return any(a <= level <= b for a, b in levels)


def _union(parts: list[Interval]) -> list[Interval]:
    """Disjoint intervals in order, neighbours joined."""
    found: list[Interval] = []
    for a, b in sorted(parts):
        if found and a <= found[-1][1] + 1:
            found[-1] = (found[-1][0], max(found[-1][1], b))
        else:
            found.append((a, b))
    return found
