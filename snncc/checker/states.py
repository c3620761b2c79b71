"""Neurons of several states: how they leak, read each other, fire and reset, and how far they go.

u_i = round(A_i w + g_i X) + bias_i - late_i S, where w_j is u_j of now for j < i, else v_j of the
step before; F = sum of form_i u_i fires; then v_i = round(B_i u) - amount_i, else v_i = u_i.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from snncc.checker.program_file import Array, Json, is_list, natural, require
from snncc.checker.values import (
    WIDEST,
    Axes,
    Found,
    Interval,
    NodeRecord,
    Value,
    bits,
    digits,
    narrow,
    statement,
)

STATE, READ = "neuron.state", "neuron.read"
MOST_STATES = 8
COEFFICIENTS = ("leak", "gain", "form", "reads", "keep", "takes")
BY_STATE = ("leak", "gain", "form", "late", "keep", "amount", "start", "floor", "low")
SQUARE = ("reads", "takes")
PIECE = 2**17
Ends = tuple[Array, Array]


def states(site: NodeRecord) -> Found:
    source, field = site.source("current"), site.fields
    axes, leak = site.constant("leak")
    require(axes[:1] == (STATE,), "the leak is not by state")
    n = leak.shape[0]
    require(n <= MOST_STATES, f"{n} states")
    require(not {STATE, READ} & set(source.sizes), "the current has an axis of states")
    require(field["compare"] in ("ge", "gt"), "unknown rule")
    neuron = Neuron(site, n, source.rest, source.interval)
    fires = field["threshold"] is not None
    changed = any(field[key] is not None for key in ("keep", "amount", "takes", "late"))
    require(fires or not (changed or field["swallow"]), "what never fires has a reset")
    within = [_interval(each) for each in field["states_within"]]
    require(len(within) == n, "an interval for every state is needed")
    membrane = _interval(field["membrane"])
    reached, form = _whole([_reach(part, site.steps) for part in neuron.pieces()])
    for declared, found in zip([*within, membrane], [*reached, form], strict=True):
        fits = declared[0] <= found[0] and found[1] <= declared[1]
        require(fits, f"a state reaches {found}, its width holds {declared}")
    neuron.require_sums([(np.array(low), np.array(high)) for low, high in within])
    timed = source.timed(site.steps).axes
    value = Value("spike", timed, (0, 1)) if fires else Value("current", timed, membrane)
    constants = [site.constant(key)[1] for key in COEFFICIENTS if field[key] is not None]
    most = max(digits(each) for each in constants)
    chooses = fires or field["has_floor"] or field["has_low"]
    words = "shift add compare select" if chooses else "shift add"
    both = [{"declared": [*d], "reached": [*r]} for d, r in zip(within, reached, strict=True)]
    said = {"declared": [*membrane], "reached": [*form], "states": both}
    return value, statement("states-by-shift", words, most, membrane=said)


def _interval(value: Json) -> Interval:
    require(is_list(value) and len(value) == 2, "a width is no interval")
    low, high = value
    require(type(low) is int and type(high) is int, "a width is no interval")
    narrow("a width", low, high)
    require(low <= 0 <= high, "a width does not hold 0")
    return low, high


@dataclass
class Neuron:
    """The constants of some neurons, behind the axes of states those of one step."""

    tables: dict[str, Array]
    steps_of: dict[str, Array]
    numbers: dict[str, list[int]]
    flags: dict[str, list[bool]]
    up: bool
    current: Interval

    def __init__(self, site: NodeRecord, n: int, rest: Axes, current: Interval) -> None:
        field = site.fields
        row, square = ((STATE, n), *rest), ((STATE, n), (READ, n), *rest)
        self.numbers = {key: _numbers(field[key], n) for key in ("shift", "carry", "reset_shift")}
        require(len(field["shift"]) == n, "a shift for every state is needed")
        for carry, shift in zip(self.numbers["carry"], self.numbers["shift"], strict=True):
            require(carry < 1 << shift, "a carry is a whole step")
        require(max(self.numbers["shift"]) < WIDEST, "a shift is too large")
        require(max(self.numbers["reset_shift"]) < WIDEST, "a shift is too large")
        self.flags = {key: _flags(field[key], n) for key in ("swallow", "has_floor", "has_low")}
        for key, flag in (("floor", "has_floor"), ("low", "has_low")):
            require((field[key] is None) == (not field[flag]), f"{key}: values and flags differ")
        for key in BY_STATE:
            _leads(site, key, (STATE,))
        for key in (*SQUARE, "bias"):
            _leads(site, key, (STATE, READ) if key in SQUARE else (STATE,))
        self.tables = {key: _table(site, key, row, 1) for key in BY_STATE}
        self.tables |= {key: _table(site, key, square, 2) for key in SQUARE}
        time = ("t", site.steps)
        self.steps_of = {"bias": _table(site, "bias", (row[0], time, *rest), 1).swapaxes(0, 1)}
        if field["threshold"] is not None:
            self.steps_of["threshold"] = site.over("threshold", (time, *rest)).astype(np.int64)
        if field["keep"] is None:
            whole = [1 << shift for shift in self.numbers["reset_shift"]]
            self.tables["keep"] = np.array(whole, np.int64).reshape(n, *[1] * len(rest))
        own = [self.tables["reads"][i, i] for i in range(n)]
        require(not any(each.any() for each in own), "a state reads itself beside its leak")
        for i, diagonal in enumerate(self.tables["leak"]):
            self._set("reads", i, diagonal)
        self.tables["takes"] = -self.tables["takes"]
        for i, diagonal in enumerate(self.tables["keep"]):
            self._set("takes", i, self.tables["takes"][i, i] + diagonal)
        self.up = field["compare"] == "gt"
        self.current = current

    def _set(self, key: str, i: int, values: Array) -> None:
        """Writes on the diagonal of a table, which grows to hold it."""
        table = self.tables[key]
        shape = np.broadcast_shapes(table.shape[2:], values.shape)
        table = np.broadcast_to(table, (*table.shape[:2], *shape)).copy()
        table[i, i] = values
        self.tables[key] = table

    @property
    def shape(self) -> tuple[int, ...]:
        parts = [a.shape[1 + (key in SQUARE) :] for key, a in self.tables.items()]
        parts += [a.shape[1 + (key == "bias") :] for key, a in self.steps_of.items()]
        return np.broadcast_shapes(*parts)

    def pieces(self) -> Iterator["Neuron"]:
        """The same neurons, a part at a time."""
        shape = self.shape
        if int(np.prod(shape, dtype=object)) <= PIECE:
            yield self
            return
        axis = int(np.argmax(shape)) - len(shape)
        for half in (slice(0, shape[axis] // 2), slice(shape[axis] // 2, None)):
            at = (..., half, *[slice(None)] * (-axis - 1))
            part = object.__new__(Neuron)
            part.__dict__ |= self.__dict__
            for name in ("tables", "steps_of"):
                arrays: dict[str, Array] = getattr(self, name)
                cut = {k: a[at] if a.shape[axis] > 1 else a for k, a in arrays.items()}
                setattr(part, name, cut)
            yield from part.pieces()

    def at(self, key: str, t: int) -> Array:
        """A constant of one step."""
        array = self.steps_of[key]
        step: Array = array[t if len(array) > 1 else 0]
        return step

    def round(self, x: Array, carry: int, shift: int) -> Array:
        moved: Array = -((carry - x) >> shift) if self.up else (x + carry) >> shift
        return moved

    def require_sums(self, within: list[Ends]) -> None:
        """The widest sums of states within intervals."""
        for i in range(len(within)):
            self.require_sum(i, within)
            widest("a state after a spike", _most(self.tables["takes"][i], within))
        widest("what is compared", _most(self.tables["form"], within))

    def require_sum(self, i: int, within: list[Ends]) -> None:
        gain = _size(self.tables["gain"][i]) * max(map(abs, self.current))
        most = _most(self.tables["reads"][i], within) + gain + self.numbers["carry"][i]
        widest("a state before its shift", most)


def _table(site: NodeRecord, key: str, axes: Axes, leads: int) -> Array:
    """A constant with all its states, those of zeros too."""
    whole = site.over(key, axes).astype(np.int64)
    sizes = [size for _, size in axes[:leads]]
    return np.broadcast_to(whole, (*sizes, *whole.shape[leads:]))


def widest(what: str, most: int) -> None:
    require(bits((-most, most)) <= WIDEST, f"{what} is too wide")


def _leads(site: NodeRecord, key: str, lead: tuple[str, ...]) -> None:
    if site.fields[key] is not None:
        require(site.constant(key)[0][: len(lead)] == lead, f"{key} is not by state first")


def _numbers(value: Json, n: int) -> list[int]:
    require(is_list(value) and len(value) in (0, n), "a number for every state is needed")
    return [natural(each) for each in value] or [0] * n


def _flags(value: Json, n: int) -> list[bool]:
    require(is_list(value) and len(value) in (0, n), "a flag for every state is needed")
    require(all(type(each) is bool for each in value), "a flag is true or false")
    require(not value or any(value), "flags that are all false are left out")
    return [*value] or [False] * n


def _size(array: Array) -> int:
    return max(abs(int(array.min())), abs(int(array.max())))


def _most(row: Array, ends: list[Ends]) -> int:
    return sum(_size(c) * max(map(_size, pair)) for c, pair in zip(row, ends, strict=True))


def _weighed(row: Array, ends: list[Ends]) -> Ends:
    """The interval of a sum of intervals with factors of either sign."""
    low: Array = np.zeros((), np.int64)
    high = low
    for factor, (least, most) in zip(row, ends, strict=True):
        positive = factor >= 0
        low = low + factor * np.where(positive, least, most)
        high = high + factor * np.where(positive, most, least)
    return low, high


def _reach(neuron: Neuron, steps: int) -> tuple[list[Interval], Interval]:
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
        widest("what is compared", _most(neuron.tables["form"], u))
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


def _step(neuron: Neuron, t: int, v: list[Ends], *, spiked: bool) -> list[Ends]:
    tables, u = neuron.tables, list[Ends]()
    for i in range(len(v)):
        seen = [*u, *v[i:]]
        neuron.require_sum(i, seen)
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
        widest("a state after a spike", _most(neuron.tables["takes"][i], above))
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


def _whole(found: list[tuple[list[Interval], Interval]]) -> tuple[list[Interval], Interval]:
    """What some neurons and others reach."""
    every = [[*each, form] for each, form in found]
    columns = zip(*every, strict=True)
    joined = [(min(a for a, _ in ends), max(b for _, b in ends)) for ends in columns]
    return joined[:-1], joined[-1]
