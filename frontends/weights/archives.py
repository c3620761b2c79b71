"""Zip archives of torch.save, with what their format lets go wrong: every checksum is compared."""

import io
import struct
import zipfile
import zlib
from collections import Counter
from pathlib import Path

import torch

from snncc.frontends.weights.tensors import StorageRef, swapped

MOST_RECORDS = 1 << 18
MOST_PICKLE = 1 << 26
"""Bytes of the description of what is in the archive."""
MOST_INFLATED = 1 << 24
"""Bytes that compressed records may grow to, whatever the file's size; torch compresses nothing."""
GROWTH = 8
"""Likewise, in multiples of the file's size."""
CHUNK = 1 << 20
ENCRYPTED = 1
LOCAL_HEADER = 30
DAMAGE = (
    *(zipfile.BadZipFile, zlib.error, struct.error, EOFError, OSError, ValueError, KeyError),
    *(NotImplementedError, RuntimeError, OverflowError),
)
"""What Python's zipfile raises on damaged archives."""


class BadArchive(ValueError):
    """An archive is damaged, ambiguous, or asks for far more memory than it has bytes."""


class Archive:
    """The records of one file, each read whole and compared with its checksum.

    Args:
        path: of the file.

    Raises:
        BadArchive: names stand twice, records overlap or are encrypted, or it would inflate to
            more than `GROWTH` times its size.
    """

    def __init__(self, path: Path) -> None:
        try:
            self._zip = zipfile.ZipFile(path)
        except DAMAGE as error:
            raise _bad(error) from error
        try:
            self._check(path)
        except DAMAGE as error:
            self._zip.close()
            raise _bad(error) from error

    def close(self) -> None:
        self._zip.close()

    def names(self) -> list[str]:
        """Full names of all records."""
        return self._zip.namelist()

    def has(self, name: str) -> bool:
        return self.folder + name in self._records

    @property
    def folder(self) -> str:
        """The one folder that torch puts everything into, with a slash; "" without one."""
        first = self._zip.infolist()[0].filename if self._zip.infolist() else ""
        return first.partition("/")[0] + "/" if "/" in first else ""

    def read(self, name: str, most: int | None = None) -> bytearray:
        """A record's bytes.

        Raises:
            BadArchive: there is none, its checksum differs, or it has more than `most` bytes.
        """
        info = self._records.get(self.folder + name)
        if info is None:
            raise BadArchive(f"it has no record {name}")
        if most is not None and info.file_size > most:
            raise BadArchive(f"its record {name} has {info.file_size:,} bytes")
        return self._content(info)

    def stream(self, name: str, most: int) -> io.BytesIO:
        """A record's bytes, as a file."""
        return io.BytesIO(self.read(name, most))

    def check_rest(self) -> None:
        """Compares the checksums of the records that were not read.

        Raises:
            BadArchive: with the first that differs.
        """
        for name, info in self._records.items():
            if name not in self._seen:
                self._content(info, keep=False)

    def _content(self, info: zipfile.ZipInfo, keep: bool = True) -> bytearray:
        """All bytes of a record; the last read compares its checksum."""
        content = bytearray()
        size = 0
        try:
            with self._zip.open(info) as stream:
                while chunk := stream.read(CHUNK):
                    size += len(chunk)
                    if size > info.file_size:
                        break
                    if keep:
                        content += chunk
        except DAMAGE as error:
            raise _bad(error) from error
        if size != info.file_size:
            raise BadArchive(f"its record {info.filename!r} has another length than it says")
        self._seen.add(info.filename)
        return content

    def _check(self, path: Path) -> None:
        self._seen: set[str] = set()
        records = self._zip.infolist()
        if len(records) > MOST_RECORDS:
            raise BadArchive(f"it has {len(records):,} records")
        self._records = {info.filename: info for info in records}
        if len(self._records) != len(records):
            (twice, _), *_ = Counter(info.filename for info in records).most_common(1)
            raise BadArchive(f"its record {twice!r} stands there twice")
        size = path.stat().st_size
        inflated = 0
        for info in records:
            if info.flag_bits & ENCRYPTED:
                raise BadArchive(f"its record {info.filename!r} is encrypted")
            if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
                raise BadArchive(f"its record {info.filename!r} is compressed in an unusual way")
            if info.compress_type == zipfile.ZIP_DEFLATED:
                inflated += info.file_size
            elif info.file_size != info.compress_size:
                raise BadArchive(f"its record {info.filename!r} has two lengths")
        if inflated > max(MOST_INFLATED, GROWTH * size):
            raise BadArchive(
                f"its compressed records would grow to {inflated:,} bytes, the file has {size:,}"
            )
        self._check_places(sorted(records, key=lambda info: info.header_offset))

    def _check_places(self, records: list[zipfile.ZipInfo]) -> None:
        """No byte of the file belongs to two records."""
        stream = self._zip.fp
        end = self._zip.start_dir
        if stream is None:
            raise BadArchive("it is closed")
        for info, after in zip(
            records, [*(r.header_offset for r in records[1:]), end], strict=True
        ):
            stream.seek(info.header_offset + LOCAL_HEADER - 4)
            name, extra = struct.unpack("<HH", stream.read(4))
            stop = info.header_offset + LOCAL_HEADER + name + extra + info.compress_size
            if stop > after:
                raise BadArchive(f"its record {info.filename!r} overlaps another")


class ArchiveStorages:
    """Gives the storages of one archive to a `TensorReader`.

    Args:
        archive: of torch.save.

    Raises:
        BadArchive: its byte order is unknown.
    """

    def __init__(self, archive: Archive) -> None:
        self._archive = archive
        order = bytes(archive.read("byteorder", 16)) if archive.has("byteorder") else b"little"
        if order not in (b"little", b"big"):
            raise BadArchive("its byte order is neither little nor big")
        self._big = order == b"big"

    def __call__(self, storage: StorageRef) -> bytearray:
        content = self._archive.read(f"data/{storage.key}")
        if self._big and storage.dtype != torch.uint8:
            return swapped(content, storage.dtype)
        return content


def _bad(error: Exception) -> BadArchive:
    if isinstance(error, BadArchive):
        return error
    text = str(error).partition("\n")[0][:200]
    return BadArchive(text or "its list of records is damaged")
