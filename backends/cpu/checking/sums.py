"""What PROJECT adds to a register: the sums of a plan's taps and weights, and their bounds."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from snncc.backends.cpu import fields as f
from snncc.backends.cpu.checking.decoding import Row
from snncc.backends.cpu.checking.exact import INT16, INT32, Ints, product, within
from snncc.backends.cpu.checking.shadow import Numbers
from snncc.backends.cpu.checking.wrong import require

AT_ONCE = 1 << 22
"""Gathered numbers at a time."""
LISTED = 1 << 16
"""Weight rows are listed as 16-bit numbers."""


@dataclass(frozen=True)
class Tapped:
    """A part's taps.

    Attributes:
        taps: [rows, taps, 2]: source row or pixel, weight row.
        inputs: how many inputs of a tap can be active: lanes of the source, or 1.
        share: how often its interval counts: see `shadow.Spikes`.
        read: the probes of source rows or pixels (all of them inside), [..., inputs], at a step.
    """

    taps: Ints
    inputs: int
    share: int
    read: Callable[[Ints, int], Ints]


def projected(part: Row, tapped: list[Tapped], weights: list[Ints], steps: int, lanes: int,
              what: str, ends_of: list[tuple[Ints, Ints]] | None = None) -> Numbers:  # fmt: skip
    """The sums of one op, [steps, rows, lanes]; refuses what its accumulator does not hold.

    Any partial sum, in any order, is a sum of some of the weights of one row and lane, so that it
    lies between the sum of the negative and the sum of the positive ones.

    Args:
        part: the first part; its kind and width are those of the sum.
        tapped: the taps of all its parts: their lists are added up as one.
        weights: by step, or one for all.
        steps: how many.
        lanes: of the unit.
        what: it is, for messages.
        ends_of: the interval of every weight, where the program makes them, by step; constants are
            what they are. What is selected or not lies between its ends and 0.
    """
    masked = part[f.P_KIND] in (f.MASKED, f.MASKED_LANES)
    rows = len(tapped[0].taps)
    probe = np.zeros((steps, rows, lanes), np.int64)
    ends = np.zeros((2, len(weights), rows, lanes), np.int64)
    shared = np.zeros_like(ends)
    for each in tapped:
        before = ends.copy()
        _check_taps(each, weights[0], part, what)
        for chosen, begins in _alike(each.taps[..., 1]):
            sources = each.taps[chosen, :, 0]
            for bank, matrix in enumerate(weights):
                block = _rows_of(matrix, begins, each.inputs, part[f.P_KIND], lanes)
                ones = np.where(sources >= 0, 1, 0)
                low, high = block, block
                if ends_of is not None:
                    low, high = (
                        _rows_of(e, begins, each.inputs, part[f.P_KIND], lanes)
                        for e in ends_of[bank]
                    )
                for end, taken in enumerate((np.minimum(low, 0), np.maximum(high, 0))):
                    if (sources >= 0).all():
                        ends[end, bank, chosen] += taken.sum(axis=(0, 1))
                    else:
                        ends[end, bank, chosen] += product(ones, taken.sum(axis=1))
            for step in range(steps):
                block = _rows_of(
                    weights[step % len(weights)], begins, each.inputs, part[f.P_KIND], lanes
                )
                size = max(1, AT_ONCE // max(1, sources.shape[1] * max(1, each.inputs)))
                for first in range(0, len(chosen), size):
                    some = slice(first, first + size)
                    x = _inputs(each, sources[some], step)
                    probe[step, chosen[some]] += _sum(x, block, masked)
        shared += each.share * (ends - before)
    narrow = part[f.P_WIDE] == 0 and part[f.P_KIND] != f.MASKED_LANES
    within(ends[0], ends[1], INT16 if narrow else INT32, f"the accumulator of {what}")
    return Numbers(probe, shared[0], shared[1])


def _check_taps(tapped: Tapped, weights: Ints, part: Row, what: str) -> None:
    begins = tapped.taps[..., 1]
    inputs = tapped.inputs if part[f.P_KIND] in (f.EVENTS, f.PLANE) else 1
    if begins.size == 0:
        return
    last = int(begins.max()) + (inputs - 1)
    if part[f.P_KIND] == f.MASKED_LANES:
        padded = -(-weights.shape[1] // f.TILE) * f.TILE
        require(not (begins % padded).any(), f"{what} reads weights between two rows")
        last = int(begins.max()) // padded
    inside = int(begins.min()) >= 0 and last < len(weights)
    require(inside, f"{what} reads weights that are none of its own")
    if part[f.P_KIND] in (f.EVENTS, f.PLANE):
        require(last < LISTED, f"{what} lists weight rows beyond 16 bits")


def _alike(begins: Ints) -> list[tuple[Ints, Ints]]:
    """Rows that read the same weight rows, and which these are."""
    if len(begins) == 0:
        return []
    if bool((begins == begins[:1]).all()):
        return [(np.arange(len(begins)), begins[0])]
    patterns, which = np.unique(begins, axis=0, return_inverse=True)
    which = which.reshape(-1)
    order = np.argsort(which, kind="stable")
    edges = np.searchsorted(which[order], np.arange(len(patterns) + 1))
    return [(order[edges[i] : edges[i + 1]], pattern) for i, pattern in enumerate(patterns)]


def _rows_of(weights: Ints, begins: Ints, inputs: int, kind: int, lanes: int) -> Ints:
    """The weights that every tap adds, [taps, inputs or 1, lanes]."""
    if kind == f.MASKED:
        return np.broadcast_to(weights[begins][:, None], (len(begins), 1, lanes))
    if kind == f.MASKED_LANES:
        own: Ints = weights[begins // (-(-lanes // f.TILE) * f.TILE)][:, None]
        return own
    selected: Ints = weights[begins[:, None] + np.arange(inputs)]
    return selected


def _inputs(tapped: Tapped, sources: Ints, step: int) -> Ints:
    """Probes of the tapped inputs, [rows, taps, inputs]; 0 where a tap is outside."""
    inside = sources >= 0
    x = np.zeros((*sources.shape, tapped.inputs), np.int64)
    x[inside] = tapped.read(sources[inside], step)
    return x


def _sum(x: Ints, block: Ints, masked: bool) -> Ints:
    if masked:
        kept: Ints = np.einsum("rtl,tl->rl", x, block[:, 0])
        return kept
    taps, inputs = x.shape[1:]
    flat = block.reshape(-1, block.shape[-1])
    return product(x.reshape(len(x), taps * inputs), flat, modulo=True)
