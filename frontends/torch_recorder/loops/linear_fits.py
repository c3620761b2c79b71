"""Polynomials as sums of other polynomials, with numbers as coefficients."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from snncc.frontends.torch_recorder.loops.polynomials import NEAR, Monomial, Polynomial

_MOST_BITS = 24
"""Coefficients that come out of a division are taken for p / 2^k where they are that close."""
_CLOSE = 1e-13


@dataclass(frozen=True)
class Fit:
    """target = sum of coefficients times columns, plus the rest.

    Attributes:
        coefficients: by number of the column, none of them 0.
        rest: has allowed monomials only.
    """

    coefficients: dict[int, float]
    rest: Polynomial


def fit(
    target: Polynomial, columns: Sequence[Polynomial], allowed: Callable[[Monomial], bool]
) -> Fit | None:
    """A polynomial by the fewest columns that leave allowed monomials only; None if there are none.

    Args:
        target: what is to be said.
        columns: what it may be a sum of.
        allowed: which monomials may be left over.
    """
    size = max((abs(v) for v in target.terms.values()), default=0.0)
    for count in range(len(columns) + 1):
        for chosen in combinations(range(len(columns)), count):
            factors = _factors(target, [columns[i] for i in chosen], allowed)
            if factors is None:
                continue
            rest = target
            for at, factor in zip(chosen, factors, strict=True):
                rest = rest.plus(columns[at], -factor)
            rest = Polynomial({m: v for m, v in rest.terms.items() if abs(v) > NEAR * size})
            if all(map(allowed, rest.terms)):
                return Fit(dict(zip(chosen, factors, strict=True)), rest)
    return None


def _factors(
    target: Polynomial, columns: Sequence[Polynomial], allowed: Callable[[Monomial], bool]
) -> list[float] | None:
    """By how much each column must be taken for what is not allowed; None where it does not say."""
    if not columns:
        return []
    seen = {m for p in (target, *columns) for m in p.terms if not allowed(m)}
    if len(seen) < len(columns):
        return None
    if len(columns) == 1:
        at = max(seen, key=lambda m: abs(columns[0].terms.get(m, 0.0)))
        below = columns[0].terms.get(at, 0.0)
        found: list[float] | None = [target.terms.get(at, 0.0) / below] if below else None
    else:
        table = np.array([[p.terms.get(m, 0.0) for p in columns] for m in seen])
        wanted = np.array([target.terms.get(m, 0.0) for m in seen])
        found = _solved(table, wanted)
    if found is None or any(value == 0.0 for value in found):
        return None
    return [snapped(value) for value in found]


def _solved(table: NDArray[np.float64], wanted: NDArray[np.float64]) -> list[float] | None:
    found, _, rank, _ = np.linalg.lstsq(table, wanted, rcond=None)
    return [float(v) for v in found] if int(rank) == table.shape[1] else None


def snapped(value: float) -> float:
    """The nearest p / 2^k where a rounded division or product stands for it, else the value."""
    for bits in range(_MOST_BITS + 1):
        near = round(value * (1 << bits)) / (1 << bits)
        if near and abs(near - value) <= _CLOSE * abs(value):
            return near
    return value
