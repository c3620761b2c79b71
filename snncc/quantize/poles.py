"""Poles of state spaces as few signed powers of two, chosen by what they do to the response."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Real = NDArray[np.float64]
Ints = NDArray[np.int64]
Complex = NDArray[np.complex128]

TARGET = 0.01
"""Of the response over T steps, relatively, in the square mean: what a pole may be off."""
MOST_TERMS = 8
PLACES = tuple(range(10, 31, 2))
"""Bits behind the point that are tried, the fewest first."""
NEAREST = 5
"""Candidates for each part of a pole."""


@dataclass(frozen=True)
class Poles:
    """Poles p + i q, in 2^-places.

    Attributes:
        p, q: p^2 + q^2 < 4^places.
        places: bits behind the point.
        terms: signed powers of two that each part has at most, by pole.
        error: of each pole's response.
    """

    p: Ints
    q: Ints
    places: int
    terms: Ints
    error: Real


def choose_poles(poles: Complex, steps: int) -> Poles:
    """The fewest bits and terms with which every response is as near as `TARGET`, else the nearest.

    Args:
        poles: [n], of a length below 1.
        steps: T.
    """
    found = [_with_places(poles, steps, places) for places in PLACES[:1]]
    for places in PLACES[1:]:
        if float(found[-1].error.max(initial=0.0)) <= TARGET:
            return found[-1]
        found.append(_with_places(poles, steps, places))
    return min(found, key=lambda each: float(each.error.max(initial=0.0)))


def _with_places(poles: Complex, steps: int, places: int) -> Poles:
    none = np.zeros(poles.shape, np.int64)
    best = Poles(none, none, places, none, np.full(poles.shape, np.inf))
    for terms in range(1, MOST_TERMS + 1):
        p, q, error = _nearest(poles, steps, places, terms)
        better = (best.error > TARGET) & (error < best.error)
        best = Poles(
            np.where(better, p, best.p),
            np.where(better, q, best.q),
            places,
            np.where(better, terms, best.terms),
            np.where(better, error, best.error),
        )
    return best


def _nearest(poles: Complex, steps: int, places: int, terms: int) -> tuple[Ints, Ints, Real]:
    """Of pairs of candidates inside the unit circle the one with the nearest response."""
    real, turn = (_candidates(part, places, terms) for part in (poles.real, poles.imag))
    p = np.repeat(real, turn.shape[1], axis=1)
    q = np.tile(turn, (1, real.shape[1]))
    inside = p * p + q * q < 1 << 2 * places
    near = np.asarray(p + 1j * q, np.complex128) * 2.0**-places
    apart = response_error(near, poles[:, None], steps)
    error = np.where(inside, apart, np.inf)
    rows, best = np.arange(len(poles)), error.argmin(axis=1)
    return p[rows, best], q[rows, best], error[rows, best]


def _candidates(values: Real, places: int, terms: int) -> Ints:
    """Numbers of so few terms around each value, [n, NEAREST]."""
    moves = 2.0 ** -np.arange(2, places + 1)
    around = values[:, None] + np.concatenate([[0.0], moves, -moves])
    found = few_digits(around, terms, places)
    order = np.argsort(np.abs(found - values[:, None] * 2.0**places), axis=1, kind="stable")
    ranked = np.take_along_axis(found, order, axis=1)
    last = np.diff(ranked, axis=1, prepend=ranked[:, :1] - 1) == 0
    first = np.argsort(last, axis=1, kind="stable")[:, :NEAREST]
    return np.take_along_axis(ranked, first, axis=1)


def few_digits(values: Real, terms: int, places: int) -> Ints:
    """Each as at most so many signed powers of two, the largest first; none below 2^-places."""
    rest = np.array(values, np.float64)
    total = np.zeros(values.shape)
    for _ in range(terms):
        size = np.abs(rest)
        held = size >= 2.0 ** -(places + 1)
        _, exponent = np.frexp(np.where(held, size, 1.0))
        power = np.ldexp(1.0, exponent - 1)
        power = np.maximum(np.where(size >= 1.5 * power, 2.0 * power, power), 2.0**-places)
        digit = np.where(held, np.sign(rest) * power, 0.0)
        rest -= digit
        total += digit
    return np.rint(total * 2.0**places).astype(np.int64)


def response_error(near: Complex, poles: Complex, steps: int) -> Real:
    """Of A^0 .. A^(T-1), the size of the difference over the size: by geometric sums."""

    def total(ratio: Complex) -> Complex:
        one = ratio == 1.0
        apart = np.where(one, 0.5, ratio)
        return np.where(one, steps, (1.0 - apart**steps) / (1.0 - apart))

    own, other = total(np.abs(near) ** 2 + 0j).real, total(np.abs(poles) ** 2 + 0j).real
    both = total(near * poles.conj()).real
    return np.sqrt(np.maximum(own + other - 2.0 * both, 0.0) / other)
