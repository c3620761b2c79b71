"""Rounding that makes up for its own error: each weight's loss is spread over later weights."""

import numpy as np
from numpy.typing import NDArray

Real = NDArray[np.float64]
DAMPING = 0.003
BLOCK = 64
ROWS = 2048


def round_to_nearest(rows: Real, grid: Real, largest: float) -> Real:
    """Integers round(rows / grid), clipped to what the bits hold. rows [o, k], grid [o, 1]."""
    return np.clip(np.round(rows / grid), -largest, largest)


def round_with_compensation(rows: Real, grid: Real, largest: float, gram: Real) -> Real:
    """Integers q that keep grid * q @ x near rows @ x for inputs x with Gram matrix E[x x^T].

    Column by column, most used first: round, then move the error of the output onto the columns
    that are still free, by the inverse of the Gram matrix (optimal brain quantisation as in GPTQ,
    Frantar et al. 2022, arXiv 2210.17323).

    Args:
        rows: [o, k] real weights.
        grid: [o, 1] step of each row.
        largest: largest integer.
        gram: [k, k].
    """
    use = np.diag(gram)
    order = np.argsort(-use, kind="stable")
    damped = gram[np.ix_(order, order)].copy()
    damped[np.diag_indices_from(damped)] += DAMPING * max(float(use.mean()), 1e-9)
    factor: Real = np.asarray(np.linalg.cholesky(np.linalg.inv(damped)).T, np.float64)
    result = np.empty_like(rows)
    for start in range(0, len(rows), ROWS):
        part = slice(start, start + ROWS)
        result[part, order] = _round_part(rows[part][:, order].T, grid[part, 0], largest, factor).T
    return result


def _round_part(columns: Real, grid: Real, largest: float, factor: Real) -> Real:
    """Rounds columns [k, o] in order; a column lies contiguously, a block of them in cache."""
    free: Real = np.array(columns, np.float64, order="C")
    result: Real = np.empty(free.shape)
    count = len(free)
    for start in range(0, count, BLOCK):
        stop = min(start + BLOCK, count)
        errors = np.empty((stop - start, free.shape[1]))
        for k in range(start, stop):
            column: Real = free[k]
            result[k] = np.clip(np.round(column / grid), -largest, largest)
            error = (column - result[k] * grid) / factor[k, k]
            free[k + 1 : stop] -= factor[k, k + 1 : stop, None] * error
            errors[k - start] = error
        free[stop:] -= factor[start:stop, stop:].T @ errors
    return result
