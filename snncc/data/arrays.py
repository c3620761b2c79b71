"""Arrays of .npy and .npz files, each checked against its file before memory is taken for it."""

import io
import math
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from snncc.diagnostics import SnnccError
from snncc.machine.memory import free_memory, megabytes

Array = NDArray[Any]
INFLATED = 1 << 30
"""Bytes up to which an archive may inflate by any factor."""
FACTOR = 500
"""Above that; deflate reaches 1,030, and only on what holds next to nothing."""
HEADERS = {
    (1, 0): np.lib.format.read_array_header_1_0,
    (2, 0): np.lib.format.read_array_header_2_0,
}
"""Version 3 is for arrays with named fields, which are no data here."""


def read_npy(path: Path) -> Array:
    """The array of an .npy.

    Raises:
        SnnccError: SNN015 when it does not fit into memory.
        ValueError: it is damaged, or holds objects.
    """
    size = path.stat().st_size
    require_room(path, size)
    with path.open("rb") as file:
        return _read(file, size)


def read_entries(path: Path, wanted: Sequence[str] | None = None) -> dict[str, Array]:
    """Arrays of an .npz by name, all or some; every entry's checksum is verified.

    Args:
        path: of the file.
        wanted: names, which it has; None for all.

    Raises:
        SnnccError: SNN015 when a name stands twice, or it would inflate beyond measure.
        ValueError, zipfile.BadZipFile: it is damaged, or holds objects.
    """
    with zipfile.ZipFile(path) as archive:
        entries = {info.filename.removesuffix(".npy"): info for info in archive.infolist()}
        if len(entries) != len(archive.infolist()):
            raise _cannot(path, "a name stands twice in it", "write it anew with numpy.savez")
        chosen = {name: entries[name] for name in (entries if wanted is None else wanted)}
        inflated = sum(info.file_size for info in chosen.values())
        packed = sum(info.compress_size for info in chosen.values())
        if inflated > max(INFLATED, FACTOR * packed):
            reason = f"{megabytes(packed)} of it inflate to {megabytes(inflated)}"
            help_ = "it is damaged, or made to fill memory; should it be meant, use numpy.savez"
            raise _cannot(path, reason, help_)
        require_room(path, inflated)
        return {
            name: _read(io.BytesIO(archive.read(info)), info.file_size)
            for name, info in chosen.items()
        }


def require_room(path: Path, size: int) -> None:
    """Raises SnnccError (SNN015) when so many bytes are not free."""
    free = free_memory() if size > INFLATED >> 4 else None
    if free is not None and size > free:
        reason = f"its arrays take {megabytes(size)}, {megabytes(free)} are free"
        raise _cannot(path, reason, "give a smaller file, or fewer images in it")


def _read(file: IO[bytes], size: int) -> Array:
    """An array from a file of so many bytes, which its header must fill."""
    version = np.lib.format.read_magic(file)
    if version not in HEADERS:
        raise ValueError(f"version {version} of the format")
    shape, _, dtype = HEADERS[version](file)
    if dtype.hasobject:
        raise ValueError("objects")
    if math.prod(shape) * dtype.itemsize != size - file.tell():
        raise ValueError("its header does not say how long it is")
    file.seek(0)
    array: Array = np.lib.format.read_array(file, allow_pickle=False)
    return array


def _cannot(path: Path, reason: str, help: str) -> SnnccError:
    return SnnccError("SNN015", f"{path} cannot be read", why=reason, help=help)
