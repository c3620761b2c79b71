"""Where neurons begin to fire, decided in exact rationals.

Float64 computes each level with a proved error; only where a level lies so near to an integer that
the error could matter, rationals decide.
"""

import math
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from snncc.ir.dialects.neuron_rule import NeuronRule

Real = NDArray[np.float64]
Ints = NDArray[np.int64]

RELATIVE_TIE = 2.0**-45
"""Nearer to an integer than this part of its size a level is that integer: a tie.

Units come out of divisions in float64. A threshold that is meant to be 127 units is 127 of them but
for the last bits, 2^-52.
"""
FARTHEST = 2.0**61


@dataclass(frozen=True)
class Line:
    """For each neuron the real membrane scale * unit * x + offset, and what it must reach.

    Arrays of one shape.
    """

    threshold: Real
    offset: Real
    scale: Real
    unit: Real


@dataclass(frozen=True)
class Firing:
    """The least integer at which each neuron fires.

    Attributes:
        first: that integer.
        other: the same, except where float64 cannot tell whether a level is a tie; there the
            integer that would be first otherwise.
        tied: where the level is a tie.
    """

    first: Ints
    other: Ints
    tied: NDArray[np.bool_]


def first_firing(line: Line, compare: str) -> Firing:
    """The least integer x at which each neuron fires.

    Four roundings give a level with an error below 2^-50 of (|threshold| + |offset|) / (|a| unit).
    A scale of 0 gives 0; its neurons do not depend on x.
    """
    rise = line.scale * line.unit
    some = rise > 0.0
    safe = np.where(some, rise, 1.0)
    level = np.where(some, (line.threshold - line.offset) / safe, 0.0)
    size = np.where(some, (np.abs(line.threshold) + np.abs(line.offset)) / safe, 0.0)
    level = np.clip(level, -FARTHEST, FARTHEST)
    ceiling = np.ceil(level) if compare == "ge" else np.floor(level) + 1.0
    first = ceiling.astype(np.int64)
    other, tied = first.copy(), np.zeros(level.shape, np.bool_)
    near = some & (np.abs(level - np.rint(level)) <= 3.0 * RELATIVE_TIE * size)
    for at in map(tuple, np.argwhere(near)):
        constants = (line.threshold[at], line.offset[at], line.scale[at], line.unit[at])
        first[at], other[at], tied[at] = _first(*map(float, constants), compare)
    return Firing(first, other, tied)


@lru_cache(maxsize=1 << 16)
def _first(
    threshold: float, offset: float, scale: float, unit: float, compare: str
) -> tuple[int, int, bool]:
    """One neuron of `Firing`, in rationals."""
    rise = Fraction(scale) * Fraction(unit)
    level = (Fraction(threshold) - Fraction(offset)) / rise
    size = (abs(Fraction(threshold)) + abs(Fraction(offset))) / rise
    distance, tie = abs(level - round(level)), Fraction(RELATIVE_TIE) * size
    plain, snapped = (
        max(-(2**61), min(2**61, math.ceil(x) if compare == "ge" else math.floor(x) + 1))
        for x in (level, Fraction(round(level)))
    )
    first, other = (snapped, plain) if distance <= tie else (plain, snapped)
    return first, other if tie / 2 < distance <= 2 * tie else first, distance <= tie


@lru_cache(maxsize=1 << 16)
def trains_differ(
    real: tuple[tuple[float, ...], tuple[float, ...], float],
    whole: tuple[tuple[int, ...], tuple[int, ...]],
    rule: NeuronRule,
) -> bool:
    """Whether two neurons without input spike differently.

    Args:
        real: thresholds and biases of all T steps, and the decay.
        whole: thresholds and biases in integers.
        rule: how the integers step; the reset and the comparison are those of the real neuron too.
    """
    (thresholds, biases, decay), (levels, offsets) = real, whole
    y, z = Fraction(0), 0
    for numbers in zip(thresholds, biases, levels, offsets, strict=True):
        threshold, bias, level, offset = map(Fraction, numbers)
        y = Fraction(decay) * y + bias
        z = rule.leak_of(z) + int(offset)
        fires = (y >= threshold, z >= level) if rule.at_least else (y > threshold, z > level)
        if fires[0] != fires[1]:
            return True
        if fires[0]:
            y, z = (Fraction(0), 0) if rule.hard else (y - threshold, z - int(level))
    return False
