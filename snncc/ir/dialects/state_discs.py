"""Discs that states do not leave: poles of state spaces, which intervals of states cannot bound.

A pole [[p, -q], [q, p]] / 2^k turns and shrinks (x_1, x_2). Intervals grow by |p| + |q| at every
step, which is above 2^k for most poles of length below 1; a disc shrinks by the length itself.
docs/program_rules.md states the rule in words, under "Discs of states".
"""

import math

import numpy as np

from snncc.ir.dialects.state_bounds import Drives, Reached
from snncc.ir.op import Array, require_narrow

MOST_SHIFT = 30
"""So that p^2 + q^2 is a number of 62 bits."""


def disc_of(at: Drives) -> Reached | None:
    """What states and form of turning poles reach in any number of steps.

    None for neurons of another form, or where a pole of one of them is not of a length below 1.

    Raises:
        TooWide: a disc needs more than `WIDEST` bits.
    """
    if not _turns(at):
        return None
    p, q, shift = at.reads[1, 1], at.reads[2, 0], at.shift[1]
    if max(_size(p), _size(q)) > 1 << shift:
        return None
    length = p * p + q * q
    if int(length.max()) >= 1 << 2 * shift:
        return None
    gain, bias = at.gain[1] >> shift, at.bias[:, 1]
    require_narrow("a pole's current", *_scaled_ends(gain, at), *(int(f(bias)) for f in _ENDS))
    pushes = [np.abs(gain * end + bias).max(axis=0) for end in (at.low, at.high)]
    radius = _radius(length, np.maximum(*pushes), shift) + np.zeros(at.shape, np.int64)
    form = np.abs(at.form)
    reach = sum(_size(row) for row in form) * int(radius.max())
    require_narrow("what is given", -reach, reach)
    total: Array = form.sum(axis=0) * radius
    return Reached(((-radius, radius),) * 3, (-total, total))


_ENDS = np.min, np.max


def _turns(at: Drives) -> bool:
    """Whether state 1 and 2 are turned by a pole, 0 holds what 1 was, and 1 alone takes in."""
    if len(at.shift) != 3 or at.threshold is not None or at.up:
        return False
    shift, half = at.shift[1], 1 << max(0, at.shift[1] - 1)
    kept, p, q = at.reads, at.reads[1, 1], at.reads[2, 0]
    rest = [kept[0, 0], kept[0, 2], kept[1, 0], kept[2, 1], at.gain[0], at.gain[2], at.start]
    return (
        1 <= shift <= MOST_SHIFT
        and at.shift == (0, shift, shift)
        and at.carry == (0, half, half)
        and not any(at.has_floor + at.has_low + at.has_high)
        and not any(each.any() for each in (*rest, at.bias[:, 0], at.bias[:, 2]))
        and bool((kept[0, 1] == 1).all() and (kept[2, 2] == p).all() and (kept[1, 2] == -q).all())
        and not (at.gain[1] & ((1 << shift) - 1)).any()
    )


def _radius(length: Array, push: Array, shift: int) -> Array:
    """The least whole R with R >= m and length * R^2 <= 4^shift * (R - m)^2, m = push + 1.

    Solved for R: R >= (4^k m + 2^k m sqrt(length)) / (4^k - length).
    """
    pairs = np.stack(np.broadcast_arrays(length, push)).reshape(2, -1)
    every, where = np.unique(pairs, axis=1, return_inverse=True)
    found: list[int] = []
    for square, most in every.T.tolist():
        whole, m = 1 << 2 * shift, most + 1
        root = math.isqrt(whole * m * m * square)
        root += root * root < whole * m * m * square
        radius = -(-(whole * m + root) // (whole - square))
        require_narrow("a disc", -radius, radius)
        found.append(radius)
    shape = np.broadcast_shapes(length.shape, push.shape)
    return np.array(found, np.int64)[where.reshape(-1)].reshape(shape)


def _scaled_ends(gain: Array, at: Drives) -> tuple[int, int]:
    """The least and the largest product of any gain with any current."""
    reach = _size(gain) * max(_size(at.low), _size(at.high))
    return -reach, reach


def _size(array: Array) -> int:
    return max(abs(int(array.min())), abs(int(array.max())))
