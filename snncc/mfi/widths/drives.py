"""Currents that drive one neuron as far as any can, by the exact sets of levels it can have."""

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from snncc.ir.dialects.neuron_rule import NeuronRule

Interval = tuple[int, int]
WIDEST_SCAN = 1 << 20
"""So many constant currents are tried at most."""


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

    @property
    def push(self) -> Interval:
        """Range of polarity * X."""
        ends = [self.polarity * x for x in self.current]
        return min(ends), max(ends)


def drive(
    rule: NeuronRule, moments: Sequence[Moment], upper: bool, varies: bool
) -> tuple[int, ...]:
    """The current at every step that brings Z highest (upper) or lowest.

    Args:
        rule: of the neuron.
        moments: of all T steps.
        upper: which end.
        varies: whether the current may differ from step to step; if not, its range does not.
    """
    if varies:
        return _varying(rule, moments, upper)
    return (_constant(rule, moments, upper),) * len(moments)


def _constant(rule: NeuronRule, moments: Sequence[Moment], upper: bool) -> int:
    """The best constant current; all of them are tried, or evenly many."""
    low, high = moments[0].current
    stride = (high - low) // WIDEST_SCAN + 1
    x = np.append(np.arange(low, high, stride), high)
    v, best = np.zeros_like(x), np.zeros_like(x)
    for moment in moments:
        z = rule.leak(v) + moment.polarity * x + moment.bias
        best = np.maximum(best, z) if upper else np.minimum(best, z)
        v = np.where(rule.fires(z, moment.threshold), rule.after_spike(z, moment.threshold), z)
    return int(x[best.argmax() if upper else best.argmin()])


def _varying(rule: NeuronRule, moments: Sequence[Moment], upper: bool) -> tuple[int, ...]:
    """Forward: the exact sets of V and Z as unions of intervals. Backward: how to get there.

    The leak takes neighbours to neighbours or to the same level, so that it takes intervals of
    integers to intervals of integers, without holes.
    """
    before: list[list[Interval]] = []
    levels: list[list[Interval]] = []
    v: list[Interval] = [(0, 0)]
    for moment in moments:
        (low, high), last = moment.push, rule.last_silent(moment.threshold)
        z = _union(
            [
                (rule.leak_of(a) + low + moment.bias, rule.leak_of(b) + high + moment.bias)
                for a, b in v
            ]
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


def _origin(
    rule: NeuronRule, moment: Moment, levels: list[Interval], target: int
) -> tuple[int, int]:
    """V and polarity * X with leak(V) + polarity * X + bias = target."""
    want = target - moment.bias
    for a, b in levels:
        low, high = (
            max(rule.leak_of(a), want - moment.push[1]),
            min(rule.leak_of(b), want - moment.push[0]),
        )
        if low <= high:
            return a + bisect_left(range(a, b + 1), low, key=rule.leak_of), want - low
    raise ArithmeticError(f"no level leads to {target}")


def _unreset(rule: NeuronRule, moment: Moment, levels: list[Interval], after: int) -> int:
    """Z of the step before which leaves V = after behind."""
    if after <= rule.last_silent(moment.threshold) and _holds(levels, after):
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
