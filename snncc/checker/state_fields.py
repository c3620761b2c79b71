"""Neurons of several states as a file has them: constants by state, shifts, flags."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from snncc.checker.program_file import Array, Json, is_list, natural, require
from snncc.checker.values import WIDEST, Axes, Interval, NodeRecord

STATE, READ = "neuron.state", "neuron.read"
KEYS = "leak gain form late keep amount start floor low high read"
BY_STATE = tuple(KEYS.split())
SQUARE = ("reads", "takes")
FLAGS = ("swallow", "has_floor", "has_low", "has_high")
PIECE = 2**17


@dataclass
class Neuron:
    """The constants of some neurons, behind the axes of states those of one step."""

    tables: dict[str, Array]
    steps_of: dict[str, Array]
    numbers: dict[str, list[int]]
    flags: dict[str, list[bool]]
    compare: str
    most: int
    current: Interval

    def __init__(self, site: NodeRecord, n: int, rest: Axes, current: Interval) -> None:
        field = site.fields
        row, square = ((STATE, n), *rest), ((STATE, n), (READ, n), *rest)
        self.numbers = {key: _numbers(field[key], n) for key in ("shift", "carry", "reset_shift")}
        require(len(field["shift"]) == n, "a shift for every state is needed")
        require(max(self.numbers["shift"]) < WIDEST, "a shift is too large")
        for carry, shift in zip(self.numbers["carry"], self.numbers["shift"], strict=True):
            require(carry < 1 << shift, "a carry is a whole step")
        require(max(self.numbers["reset_shift"]) < WIDEST, "a shift is too large")
        self.flags = {key: _flags(field[key], n) for key in FLAGS}
        for key, flag in (("floor", "has_floor"), ("low", "has_low"), ("high", "has_high")):
            require((field[key] is None) == (not field[flag]), f"{key}: values and flags differ")
        for key in BY_STATE:
            _leads(site, key, (STATE,))
        for key in (*SQUARE, "bias"):
            _leads(site, key, (STATE, READ) if key in SQUARE else (STATE,))
        self.tables = {key: _table(site, key, row, 1) for key in BY_STATE}
        self.tables |= {key: _table(site, key, square, 2) for key in SQUARE}
        time = ("t", site.steps)
        self.steps_of = {"bias": _table(site, "bias", (row[0], time, *rest), 1).swapaxes(0, 1)}
        for key in ("threshold", "below"):
            if field[key] is not None:
                self.steps_of[key] = site.over(key, (time, *rest)).astype(np.int64)
        self.steps_of["step"] = site.over("step", (time, *rest)).astype(np.int64)
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
        self.compare, self.most = field["compare"], field["most"]
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
        moved: Array = -((carry - x) >> shift) if self.compare == "gt" else (x + carry) >> shift
        return moved


def _leads(site: NodeRecord, key: str, lead: tuple[str, ...]) -> None:
    if site.fields[key] is not None:
        require(site.constant(key)[0][: len(lead)] == lead, f"{key} is not by state first")


def _table(site: NodeRecord, key: str, axes: Axes, leads: int) -> Array:
    """A constant with all its states, those of zeros too."""
    whole = site.over(key, axes).astype(np.int64)
    sizes = [size for _, size in axes[:leads]]
    return np.broadcast_to(whole, (*sizes, *whole.shape[leads:]))


def _numbers(value: Json, n: int) -> list[int]:
    require(is_list(value) and len(value) in (0, n), "a number for every state is needed")
    return [natural(each) for each in value] or [0] * n


def _flags(value: Json, n: int) -> list[bool]:
    require(is_list(value) and len(value) in (0, n), "a flag for every state is needed")
    require(all(type(each) is bool for each in value), "a flag is true or false")
    require(not value or any(value), "flags that are all false are left out")
    return [*value] or [False] * n
