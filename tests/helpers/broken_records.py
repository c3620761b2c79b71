"""Every way in which one place of a program's file can be other than it is: no chance in it."""

import copy
from collections.abc import Iterator
from typing import Any

import numpy as np
from structure_fuzzer import Arrays, Json, at, leaves

from snncc.checker.rules import OPS

TEXTS = ("t", "k", "h", "_state", "_level", "a[0]", "", "zero", "even")
NUMBERS = (0, 1, 2, 3, 61, 62, 1 << 20, 1 << 34, 1 << 61, -1, -(1 << 61))
OTHERS: tuple[Json, ...] = (
    None,
    True,
    0.5,
    1e300,
    [],
    {},
    "t",
    [0],
    [0, 0],
    [False],
    ["t"],
    [0, 255],
)


def broken_records(
    record: Json, constants: Arrays, names: list[str]
) -> Iterator[tuple[Json, Arrays]]:
    """One field, constant or source of a node is another, and no type is adapted to it.

    Args:
        record: of a node.
        constants: of its program.
        names: nodes that it may read instead.
    """
    *_, others = OPS[record["op"]]
    full = copy.deepcopy({**record, "fields": {**copy.deepcopy(others), **record["fields"]}})
    seen = set[tuple[Any, ...]]()
    for path in leaves(full["fields"]):
        alike = tuple("" if type(key) is int else key for key in path)
        if path and path[-1] != "@" and alike not in seen:
            seen.add(alike)  # of a list, its first element
            value = at(full["fields"], path)
            for other in _others(value):
                changed = copy.deepcopy(record)
                fields = copy.deepcopy(full["fields"])
                at(fields, path[:-1])[path[-1]] = copy.deepcopy(other)
                changed["fields"] = {
                    key: fields[key] for key in fields if key in record["fields"] or key == path[0]
                }
                yield changed, constants
    for key, value in full["fields"].items():
        if isinstance(value, dict) and "@" in value:
            for array in _arrays(constants[value["@"]]):
                yield record, {**constants, value["@"]: array}
        elif value is None:
            for other in _constants_for(record):
                yield (
                    _with(record, key, {"@": "new", "axes": other[0]}),
                    {**constants, "new": other[1]},
                )
    for inputs in _inputs(record["inputs"], names):
        yield {**record, "inputs": inputs}, constants


def _with(record: Json, key: str, value: Json) -> Json:
    return {**record, "fields": {**record["fields"], key: value}}


def _others(value: Json) -> Iterator[Json]:
    yield from OTHERS
    match value:
        case bool():
            yield not value
        case int():
            yield from (*NUMBERS, value + 1, value - 1, 2 * value)
        case str():
            yield from TEXTS
        case list():
            yield from (value[1:], value[:-1], value[::-1], [*value, *value], [*value, *value[:1]])
            yield [*value, "k"]
        case _:
            pass


def _arrays(array: np.ndarray) -> Iterator[np.ndarray]:
    wide = array.astype(np.int64)
    yield from (wide.T, wide.reshape(-1), wide[None], -wide, wide * 0, wide * 0 + 5)
    yield from (wide * 0 + (1 << 20), wide * 0 + (1 << 61) - 1, wide.reshape(-1)[:1])
    if wide.ndim:
        yield from (wide[:1], np.concatenate([wide, wide]), wide[..., ::-1])


def _constants_for(record: Json) -> Iterator[tuple[list[str], np.ndarray]]:
    axes = [name for name, _ in record["type"]["axes"] if name != "t"]
    yield [], np.array(1)
    for name, size in record["type"]["axes"]:
        yield [name], np.ones(size, np.int64)
        yield [name], np.full(size, -3)
    yield axes[:1], np.ones(1 << 4, np.int64)


def _inputs(inputs: list[str], names: list[str]) -> Iterator[list[str]]:
    yield from ([], [*inputs, *inputs], inputs[:-1], inputs[::-1], [*inputs[:1], "nothing"])
    for name in names:
        yield from ([name], [*inputs[:1], name], [name, *inputs[1:]])
