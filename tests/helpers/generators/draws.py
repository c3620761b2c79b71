"""Numbers at random, with the borders of types drawn often."""

from collections.abc import Sequence
from typing import TypeVar

import numpy as np

T = TypeVar("T")

WIDTHS = (1, 2, 3, 4, 5, 8, 16, 17, 31, 32, 33, 63, 64, 65)
"""Lengths of axes: at both sides of groups of lanes and of words of spikes."""
STEPS = (1, 2, 7, 8, 16, 17, 32, 33, 64, 64)
BORDERS = (7, 8, 15, 16, 31)
"""Bits of the types that executors have: at both sides of 2^bits numbers change their width."""


class Draw:
    """A stream of choices from one seed."""

    def __init__(self, *seed: int) -> None:
        self.rng = np.random.default_rng(seed)

    def chance(self, odds: float) -> bool:
        return bool(self.rng.random() < odds)

    def one(self, choices: Sequence[T]) -> T:
        return choices[int(self.rng.integers(len(choices)))]

    def some(self, choices: Sequence[T], odds: float) -> list[T]:
        """Each with these odds, in any order."""
        chosen = [c for c in choices if self.chance(odds)]
        return [chosen[i] for i in self.rng.permutation(len(chosen))]

    def number(self, low: int, high: int) -> int:
        """Both ends included."""
        return int(self.rng.integers(low, high + 1))

    def size(self, most: int) -> int:
        """A length of an axis; wide ones are rarer."""
        fitting = [w for w in WIDTHS if w <= most] or [1]
        few = [w for w in fitting if w <= 8]
        return self.one(fitting if self.chance(0.4) else few)

    def steps(self) -> int:
        return self.one(STEPS) if self.chance(0.25) else self.number(1, 6)

    def border(self, bits: Sequence[int] = BORDERS) -> int:
        """A number beside the end of a signed type of one more bit, of either sign."""
        near = (1 << self.one(bits)) + self.number(-2, 1)
        return near if self.chance(0.5) else -near

    def magnitude(self, high: int) -> int:
        """1 to high, small ones as often as large ones."""
        return max(1, min(high, round(2.0 ** (self.rng.random() * max(1, high).bit_length()))))

    def magnitudes(self, shape: Sequence[int], high: int) -> np.ndarray:
        drawn = 2.0 ** (self.rng.random(tuple(shape)) * max(1, high).bit_length())
        return np.clip(np.rint(drawn), 1, max(1, high)).astype(np.int64)


KINDS = ("small", "small", "bytes", "bytes", "equal", "border", "border", "wide", "few")


def weights(
    draw: Draw, kept: Sequence[int], into: Sequence[int], times: int, kinds: Sequence[str] = KINDS
) -> np.ndarray:
    """Integers [*kept, *into] in the narrowest type that a kind of weights asks for.

    Args:
        draw: of the program.
        kept: lengths of the axes of which each element has a sum of its own.
        into: lengths of the axes that a sum runs over.
        times: how often a sum can take one weight: places that are added up, 255 for pixels.
        kinds: what to choose from.
    """
    shape, many = (*kept, *into), int(np.prod(into, dtype=np.int64))
    rng = draw.rng
    kind = draw.one(kinds)
    if kind == "small":
        return rng.integers(-4, 5, shape).astype(np.int8)
    if kind == "bytes":
        return rng.integers(-128, 128, shape).astype(np.int8)
    if kind == "few":
        return (rng.integers(-127, 128, shape) * (rng.random(shape) < 0.2)).astype(np.int8)
    if kind == "equal":
        return np.full(shape, draw.one([127, -128, 1, -1, 100]), np.int8)
    if kind == "ramp":
        return np.broadcast_to(np.arange(many).reshape(tuple(into)) % 128, shape).astype(np.int8)
    if kind == "wide":
        top = draw.one([200, 1 << 12, 1 << 15, 1 << 20])
        return narrowest(rng.integers(-top, top + 1, shape))
    return narrowest(_up_to(draw, shape, many, times))


def narrowest(array: np.ndarray) -> np.ndarray:
    """The same numbers in the narrowest of int8, int16, int32, int64."""
    for kind in (np.int8, np.int16, np.int32):
        limits = np.iinfo(kind)
        if array.size and limits.min <= array.min() and array.max() <= limits.max:
            return array.astype(kind)
    return array.astype(np.int64)


def _up_to(draw: Draw, shape: tuple[int, ...], many: int, times: int) -> np.ndarray:
    """Rows whose largest sum, in magnitude, is just about the border of a type."""
    target = draw.border((15, 15, 15, 16, 31))
    each = target // times if draw.chance(0.5) else -(-target // times)
    sign, size = (1 if each > 0 else -1), abs(each)
    row = np.full(many, size // many, np.int64)
    row[: size - int(row.sum())] += 1
    rows = np.zeros((int(np.prod(shape, dtype=np.int64)) // max(1, many), many), np.int64)
    rows[:] = sign * row
    if draw.chance(0.5):  # all rows but one are smaller, and have both signs
        rows[1:] = draw.rng.integers(-1, 2, rows[1:].shape) * np.minimum(rows[1:], 127)
    return rows.reshape(shape)
