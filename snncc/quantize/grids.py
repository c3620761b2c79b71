"""Numbers that are whole multiples of one step already: what training on a grid leaves behind."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Real = NDArray[np.float64]
Ints = NDArray[np.int64]

EXACT = 2.0**-46
"""So near, relatively, float64 leaves a product of a step and an integer."""
STORED = 2.0**-23
"""And so near float32 does: twice its rounding, for a step that a BatchNorm's scale multiplied."""
TOLD = 2**18
"""Of no more steps float32 tells multiples of a step from other numbers: 2^-23 of it is 2^-5."""
NOTHING = 2.0**-40
"""What is smaller than this part of the largest number is what float64 left of a zero."""
FARTHEST = 2.0**40
"""No multiple is larger: float64 would not tell it from its neighbours."""
SAMPLE = 64
"""So many numbers are looked at first; those of a network that has no grid are none already."""


@dataclass(frozen=True)
class Numbers:
    """What one unit must count.

    Attributes:
        weights: [n], of either sign.
        biases: [m], of either sign.
        thresholds: [k], likewise; they must be met exactly where they are meant to be.
    """

    weights: Real
    biases: Real
    thresholds: Real

    @classmethod
    def of(cls, weights: Real, biases: Real, thresholds: Real) -> "Numbers":
        """The different sizes of all of them; a weight that float64 left of a zero is one."""
        some = np.abs(weights)
        some = some[some > NOTHING * float(some.max(initial=0.0))]
        return cls(*(np.unique(np.abs(each[each != 0.0])) for each in (some, biases, thresholds)))

    def first(self) -> "Numbers":
        """A part of them, of every magnitude."""
        return Numbers(sample(self.weights), sample(self.biases), sample(self.thresholds))


def sample(numbers: Real) -> Real:
    """About `SAMPLE` of them, evenly; all if there are fewer."""
    return numbers[:: max(1, len(numbers) // SAMPLE)]


def common_step(
    numbers: Numbers, largest: int, tolerances: tuple[float, ...] = (EXACT, STORED)
) -> float | None:
    """The largest step of which all numbers are whole multiples; None if there is none.

    A number w is the multiple k of a step g if |w - k g| <= tolerance * |w|, with the tolerance
    `EXACT` for all; if that fails, weights and biases may have the tolerance `STORED` of what a
    float32 file holds. Thresholds never: a threshold that is met must stay met.

    Args:
        numbers: sizes, at least one weight.
        largest: the largest multiple that a weight may be.
        tolerances: the ones to try, in this order.
    """
    if not numbers.weights.size:
        return None
    for tolerance in tolerances:
        most = min(largest, TOLD) if tolerance == STORED else largest
        if _within(numbers.first(), most, tolerance) is not None:
            step = _within(numbers, most, tolerance)
            if step is not None:
                return step
    return None


def far_apart(rows: Real, largest: int) -> NDArray[np.bool_]:
    """Rows of which a few weights show that they have no common step: their sizes differ too much.

    Says of many rows at once what `common_step` would find first of each; most rows of a network
    without a grid are among them.

    Args:
        rows: [rows, ...].
        largest: the largest multiple that a weight may be.
    """
    flat = rows.reshape(len(rows), -1)
    some = np.abs(flat[:, :: max(1, flat.shape[1] // SAMPLE)])
    most = some.max(axis=1, initial=0.0)
    least = np.where(some > NOTHING * most[:, None], some, np.inf).min(axis=1, initial=np.inf)
    apart: NDArray[np.bool_] = most > (largest + 0.5) * least
    return apart


def multiples_of(step: float, weights: Real) -> Ints:
    """Which multiples of a step weights are."""
    return np.asarray(np.rint(weights / step), np.int64)


def _within(numbers: Numbers, largest: int, tolerance: float) -> float | None:
    every = np.concatenate([numbers.weights, numbers.biases, numbers.thresholds])
    least, most = float(every.min()), float(numbers.weights.max())
    if most > (largest + 0.5) * least or float(every.max()) > FARTHEST * least:
        return None
    parts = _parts_of_least(every / least, int(least * (largest + 0.5) / most), 2.0 * tolerance)
    if parts is None:
        return None
    stored = np.concatenate([numbers.weights, numbers.biases])
    wanted = stored / np.rint(stored * (parts / least))
    step = (float(wanted.max()) + float(wanted.min())) / 2.0
    if numbers.thresholds.size:
        sharp = numbers.thresholds / np.rint(numbers.thresholds * (parts / least))
        step = float(sharp[-1])
        if float(np.abs(sharp - step).max()) > EXACT * step:
            return None
    return step if float(np.abs(wanted - step).max()) <= tolerance * step else None


def _parts_of_least(ratios: Real, most: int, tolerance: float) -> int | None:
    """In how many steps, at most so many, the least number is cut when all ratios are whole."""
    parts = 1
    while parts <= most:
        scaled = ratios * parts
        off = np.abs(scaled - np.rint(scaled)) > tolerance * scaled
        if not off.any():
            return parts
        first = float(scaled[off.argmax()])
        pieces = simplest_between(first * (1.0 - tolerance), first * (1.0 + tolerance))[1]
        if pieces == 1:
            return None
        parts *= pieces
    return None


def simplest_between(low: float, high: float) -> tuple[int, int]:
    """The fraction (p, q) with the least q that lies in [low, high], for 0 < low < high."""
    whole = math.floor(low)
    if whole == low:
        return whole, 1
    if whole + 1 <= high:
        return whole + 1, 1
    p, q = simplest_between(1.0 / (high - whole), 1.0 / (low - whole))
    return whole * p + q, p
