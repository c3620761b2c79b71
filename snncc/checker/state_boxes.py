"""How far states of neurons go: two boxes of intervals, of those that fired and of the others.

docs/program_rules.md states it in words, under "Boxes of states".
"""

import numpy as np

from snncc.checker.program_file import Array, require
from snncc.checker.state_counts import Ends, between, fewest_and_most, inside, many, spans
from snncc.checker.state_fields import Neuron
from snncc.checker.values import WIDEST, Interval, bits, narrow


def reach(neuron: Neuron, steps: int) -> tuple[list[Interval], Interval]:
    """Everything that states, and what is compared, can be in T steps, and 0."""
    n, shape = len(neuron.tables["leak"]), neuron.shape
    zero = np.zeros(shape, np.int64)
    quiet = [(zero + start, zero + start) for start in neuron.tables["start"]]
    fired, was_quiet, was_fired = quiet, zero == 0, zero != 0
    seen: list[list[int]] = [[0] for _ in range(n)]
    forms = [0]
    for i, (low, _) in enumerate(quiet):
        seen[i] += [int(low.min()), int(low.max())]
    for t in range(steps):
        u = _step(neuron, t, quiet, spiked=False)
        if was_fired.any():
            late = _step(neuron, t, fired, spiked=True)
            u = [_either(was_quiet, was_fired, a, b) for a, b in zip(u, late, strict=True)]
        _widest("what is compared", _most(neuron.tables["form"], u))
        form = _weighed(neuron.tables["form"], u)
        forms += [int(form[0].min()), int(form[1].max())]
        quiet, fired, was_quiet, was_fired = _divide(neuron, t, u, form, zero)
        for i in range(n):
            parts = [(u[i], zero == 0), (quiet[i], was_quiet), (fired[i], was_fired)]
            for (low, high), holds in parts:
                if holds.any():
                    seen[i].append(int(np.where(holds, low, 0).min()))
                    seen[i].append(int(np.where(holds, high, 0).max()))
    return [(min(each), max(each)) for each in seen], (min(forms), max(forms))


def require_sums(neuron: Neuron, within: list[Ends]) -> None:
    """The widest sums of states within intervals."""
    for i in range(len(within)):
        _require_sum(neuron, i, within)
        _widest("a state after a spike", _most(neuron.tables["takes"][i], within))
    _widest("what is compared", _most(neuron.tables["form"], within))


def _require_sum(neuron: Neuron, i: int, within: list[Ends]) -> None:
    gain = _size(neuron.tables["gain"][i]) * max(map(abs, neuron.current))
    most = _most(neuron.tables["reads"][i], within) + gain + neuron.numbers["carry"][i]
    _widest("a state before its shift", most)


def _step(neuron: Neuron, t: int, v: list[Ends], *, spiked: bool) -> list[Ends]:
    tables, u = neuron.tables, list[Ends]()
    for i in range(len(v)):
        seen = [*u, *v[i:]]
        _require_sum(neuron, i, seen)
        sums = _weighed(tables["reads"][i], seen)
        gains = [tables["gain"][i] * end for end in neuron.current]
        low, high = sums[0] + np.minimum(*gains), sums[1] + np.maximum(*gains)
        carry, shift = neuron.numbers["carry"][i], neuron.numbers["shift"][i]
        often = fewest_and_most(neuron) if spiked else (0, 0)
        narrow("a late reset", _size(tables["late"][i]) * neuron.most)
        moves = [neuron.at("bias", t)[i] - count * tables["late"][i] for count in often]
        narrow("a bias or late reset", *(int(end) for m in moves for end in (m.min(), m.max())))
        low = neuron.round(low, carry, shift) + np.minimum(*moves)
        high = neuron.round(high, carry, shift) + np.maximum(*moves)
        if spiked and neuron.flags["swallow"][i]:
            low, high = 0 * low, 0 * high
        if neuron.flags["has_floor"][i]:
            low, high = (np.maximum(end, tables["floor"][i]) for end in (low, high))
        if neuron.flags["has_high"][i]:
            low, high = (np.minimum(end, tables["high"][i]) for end in (low, high))
        narrow("a state", int(low.min()), int(high.max()))
        u.append((low, high))
    return u


def _either(one: Array, other: Array, a: Ends, b: Ends) -> Ends:
    """The hull of those of two intervals that stand for anything."""
    low = np.where(one & other, np.minimum(a[0], b[0]), np.where(one, a[0], b[0]))
    return low, np.where(one & other, np.maximum(a[1], b[1]), np.where(one, a[1], b[1]))


def _divide(
    neuron: Neuron, t: int, u: list[Ends], form: Ends, zero: Array
) -> tuple[list[Ends], list[Ends], Array, Array]:
    """What does not fire, and what fires and is reset; and where there is each of them."""
    if "threshold" not in neuron.steps_of:
        return _lifted(neuron, u), u, zero == 0, zero != 0
    forms = spans(neuron, t)
    quiet, stays = inside(neuron, u, form, forms[0])
    after, ever = list(u), zero != 0
    row = neuron.tables["form"]
    for count, span in list(forms.items())[1:]:
        counts = many(neuron, count)
        part, there = inside(neuron, u, form, span, forms[2][0] if len(counts) > 1 else None)
        if not there.any():
            continue
        for i in range(len(u)):
            taken = neuron.tables["amount"][i]
            _widest("a state after a spike", _most(neuron.tables["takes"][i], part))
            shift, own = neuron.numbers["reset_shift"][i], (count,) if row[i].any() else counts
            narrow("what spikes take", max(map(abs, own)) * _size(taken))
            sums = _weighed(neuron.tables["takes"][i], part)
            ends = [neuron.round(end, 0, shift) - spikes * taken for end in sums for spikes in own]
            after[i] = _either(ever | ~there, there, after[i], between(ends))
        ever = ever | there
    narrow("a state after a spike", *(int(x) for a, b in after for x in (a.min(), b.max())))
    return _lifted(neuron, quiet), _lifted(neuron, after), stays, ever


def _lifted(neuron: Neuron, ends: list[Ends]) -> list[Ends]:
    """With the lower ends of states."""
    flags, low = neuron.flags["has_low"], neuron.tables["low"]
    return [
        (np.maximum(a, low[i]), np.maximum(b, low[i])) if flags[i] else (a, b)
        for i, (a, b) in enumerate(ends)
    ]


def _weighed(row: Array, ends: list[Ends]) -> Ends:
    """The interval of a sum of intervals with factors of either sign."""
    low: Array = np.zeros((), np.int64)
    high = low
    for factor, (least, most) in zip(row, ends, strict=True):
        positive = factor >= 0
        low = low + factor * np.where(positive, least, most)
        high = high + factor * np.where(positive, most, least)
    return low, high


def _size(array: Array) -> int:
    return max(abs(int(array.min())), abs(int(array.max())))


def _most(row: Array, ends: list[Ends]) -> int:
    return sum(_size(c) * max(map(_size, pair)) for c, pair in zip(row, ends, strict=True))


def _widest(what: str, most: int) -> None:
    require(bits((-most, most)) <= WIDEST, f"{what} is too wide")
