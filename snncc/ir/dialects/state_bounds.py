"""How far states of neurons can go: a box of intervals a neuron over all steps, exact or refused.

A box holds an interval for every state. There are two of them at a time, for the neurons that fired
at the step before and for those that did not. From both the next levels follow; these are joined,
and divided again by what is compared: where that is one state times a positive number, each part
keeps only its side of the threshold. docs/program_rules.md says the same in words.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np

from snncc.ir.dialects.intervals import (
    Ends,
    either,
    joined,
    joined_where,
    largest,
    largest_sum,
    rounded,
    scaled,
    span,
    summed,
)
from snncc.ir.dialects.membranes import CHUNK
from snncc.ir.op import Array, require_narrow

MOST_APART = 255
"""With more spikes a step than these, counts but the first and the last are bounded together."""


@dataclass(frozen=True)
class Side:
    """A count of spikes, or several.

    Attributes:
        count: how many spikes, below 0 for a negative one.
        least, most: of the forms that give it; None for no end.
        many: the fewest and the most spikes that it stands for; None for itself.
    """

    count: int
    least: Array | None
    most: Array | None
    many: tuple[int, int] | None


@dataclass(frozen=True)
class Drives:
    """What neurons are driven by: arrays over axes of one step behind those named here.

    A length of 1 stands for any: all are alike.

    Attributes:
        low, high: least and largest current, [t].
        reads: [state, state that is read]; the leak stands on the diagonal.
        gain, late, form, amount, start, floor, low_end: [state].
        bias: [t, state].
        kept: of states where a neuron fires, [state, state that is read].
        threshold, below: [t], or None.
        step: from one threshold to the next.
        most, even: of `IntegerNeuron`.
        high_end: [state].
        shift, carry, reset_shift, swallow, has_floor, has_low, has_high: by state.
        up: whether shifts round up.
    """

    low: Array
    high: Array
    reads: Array
    gain: Array
    bias: Array
    late: Array
    form: Array
    kept: Array
    amount: Array
    start: Array
    floor: Array
    low_end: Array
    threshold: Array | None
    shift: tuple[int, ...]
    carry: tuple[int, ...]
    reset_shift: tuple[int, ...]
    swallow: tuple[bool, ...]
    has_floor: tuple[bool, ...]
    has_low: tuple[bool, ...]
    up: bool
    most: int
    step: Array
    below: Array | None
    even: bool
    high_end: Array
    has_high: tuple[bool, ...]

    @property
    def shape(self) -> tuple[int, ...]:
        """Of the neurons that something tells apart."""
        rest = self.low.ndim - 1
        shapes = [array.shape[array.ndim - rest :] for array in self._arrays().values()]
        return np.broadcast_shapes(*shapes)

    def pieces(self) -> Iterator["Drives"]:
        """The same neurons, not more than `CHUNK` of them at a time."""
        shape = self.shape
        if math.prod(shape) * len(self.shift) <= CHUNK or max(shape) == 1:
            yield self
            return
        axis = shape.index(max(shape)) - len(shape)
        middle = max(shape) // 2
        for part in (slice(None, middle), slice(middle, None)):
            at = (..., part, *[slice(None)] * (-axis - 1))
            cut: dict[str, Any] = {
                n: a if a.shape[axis] == 1 else a[at] for n, a in self._arrays().items()
            }
            yield from replace(self, **cut).pieces()

    def _arrays(self) -> dict[str, Array]:
        named = {field.name: getattr(self, field.name) for field in fields(self)}
        return {name: value for name, value in named.items() if isinstance(value, np.ndarray)}

    def at(self, t: int) -> "Drives":
        """Those of one step: what lies over time has length 1 there."""
        timed = {"low": self.low, "high": self.high, "bias": self.bias}
        if self.threshold is not None:
            timed["threshold"] = self.threshold
        if self.below is not None:
            timed["below"] = self.below
        step: dict[str, Any] = {n: a[[min(t, len(a) - 1)]] for n, a in timed.items()}
        return replace(self, **step)

    @property
    def varies(self) -> bool:
        """Whether steps differ."""
        timed = (self.low, self.high, self.bias, self.threshold, self.below)
        return any(len(array) > 1 for array in timed if array is not None)

    def sides(self) -> "list[Side]":
        """Spikes of a step, not 0, with the least and the largest form of each."""
        if self.threshold is None:
            return []
        highest = largest(self.threshold) + largest(self.step) * self.most
        require_narrow("the highest threshold", highest)
        if self.below is not None:
            require_narrow("a threshold", *span(self.below))
        apart = range(1, self.most + 1) if self.most <= MOST_APART else (1, 2, 3, self.most)
        found: list[Side] = []
        for j in apart:
            top = None if j == self.most else self.border(j + 1) - 1
            many = (2, self.most - 1) if self.most > MOST_APART and j in (2, 3) else None
            found.append(Side(j, self.border(j), top, many))
        if self.below is not None:
            found.append(Side(-1, None, self.first_silent() - 1, None))
        return found

    def border(self, j: int) -> Array:
        """The least form with j spikes."""
        if self.threshold is None:
            raise TypeError("it never fires")
        above = self.up or (self.even and j % 2 == 1)
        level: Array = self.threshold[0] + self.step * (j - 1) + (1 if above else 0)
        return level

    def first_silent(self) -> Array:
        """The lowest form that gives no negative spike, where there are such."""
        if self.below is None:
            raise TypeError("it has no negative spikes")
        level: Array = self.below[0] + (0 if self.up else 1)
        return level

    @property
    def only(self) -> int | None:
        """The only state that is compared, where it has a positive factor everywhere."""
        used = [i for i, row in enumerate(self.form) if row.any()]
        return used[0] if len(used) == 1 and bool((self.form[used[0]] > 0).all()) else None


@dataclass(frozen=True)
class Reached:
    """What states and forms reached, least and largest of each neuron."""

    states: tuple[Ends, ...]
    form: Ends


@dataclass(frozen=True)
class _Box:
    """States of neurons, and which neurons it speaks of."""

    ends: tuple[Ends, ...]
    holds: Array


def bounds(drives: Drives, steps: int) -> Reached:
    """For each neuron the least and the largest of u_i, v_i and F, over all steps.

    Raises:
        TooWide: a number on the way needs more than `WIDEST` bits.
    """
    n, none = len(drives.shift), np.zeros(drives.shape, np.int64)
    start = tuple((none + each, none + each) for each in drives.start)
    silent = _Box(start, none == 0)
    fired = _Box(start, none != 0)
    reached = [joined(each, (none, none)) for each in start]
    form = (none, none)
    for t in range(steps):
        moment = drives.at(t)
        before = silent, fired
        u = _levels(moment, silent, fired)
        total = _combined(moment.form, u, "what is compared")
        silent, fired = _split(moment, u, total)
        form = joined(form, total)
        for i in range(n):
            each = joined(reached[i], u[i])
            for box in (silent, fired):
                each = joined_where(box.holds, each, box.ends[i])
            reached[i] = each
        if not drives.varies and t > 0 and _same(before, (silent, fired)):
            break  # every later step is like this one
    return Reached(tuple(reached), form)


def require_sums(drives: Drives, states: Sequence[tuple[int, int]]) -> None:
    """Refuses sums that states within these intervals could make too wide for executors.

    Raises:
        TooWide: a sum before its shift needs more than `WIDEST` bits.
    """
    ends = [(np.asarray(low), np.asarray(high)) for low, high in states]
    for i in range(len(states)):
        _require_sum(f"state {i}", drives, i, ends)
        reach = largest_sum(drives.kept[i], ends)
        require_narrow(f"state {i} after a spike", -reach, reach)
    reach = largest_sum(drives.form, ends)
    require_narrow("what is compared", -reach, reach)


def _require_sum(what: str, drives: Drives, i: int, ends: Sequence[Ends]) -> None:
    reach = largest_sum(drives.reads[i], ends) + drives.carry[i]
    reach += largest(drives.gain[i]) * max(largest(drives.low), largest(drives.high))
    require_narrow(f"{what} before its shift", -reach, reach)


def _levels(at: Drives, silent: _Box, fired: _Box) -> tuple[Ends, ...]:
    """Intervals of u_i: joined over the neurons that fired before and those that did not."""
    quiet = _levels_of(at, silent, False)
    if not fired.holds.any():
        return quiet
    after = _levels_of(at, fired, True)
    found: list[Ends] = []
    for (a_low, a_high), (b_low, b_high) in zip(quiet, after, strict=True):
        low = np.where(silent.holds, np.where(fired.holds, np.minimum(a_low, b_low), a_low), b_low)
        high = np.where(
            silent.holds, np.where(fired.holds, np.maximum(a_high, b_high), a_high), b_high
        )
        found.append((low, high))
    return tuple(found)


def _levels_of(at: Drives, box: _Box, spiked: bool) -> tuple[Ends, ...]:
    u: list[Ends] = []
    for i in range(len(at.shift)):
        ends = [u[j] if j < i else box.ends[j] for j in range(len(at.shift))]
        _require_sum(f"state {i}", at, i, ends)
        low, high = summed(at.reads[i], ends)
        less, more = scaled(at.gain[i], (at.low[0], at.high[0]))
        sums = low + less, high + more
        low, high = (rounded(x, at.carry[i], at.shift[i], at.up) for x in sums)
        require_narrow(f"state {i}", *span(low), *span(high))
        counts = (1 if at.below is None else -1, at.most) if spiked else (0, 0)
        require_narrow("a late reset", largest(at.late[i]) * at.most)
        changes = [at.bias[0, i] - at.late[i] * count for count in counts]
        require_narrow("a bias or late reset", *span(changes[0]), *span(changes[1]))
        low, high = low + np.minimum(*changes), high + np.maximum(*changes)
        if spiked and at.swallow[i]:
            low, high = np.zeros_like(low), np.zeros_like(high)
        if at.has_floor[i]:
            low, high = np.maximum(low, at.floor[i]), np.maximum(high, at.floor[i])
        if at.has_high[i]:
            low, high = np.minimum(low, at.high_end[i]), np.minimum(high, at.high_end[i])
        require_narrow(f"state {i}", *span(low), *span(high))
        u.append((low, high))
    return tuple(u)


def _split(at: Drives, u: tuple[Ends, ...], total: Ends) -> tuple[_Box, _Box]:
    """What did not fire, and what fired and was reset."""
    everything = np.ones(np.broadcast_shapes(at.shape), np.bool_)
    if at.threshold is None:
        return _Box(_lowered(at, u), everything), _Box(u, ~everything)
    require_narrow("a threshold", *span(at.threshold))
    sides = at.sides()
    last = at.border(1) - 1  # the highest form that does not fire
    stays = (total[0] <= last) & everything
    below = _within(at, u, stays, None, last)
    if at.below is not None:
        first = at.first_silent()
        stays = stays & (total[1] >= first)
        below = _within(at, below, stays, first, None)
    fires, kept = ~everything, [*u]
    for side in sides:
        least = side.least if side.many is None else at.border(side.many[0])
        holds = everything
        holds = holds if least is None else holds & (total[1] >= least)
        holds = holds if side.most is None or side.many else holds & (total[0] <= side.most)
        if holds.any():
            after = _after(at, _of_side(at, u, holds, side), side)
            kept = [either(fires, holds, a, b) for a, b in zip(kept, after, strict=True)]
        fires = fires | holds
    for low, high in kept:
        require_narrow("a state after a spike", *span(low), *span(high))
    return _Box(_lowered(at, below), stays), _Box(_lowered(at, kept), fires)


def _within(
    at: Drives, u: Sequence[Ends], holds: Array, least: Array | None, most: Array | None
) -> list[Ends]:
    """States whose form lies between two ends, where it is one state times a positive number."""
    found = [*u]
    if at.only is not None:
        i, (low, high) = at.only, u[at.only]
        factor = at.form[i]
        low = low if least is None else np.where(holds, np.maximum(low, -(-least // factor)), low)
        high = high if most is None else np.where(holds, np.minimum(high, most // factor), high)
        found[i] = low, high
    return found


def _of_side(at: Drives, u: Sequence[Ends], holds: Array, side: Side) -> list[Ends]:
    """States that give a count; of many counts the compared state of one of them, all of it."""
    if side.many is None or at.only is None or side.least is None or side.most is None:
        return _within(at, u, holds, side.least, side.most)
    low, high = u[at.only]
    whole = np.where(holds, side.least, low), np.where(holds, side.most, high)
    return [whole if i == at.only else each for i, each in enumerate(u)]


def _after(at: Drives, u: Sequence[Ends], side: Side) -> list[Ends]:
    """States after spikes; where a count stands for many, all leave the compared state alike."""
    found: list[Ends] = []
    for i in range(len(u)):
        counts = (side.count,) if side.many is None or i == at.only else side.many
        reach, taken = largest_sum(at.kept[i], u), abs(counts[-1]) * largest(at.amount[i])
        require_narrow(f"state {i} after a spike", -reach, reach, -taken, taken)
        ends = [rounded(x, 0, at.reset_shift[i], at.up) for x in summed(at.kept[i], u)]
        left = [end - at.amount[i] * count for end in ends for count in counts]
        low, high = left[0], left[0]
        for each in left[1:]:
            low, high = np.minimum(low, each), np.maximum(high, each)
        found.append((low, high))
    return found


def _lowered(at: Drives, ends: Sequence[Ends]) -> tuple[Ends, ...]:
    """With the lower ends that states have after the reset."""
    return tuple(
        (np.maximum(low, at.low_end[i]), np.maximum(high, at.low_end[i]))
        if at.has_low[i]
        else (low, high)
        for i, (low, high) in enumerate(ends)
    )


def _combined(row: Array, ends: Sequence[Ends], what: str) -> Ends:
    reach = largest_sum(row, ends)
    require_narrow(what, -reach, reach)
    return summed(row, ends)


def _same(one: tuple[_Box, ...], other: tuple[_Box, ...]) -> bool:
    for a, b in zip(one, other, strict=True):
        pairs = zip((a.holds, *sum(a.ends, ())), (b.holds, *sum(b.ends, ())), strict=True)
        if not all(np.array_equal(x, y) for x, y in pairs):
            return False
    return True
