"""Sums of more inputs than can be listed, as several of fewer.

Kernels list weight rows as 16-bit numbers. A share of a sum has some words of every source row,
and those taps whose weights lie within reach of one another; to it the other taps are outside.
"""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from snncc.backends.cpu import fields as f
from snncc.backends.cpu.parts.part import Part
from snncc.ir import Array

MOST_INPUTS = (1 << 16) - 64
"""Weight rows are listed as 16-bit numbers."""
MOST_WORDS = 1 << 9
"""Words of a source row that one share has."""


def can_be_listed(part: Part) -> bool:
    """Whether all weight rows of a part have numbers of 16 bits."""
    if part.kind not in (f.EVENTS, f.PLANE):
        return True
    return int(part.taps[..., 1].max(initial=0)) + 64 * max(1, part.words) <= MOST_INPUTS


def shares_to_list(part: Part) -> list[Part]:
    """Parts that add up to a part, each of which can be listed."""
    if can_be_listed(part):
        return [part]
    return [share for piece in _by_words(part) for share in _by_taps(piece)]


def _by_words(part: Part) -> Iterator[Part]:
    """Some words of each source row."""
    if part.kind == f.PLANE:
        yield part
        return
    for first in range(0, part.words, MOST_WORDS):
        words = min(MOST_WORDS, part.words - first)
        taps = part.taps.copy()
        taps[..., 1] += 64 * first
        inputs = min(64 * words, part.inputs - 64 * first)
        yield replace(part, taps=taps, first_word=first, words=words, inputs=inputs)


def _by_taps(part: Part) -> Iterator[Part]:
    """Taps whose weight rows lie together; the weights of each share are its own."""
    begins = np.unique(part.taps[..., 1])
    room = MOST_INPUTS - 64 * max(1, part.words)
    first = 0
    while first < len(begins):
        last = int(np.searchsorted(begins, begins[first] + room, side="right"))
        low, high = int(begins[first]), int(begins[last - 1])
        taps = _within(part.taps, low, high)
        weights = np.ascontiguousarray(part.weights[:, low : high + part.inputs])
        words = part.words
        if part.kind == f.PLANE:
            words = int(bool((np.diff(taps[..., 1], axis=1) == 1).all()))
        yield replace(part, taps=taps, weights=weights, words=words)
        first = last


def _within(taps: Array, low: int, high: int) -> Array:
    """The taps that read these weights, counted from the first; the others are outside."""
    here = (taps[..., 1] >= low) & (taps[..., 1] <= high)
    used = here.any(axis=0)
    own = taps[:, used].copy()
    own[..., 1] -= low
    own[~here[:, used]] = (-1, 0)
    return np.ascontiguousarray(own)
