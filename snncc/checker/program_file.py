"""Reads a program file: 8 bytes length of the header, the header in JSON, the constants' bytes."""

import hashlib
import json
from typing import Any

import numpy as np
from numpy.typing import NDArray

Json = Any
Array = NDArray[Any]

DTYPES = {"I8": "|i1", "I16": "<i2", "I32": "<i4", "I64": "<i8"}


class Rejected(Exception):
    """The certificate does not hold for the program; the message says why."""


def demand(condition: bool, why: str) -> None:
    if not condition:
        raise Rejected(why)


def whole(value: Json, least: int = 0) -> int:
    demand(type(value) is int and value >= least, f"{value!r} is no integer of at least {least}")
    return int(value)


def canonical(value: Json) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)


def read_program(content: bytes) -> tuple[Json, dict[str, Array], str]:
    """Manifest, constants and sha256 of a program file."""
    length = int.from_bytes(content[:8], "little")
    header = json.loads(content[8 : 8 + length], object_pairs_hook=once)
    data, end = content[8 + length :], 0
    sealed = json.loads(header.pop("__metadata__")["snncc"], object_pairs_hook=once)
    constants: dict[str, Array] = {}
    for name, entry in sorted(header.items(), key=lambda item: item[1]["data_offsets"]):
        start, stop = entry["data_offsets"]
        demand(start == end <= stop <= len(data), f"constant {name} is out of place")
        flat = np.frombuffer(data[start:stop], DTYPES[entry["dtype"]])
        constants[name], end = flat.reshape([whole(n) for n in entry["shape"]]), stop
    demand(end == len(data), "the program file has more bytes than constants")
    state = hashlib.sha256(canonical(sealed["manifest"]).encode())
    for name, array in sorted(constants.items()):
        state.update(canonical([name, array.dtype.str, list(array.shape)]).encode())
        state.update(array.tobytes())
    demand(state.hexdigest() == sealed["sha256"], "the program does not match its own sha256")
    return sealed["manifest"], constants, state.hexdigest()


def once(pairs: list[tuple[str, Json]]) -> dict[str, Json]:
    demand(len(dict(pairs)) == len(pairs), "a key stands twice")
    return dict(pairs)
