"""Every leaf of a mapping, with other values in its place, and which of these may be accepted."""

import copy
from collections.abc import Iterator
from typing import Any

Json = dict[str, Any]
Path = tuple[str | int, ...]
LOST, MORE = object(), object()
"""In place of a value: its key is gone; another key stands beside it."""
KINDS: tuple[object, ...] = (None, "x", 1.5, float("nan"), float("inf"), True, [], {}, -1, 1 << 70)


def leaves(value: object, path: Path = ()) -> Iterator[Path]:
    """Paths of all values that hold no others."""
    if isinstance(value, dict) and value:
        for key, inner in value.items():
            yield from leaves(inner, (*path, key))
    elif isinstance(value, list) and value:
        for at, inner in enumerate(value):
            yield from leaves(inner, (*path, at))
    else:
        yield path


def at_path(record: Json, path: Path) -> Any:
    """The value there."""
    found: Any = record
    for key in path:
        found = found[key]
    return found


def others(value: object) -> list[object]:
    """What a leaf is changed to: something of each other kind, its neighbours, nothing, more."""
    near: list[object] = []
    if type(value) is int:
        near = [value - 1, value + 1, float(value), str(value), bool(value)]
    elif isinstance(value, str):
        near = [value + "x", value[::-1] if value else "planes", "cores", "planes", "bias"]
    return [each for each in (*KINDS, *near) if type(each) is not type(value) or each != value] + [
        LOST,
        MORE,
    ]


def changed(record: Json, path: Path, value: object) -> Json:
    """A copy with one leaf changed."""
    found = copy.deepcopy(record)
    owner, key = at_path(found, path[:-1]), path[-1]
    if value is LOST:
        del owner[key]
    elif value is MORE and isinstance(owner, dict):
        owner["more"] = owner[key]
    elif value is MORE:
        owner.append(owner[key])
    else:
        owner[key] = value
    return found


def reason(record: Json, path: Path, value: object) -> str:
    """Why a change may be accepted; "" where it must be rejected."""
    whole = type(value) is int and value >= 0
    match path:
        case ("prefer",) if value in ("cores", "messages"):
            return "what was asked for: the other word may give the same cut"
        case ("placement", "seed") if whole and value <= 1 << 31:
            return "where a search began, which is not repeated: what it found is recounted"
        case ("cores", _, "slot") if whole and record.get("placement") is None:
            return "another free slot of the chip is as good where cores have no places"
        case ("cores", _, "slot") if whole:
            return "a free slot on which all traffic is what the file says"
        case ("layers", _, "exponents", _) if whole and value < at_path(record, path):
            return "a smaller power divides the weights too, and takes the memory that is said"
        case _:
            return ""
