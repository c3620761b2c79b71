"""Currents that drive one neuron as far as any can, by the exact sets of levels it can have."""

from bisect import bisect_left
from dataclasses import dataclass

import numpy as np

Interval = tuple[int, int]
WIDEST_SCAN = 1 << 20
"""So many constant currents are tried at most."""


@dataclass(frozen=True)
class Neuron:
    """Constants of one neuron, as in `IntegerPopulation`, and the range of its current."""

    threshold: int
    bias: int
    polarity: int
    decay: tuple[int, int]
    hard: bool
    at_least: bool
    current: Interval

    @property
    def last(self) -> int:
        """The highest level that does not fire."""
        return self.threshold - 1 if self.at_least else self.threshold

    def leak(self, level: int) -> int:
        factor, shift = self.decay
        return factor * level >> shift if self.at_least else -(factor * -level >> shift)


def drive(neuron: Neuron, steps: int, upper: bool, varies: bool) -> tuple[int, ...]:
    """The current at every step that brings Z highest (upper) or lowest.

    Args:
        neuron: see `Neuron`.
        steps: T.
        upper: which end.
        varies: whether the current may differ from step to step.
    """
    return _varying(neuron, steps, upper) if varies else (_constant(neuron, steps, upper),) * steps


def _constant(neuron: Neuron, steps: int, upper: bool) -> int:
    """The best constant current; all of them are tried, or evenly many."""
    low, high = neuron.current
    stride = (high - low) // WIDEST_SCAN + 1
    x = np.append(np.arange(low, high, stride), high)
    factor, shift = neuron.decay
    v, best = np.zeros_like(x), np.zeros_like(x)
    for _ in range(steps):
        v = factor * v >> shift if neuron.at_least else -(factor * -v >> shift)
        z = v + neuron.polarity * x + neuron.bias
        best = np.maximum(best, z) if upper else np.minimum(best, z)
        v = np.where(z > neuron.last, 0 if neuron.hard else z - neuron.threshold, z)
    return int(x[best.argmax() if upper else best.argmin()])


def _varying(neuron: Neuron, steps: int, upper: bool) -> tuple[int, ...]:
    """Forward: the exact sets of V and Z as unions of intervals. Backward: how to get there.

    The leak takes neighbours to neighbours or to the same level, so that it takes intervals of
    integers to intervals of integers, without holes.
    """
    ends = sorted(neuron.polarity * x for x in neuron.current)
    before: list[list[Interval]] = []
    levels: list[list[Interval]] = []
    v: list[Interval] = [(0, 0)]
    for _ in range(steps):
        z = _union(
            [
                (neuron.leak(a) + ends[0] + neuron.bias, neuron.leak(b) + ends[1] + neuron.bias)
                for a, b in v
            ]
        )
        before.append(v)
        levels.append(z)
        stays = [(a, min(b, neuron.last)) for a, b in z if a <= neuron.last]
        fires = [(max(a, neuron.last + 1), b) for a, b in z if b > neuron.last]
        if neuron.hard:
            v = _union([*stays, *([(0, 0)] if fires else [])])
        else:
            v = _union([*stays, *((a - neuron.threshold, b - neuron.threshold) for a, b in fires)])
    reach = [z[-1][1] if upper else z[0][0] for z in levels]
    at = reach.index(max(reach) if upper else min(reach))
    rest = max(neuron.current[0], min(0, neuron.current[1]))
    currents = [rest] * steps
    target = reach[at]
    for t in range(at, -1, -1):
        level, push = _origin(neuron, before[t], target, (ends[0], ends[1]))
        currents[t] = push * neuron.polarity if neuron.polarity else rest
        if t > 0:
            target = _unreset(neuron, levels[t - 1], level)
    return tuple(currents)


def _origin(neuron: Neuron, levels: list[Interval], target: int, push: Interval) -> Interval:
    """V and polarity * X with leak(V) + polarity * X + bias = target."""
    want = target - neuron.bias
    for a, b in levels:
        low, high = max(neuron.leak(a), want - push[1]), min(neuron.leak(b), want - push[0])
        if low <= high:
            return a + bisect_left(range(a, b + 1), low, key=neuron.leak), want - low
    raise ArithmeticError(f"no level leads to {target}")


def _unreset(neuron: Neuron, levels: list[Interval], after: int) -> int:
    """Z of the step before which leaves V = after behind."""
    if after <= neuron.last and _holds(levels, after):
        return after
    return levels[-1][1] if neuron.hard else after + neuron.threshold


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
