"""Parts of a program file: JSON as it must be, and constants that lie one after another."""

import json
import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

Json = Any
Array = NDArray[Any]

DTYPES = {"U8": "|u1", "I8": "|i1", "I16": "<i2", "I32": "<i4", "I64": "<i8"}
ENTRY = {"dtype", "shape", "data_offsets"}
LONGEST_HEADER = 2**26
MOST_CONSTANT_BYTES = 2**31
DEEPEST_JSON = 32


class Rejected(Exception):
    """The certificate does not hold for the program; the message says why."""


def require(condition: bool, why: str) -> None:
    if not condition:
        raise Rejected(why)


def natural(value: Json, least: int = 0, most: int = 2**62) -> int:
    """An integer between two bounds. Not a float, not a truth value."""
    fits = type(value) is int and least <= value <= most
    require(fits, f"{short(value)} is no integer from {least} to {most}")
    return int(value)


def is_record(value: Json) -> bool:
    return type(value) is dict


def is_list(value: Json) -> bool:
    return type(value) is list


def short(value: Json) -> str:
    """A value in a message: one line, not too long."""
    return ascii(value)[:80]


def canonical(value: Json) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)


def read_constants(header: Json, data: bytes) -> dict[str, Array]:
    """Integers that lie one after another, without a gap and with nothing behind them."""
    require(len(data) <= MOST_CONSTANT_BYTES, "the constants are too large")
    require(all(set(entry) == ENTRY for entry in header.values()), "unknown form of a constant")
    constants: dict[str, Array] = {}
    end = 0
    for name, entry in header.items():
        start, stop = (natural(n) for n in entry["data_offsets"])
        require(start == end <= stop <= len(data), f"constant {short(name)} is out of place")
        shape = [natural(n, 1) for n in entry["shape"]]
        require(entry["dtype"] in DTYPES, f"constant {short(name)} is no integer")
        flat = np.frombuffer(data[start:stop], DTYPES[entry["dtype"]])
        require(math.prod(shape) == flat.size, f"constant {short(name)} has another shape")
        constants[name], end = flat.reshape(shape), stop
    require(end == len(data), "the program file has more bytes than constants")
    return constants


def height(value: Json, most: int) -> int:
    """How deep lists and objects stand in each other; one more than `most` where it is more."""
    found, level = 0, containers([value])
    while level and found <= most:
        found += 1
        level = containers([inner for each in level for inner in each])
    return found


def containers(values: list[Json]) -> list[list[Json]]:
    """What stands in those of the values that are lists or objects."""
    objects = [[*value.values()] for value in values if is_record(value)]
    return [*objects, *(value for value in values if is_list(value))]


def no_duplicates(pairs: list[tuple[str, Json]]) -> dict[str, Json]:
    require(len(dict(pairs)) == len(pairs), "a key stands twice")
    return dict(pairs)
