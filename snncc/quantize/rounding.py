"""Rounding that makes up for its own error: each weight's loss is spread over later weights."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Real = NDArray[np.float64]
DAMPING = 0.003
BLOCK = 64
ROWS = 2048


WHOLE = 2.0**-22
"""A level nearer to an integer than this part of its size is one that float32 has rounded."""


def lie_on(rows: Real, grid: Real, largest: float) -> NDArray[np.bool_]:
    """Which rows [o, k] are whole multiples of their steps [o, 1] altogether."""
    levels = rows / grid
    whole = np.rint(levels)
    on = np.abs(levels - whole) <= np.minimum(WHOLE * np.abs(levels), 0.25)
    return np.asarray((on & (np.abs(whole) <= largest)).all(axis=1), np.bool_)


def round_to_nearest(rows: Real, grid: Real, largest: float) -> Real:
    """Integers round(rows / grid), clipped to what the bits hold. rows [o, k], grid [o, 1]."""
    return np.clip(np.round(rows / grid), -largest, largest)


@dataclass(frozen=True)
class Use:
    """How a projection's inputs occur together, in the form that rounding needs.

    Attributes:
        order: [k] inputs, most used first.
        factor: [k, k] upper triangular; factor^T factor is the inverse of the damped Gram matrix
            E[x x^T] in that order.
    """

    order: NDArray[np.int64]
    factor: Real

    @classmethod
    def of(cls, gram: Real) -> "Use":
        """From a Gram matrix [k, k]."""
        use = np.diag(gram)
        order = np.argsort(-use, kind="stable")
        damped = gram[np.ix_(order, order)].copy()
        damped[np.diag_indices_from(damped)] += DAMPING * max(float(use.mean()), 1e-9)
        factor = np.linalg.cholesky(np.linalg.inv(damped)).T
        return cls(order, np.asarray(factor, np.float64))


def round_with_compensation(rows: Real, grid: Real, largest: float, use: Use) -> tuple[Real, Real]:
    """Integers q that keep grid * q @ x near rows @ x for the inputs x of a projection.

    A row that lies on its grid is taken as it is and loses nothing.

    Column by column, most used first: round, then move the error of the output onto the columns
    that are still free, by the inverse of the Gram matrix (optimal brain quantisation as in GPTQ,
    Frantar et al. 2022, arXiv 2210.17323).

    Args:
        rows: [o, k] real weights.
        grid: [o, 1] step of each row.
        largest: largest integer.
        use: of the k inputs.

    Returns:
        The integers [o, k], and for each row the mean squared error [o] of what it gives.
    """
    result, lost = np.empty_like(rows), np.empty(len(rows))
    for start in range(0, len(rows), ROWS):
        part = slice(start, start + ROWS)
        columns = rows[part][:, use.order].T
        rounded, lost[part] = _round_part(columns, grid[part, 0], largest, use.factor)
        result[part, use.order] = rounded.T
    whole = lie_on(rows, grid, largest)
    result[whole], lost[whole] = np.rint(rows[whole] / grid[whole]), 0.0
    return result, lost


def _round_part(columns: Real, grid: Real, largest: float, factor: Real) -> tuple[Real, Real]:
    """Rounds columns [k, o] in order; a column lies contiguously, a block of them in cache."""
    free: Real = np.array(columns, np.float64, order="C")
    result: Real = np.empty(free.shape)
    errors: Real = np.empty(free.shape)
    count = len(free)
    for start in range(0, count, BLOCK):
        stop = min(start + BLOCK, count)
        for k in range(start, stop):
            column: Real = free[k]
            result[k] = np.clip(np.round(column / grid), -largest, largest)
            errors[k] = (column - result[k] * grid) / factor[k, k]
            free[k + 1 : stop] -= factor[k, k + 1 : stop, None] * errors[k]
        free[stop:] -= factor[start:stop, stop:].T @ errors[start:stop]
    lost: Real = np.einsum("ko,ko->o", errors, errors)
    return result, lost
