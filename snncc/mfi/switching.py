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

Real = NDArray[np.float64]
Ints = NDArray[np.int64]

TIE = 2.0**-45
"""Nearer to an integer than this part of its size a level is that integer: a tie.

Units come out of divisions in float64. A threshold that is meant to be 127 units is 127 of them but
for the last bits, 2^-52.
"""
FARTHEST = 2.0**61


@dataclass(frozen=True)
class Line:
    """For each neuron the real membrane scale * unit * x + offset, and what it must reach."""

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
    for i in np.flatnonzero(some & (np.abs(level - np.rint(level)) <= 3.0 * TIE * size)):
        constants = (line.threshold[i], line.offset[i], line.scale[i], line.unit[i])
        first[i], other[i], tied[i] = _first(*map(float, constants), compare)
    return Firing(first, other, tied)


@lru_cache(maxsize=1 << 16)
def _first(
    threshold: float, offset: float, scale: float, unit: float, compare: str
) -> tuple[int, int, bool]:
    """One neuron of `Firing`, in rationals."""
    rise = Fraction(scale) * Fraction(unit)
    level = (Fraction(threshold) - Fraction(offset)) / rise
    size = (abs(Fraction(threshold)) + abs(Fraction(offset))) / rise
    distance, tie = abs(level - round(level)), Fraction(TIE) * size
    plain, snapped = (
        max(-(2**61), min(2**61, math.ceil(x) if compare == "ge" else math.floor(x) + 1))
        for x in (level, Fraction(round(level)))
    )
    first, other = (snapped, plain) if distance <= tie else (plain, snapped)
    return first, other if tie / 2 < distance <= 2 * tie else first, distance <= tie


@lru_cache(maxsize=1 << 16)
def trains_differ(
    real: tuple[float, float, float],
    whole: tuple[int, int, tuple[int, int]],
    steps: int,
    reset: str,
    compare: str,
) -> bool:
    """Whether two neurons without input spike differently.

    Args:
        real: threshold, bias and decay.
        whole: the same in integers, decay as (p, k) for p * 2^-k.
        steps: T.
        reset: "hard" or "soft".
        compare: "ge" or "gt".
    """
    threshold, bias, decay = map(Fraction, real)
    level, offset, (factor, shift) = whole
    side = 1 if compare == "ge" else -1
    y, z = Fraction(0), 0
    for _ in range(steps):
        y = decay * y + bias
        z = side * ((factor * side * z) >> shift) + offset
        fires = (y >= threshold, z >= level) if side == 1 else (y > threshold, z > level)
        if fires[0] != fires[1]:
            return True
        if fires[0]:
            y, z = (y - threshold, z - level) if reset == "soft" else (Fraction(0), 0)
    return False
