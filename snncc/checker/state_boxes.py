"""How far states of neurons go: two boxes of intervals, of those that fired and of the others.

docs/program_rules.md states it in words, under "Boxes of states".
"""

import numpy as np

from snncc.checker.program_file import Array, require
from snncc.checker.state_fields import Neuron
from snncc.checker.values import WIDEST, Interval, bits, narrow

Ends = tuple[Array, Array]


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
        move = neuron.at("bias", t)[i] - (tables["late"][i] if spiked else 0)
        narrow("a bias or late reset", int(move.min()), int(move.max()))
        low, high = (neuron.round(end, carry, shift) + move for end in (low, high))
        if spiked and neuron.flags["swallow"][i]:
            low, high = 0 * low, 0 * high
        if neuron.flags["has_floor"][i]:
            low, high = (np.maximum(end, tables["floor"][i]) for end in (low, high))
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
    threshold = neuron.at("threshold", t)
    narrow("a threshold", int(threshold.min()), int(threshold.max()))
    last = threshold if neuron.up else threshold - 1
    stays, fires = (form[0] <= last) | (zero != 0), (form[1] > last) | (zero != 0)
    below, above = list(u), list(u)
    row = neuron.tables["form"]
    used = [i for i in range(len(row)) if row[i].any()]
    if len(used) == 1 and (row[used[0]] > 0).all():
        (i,) = used
        border = last // row[i]
        below[i] = u[i][0], np.where(stays, np.minimum(u[i][1], border), u[i][1])
        above[i] = np.where(fires, np.maximum(u[i][0], border + 1), u[i][0]), u[i][1]
    after: list[Ends] = []
    for i in range(len(u)):
        _widest("a state after a spike", _most(neuron.tables["takes"][i], above))
        low, high = _weighed(neuron.tables["takes"][i], above)
        shift, amount = neuron.numbers["reset_shift"][i], neuron.tables["amount"][i]
        low, high = (neuron.round(end, 0, shift) - amount for end in (low, high))
        low, high = np.where(fires, low, u[i][0]), np.where(fires, high, u[i][1])
        narrow("a state after a spike", int(low.min()), int(high.max()))
        after.append((low, high))
    return _lifted(neuron, below), _lifted(neuron, after), stays, fires


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
