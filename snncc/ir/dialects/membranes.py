"""How far membranes can go: interval arithmetic over all steps, exact in 64 bits or refused.

An interval leaks, takes in the current's interval, and what lies above the threshold is reset and
joined with the rest. No number that a program may hold needs more than `WIDEST` bits, so that a
membrane which leaves them on the way is an error and never wraps.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from snncc.ir.dialects.neuron_rule import NeuronRule
from snncc.ir.op import Array, require_narrow

CHUNK = 1 << 18
"""Neurons at a time: what is worked on stays in the cache, and memory is bounded."""


@dataclass(frozen=True)
class Drives:
    """What neurons decide by and are driven by, [t, *axes]; any length can be 1: all are alike.

    Attributes:
        threshold, bias, sign, offset: as in `IntegerPopulation`.
        low, high: least and largest current.
    """

    threshold: Array
    bias: Array
    sign: Array
    offset: Array
    low: Array
    high: Array

    @property
    def arrays(self) -> tuple[Array, ...]:
        return self.threshold, self.bias, self.sign, self.offset, self.low, self.high

    @property
    def shape(self) -> tuple[int, ...]:
        """Of the neurons that something tells apart."""
        return np.broadcast_shapes(*(array.shape[1:] for array in self.arrays))

    def pieces(self) -> Iterator["Drives"]:
        """The same neurons, not more than `CHUNK` of them at a time."""
        shape = self.shape
        if math.prod(shape) <= CHUNK:
            yield self
            return
        axis = 1 + shape.index(max(shape))
        middle = max(shape) // 2
        for part in (slice(None, middle), slice(middle, None)):
            at = (*(slice(None),) * axis, part)
            yield from Drives(*(a if a.shape[axis] == 1 else a[at] for a in self.arrays)).pieces()


def bounds(rule: NeuronRule, drives: Drives, steps: int) -> tuple[Array, Array]:
    """For each neuron the least and the largest that Z and V can be, over all steps from V = 0.

    A spike can only bring the upper end down to the threshold (hard: 0; soft: Z - threshold), so
    the bound of a silent neuron covers both, except for a soft reset by a negative threshold, which
    adds to the membrane.

    Raises:
        TooWide: a number on the way needs more than `WIDEST` bits.
    """
    for current in (drives.low, drives.high):
        both = zip(_ends(current), _ends(drives.offset), strict=True)
        require_narrow("a current with its offset", *(x + offset for x, offset in both))
    for constant in (drives.threshold, drives.bias):
        require_narrow("a threshold or bias", *_ends(constant))
    zero = np.zeros([1] * len(drives.shape), np.int64)
    v_low = v_high = least = most = zero
    varies = any(len(array) > 1 for array in drives.arrays)
    for t in range(steps):
        before = v_low, v_high
        moment = Drives(*(a[min(t, len(a) - 1)] for a in drives.arrays))
        z_low, z_high = _driven(rule, moment, v_low, v_high)
        v_low, v_high = _reset(rule, moment.threshold, z_low, z_high)
        least = np.minimum(least, np.minimum(z_low, v_low))
        most = np.maximum(most, np.maximum(z_high, v_high))
        _require_leak(rule, v_low, v_high)
        if not varies and all(map(_same, before, (v_low, v_high))):
            break  # every later step is like this one
    return least, most


def _driven(rule: NeuronRule, at: Drives, low: Array, high: Array) -> tuple[Array, Array]:
    ends = at.sign * (at.low + at.offset) + at.bias, at.sign * (at.high + at.offset) + at.bias
    z_low, z_high = rule.leak(low) + np.minimum(*ends), rule.leak(high) + np.maximum(*ends)
    require_narrow("the membrane", *_ends(z_low), *_ends(z_high))
    return z_low, z_high


def _reset(rule: NeuronRule, threshold: Array, z_low: Array, z_high: Array) -> tuple[Array, Array]:
    """What stays below the threshold, joined with what fired."""
    below = rule.last_silent(threshold)
    silent, fires = z_low <= below, z_high > below
    low, high = (rule.after_spike(end, threshold) for end in (np.maximum(z_low, below + 1), z_high))
    silent_high = np.minimum(z_high, below)
    v_low = np.where(silent, np.where(fires, np.minimum(z_low, low), z_low), low)
    v_high = np.where(silent, np.where(fires, np.maximum(silent_high, high), silent_high), high)
    return v_low, v_high


def _require_leak(rule: NeuronRule, low: Array, high: Array) -> None:
    largest = max(map(abs, (*_ends(low), *_ends(high))))
    require_narrow("the membrane's leak", largest * max(1, rule.decay[0]) + rule.carry)


def _ends(array: Array) -> tuple[int, int]:
    return int(array.min()), int(array.max())


def _same(one: Array, other: Array) -> bool:
    return one.shape == other.shape and bool((one == other).all())
