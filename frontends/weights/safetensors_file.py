"""Safetensors files: the header is checked before the library reads it."""

import json
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file

MOST_HEADER = 1 << 23
"""Bytes; a header takes about 120 a tensor."""
PROGRAM_KEY = "snncc"


class BadSafetensors(ValueError):
    """A file is no safetensors file, or a damaged one."""


class IsAProgram(BadSafetensors):
    """It is what `snncc compile` wrote."""


def read_safetensors(path: Path) -> dict[str, torch.Tensor]:
    """All tensors.

    Raises:
        BadSafetensors: the header is damaged, names a tensor twice, or does not describe the bytes
            that follow exactly.
        IsAProgram: it is a compiled program.
    """
    _check_header(path)
    try:
        return load_file(path)
    except Exception as error:  # the library raises errors of its own and those of torch
        raise BadSafetensors(str(error).partition("\n")[0][:200]) from error


def _check_header(path: Path) -> None:
    """Every byte behind the header belongs to exactly one tensor, and every name is there once."""
    size = path.stat().st_size
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        if not 0 < length <= min(size - 8, MOST_HEADER):
            raise BadSafetensors(f"its header has {length:,} bytes, the file {size:,}")
        text = file.read(length)
    try:
        header: Any = json.loads(text, object_pairs_hook=_no_duplicates, parse_constant=_no_number)
    except (ValueError, RecursionError) as error:
        raise BadSafetensors(f"its header is damaged: {str(error)[:100]}") from error
    if not isinstance(header, dict):
        raise BadSafetensors("its header is no object")
    fields: dict[str, Any] = header
    if PROGRAM_KEY in (fields.pop("__metadata__", None) or {}):
        raise IsAProgram("it is a program that snncc compile wrote")
    spans: list[tuple[int, int]] = []
    for name, entry in fields.items():
        match entry:
            case {"dtype": str(), "shape": list(), "data_offsets": [int() as start, int() as stop]}:
                spans.append((start, stop))
            case _:
                raise BadSafetensors(f"its header does not describe {name[:80]!r}")
    at = 0
    for start, stop in sorted(spans):
        if start != at or stop < start:
            raise BadSafetensors("its tensors overlap, or bytes between them belong to none")
        at = stop
    if 8 + length + at != size:
        raise BadSafetensors(
            f"its tensors take {at:,} bytes, {size - 8 - length:,} follow the header"
        )


def _no_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) != len(pairs):
        raise ValueError("a name stands there twice")
    return made


def _no_number(name: str) -> Any:
    raise ValueError(f"{name} is no length")
