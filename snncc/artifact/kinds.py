"""What a file is, by its first bytes: so that an error can say what was given, and what to do."""

import json
import zipfile
from pathlib import Path
from typing import Any

from snncc.artifact.paths import is_file, is_folder

PROGRAM = "a compiled program"
CHECKPOINT = "a checkpoint"
NUMPY = "a NumPy file"
IMAGE = "an image"
JSON = "a JSON file"
EMPTY = "empty"
FOLDER = "a folder"

_LARGEST_HEADER = 1 << 26
_HEADS = (
    (b"\x93NUMPY", NUMPY),
    (b"\x89PNG\r\n\x1a\n", IMAGE),
    (b"\xff\xd8\xff", IMAGE),
    (b"\x80\x02", CHECKPOINT),  # a pickle: torch.save before 1.6
)


def kind_of(path: Path) -> str:
    """One of the kinds above; "" for anything else, and for what cannot be read."""
    try:
        if is_folder(path):
            return FOLDER
        if not is_file(path):
            return ""  # what is read from a pipe is gone
        with path.open("rb") as file:
            head = file.read(16)
            if not head:
                return EMPTY
            # First: the length of a header may begin with any of the bytes below.
            if head[8:9] == b"{" and _length(head) <= path.stat().st_size - 8:
                file.seek(0)
                return _of_safetensors(file.read(8), file.read(_LARGEST_HEADER))
            if head[:4] == b"PK\x03\x04":
                return _of_zip(path)
            for start, kind in _HEADS:
                if head.startswith(start):
                    return kind
            return JSON if head.lstrip()[:1] == b"{" else ""
    except (OSError, ValueError):
        return ""


def _of_zip(path: Path) -> str:
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
    except (zipfile.BadZipFile, NotImplementedError):
        return ""
    if any(name.endswith("data.pkl") for name in names):
        return CHECKPOINT
    return NUMPY if any(name.endswith(".npy") for name in names) else ""


def _length(head: bytes) -> int:
    """Of the header that a safetensors file says it has."""
    return int.from_bytes(head[:8], "little")


def _of_safetensors(size: bytes, rest: bytes) -> str:
    length = _length(size)
    if not 0 < length <= len(rest) or rest[:1] != b"{":
        return ""
    try:
        header: Any = json.loads(rest[:length])
    except (ValueError, RecursionError):  # whoever reads it says what is damaged
        return ""
    match header:
        case {"__metadata__": {"snncc": _}}:
            return PROGRAM
        case _:
            return CHECKPOINT
