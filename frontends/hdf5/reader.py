"""Reads groups, numbers and texts of an HDF5 file with h5py, as data.

No link leads out of the file, and what is read is in proportion to it: `budget`.
"""

import importlib
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from snncc.diagnostics import SnnccError
from snncc.frontends.hdf5.text_heaps import REFERENCE, TextHeaps

Field = NDArray[Any] | str
"""Numbers of any type and shape, or a text."""
UNREADABLE = "SNN150"
SIGNATURE = b"\x89HDF\r\n\x1a\n"
SMALL = 1 << 24
GROWTH = 64
"""Numbers take at most 16 MiB, or so many times the file."""
MOST_ENTRIES = 1 << 13
LONGEST_NAME = 1024
FILTERS = (1, 2, 3)
"""Deflate, shuffle, checksum: no others are loaded."""
BROKEN = (
    *(OSError, ValueError, TypeError, KeyError, IndexError, AttributeError, RuntimeError),
    *(OverflowError, MemoryError, NotImplementedError),
)


@dataclass(frozen=True)
class Format:
    """What messages say of a kind of files.

    Attributes:
        name: "NIR", ...
        suffix: of its files.
        extra: of snncc that brings h5py.
        help: what to do about a file that cannot be read.
    """

    name: str
    suffix: str
    extra: str
    help: str


class Hdf5Reader:
    """Opens a file and reads from it; what it may still read shrinks with what was read.

    Args:
        path: of the file.
        form: what it should be.

    Raises:
        SnnccError: SNN050 without h5py; SNN150 when the file is none or is damaged. All methods
            raise that too, where something leads elsewhere, is none of what is asked for, or is
            beyond the limits.
    """

    def __init__(self, path: Path, form: Format) -> None:
        self.form, self.source = form, path.name
        self.h5py = _library(path.name, form)
        data = self._bytes_of(path)
        with self.told("the file"):
            self.heaps = TextHeaps(data)
            self.opened: Any = self.h5py.File(path, "r")
        self.budget = max(SMALL, GROWTH * len(data))

    def _bytes_of(self, path: Path) -> bytes:
        """A file that looks like HDF5."""
        try:
            if not path.is_file():
                raise self.refused("there is no such file" if not path.exists() else "no file")
            with path.open("rb") as file:
                head = file.read(len(SIGNATURE))
                data = head + file.read() if head == SIGNATURE else b""
        except (OSError, ValueError) as error:
            raise self.refused(getattr(error, "strerror", None) or str(error)) from error
        if head != SIGNATURE:
            raise self.refused("it does not begin as HDF5 does")
        return data

    def refused(self, why: str, where: str = "") -> SnnccError:
        """The error of a file that cannot be read."""
        place = f": {where}" if where else ""
        told = f"{self.source} cannot be read as {self.form.name}{place}"
        return SnnccError(UNREADABLE, told, why=why, help=self.form.help)

    @contextmanager
    def told(self, where: str) -> Generator[None]:
        """Turns every way in which h5py fails into SNN150."""
        try:
            yield
        except BROKEN as error:
            text = str(error).partition("\n")[0][:200]
            why = f"it is damaged, or no HDF5 file ({text})"
            raise self.refused(why, where) from error

    def names(self, group: Any, where: str) -> list[str]:
        """Names in a group. All of them are entries of this file: nothing leads elsewhere."""
        with self.told(where):
            if len(group) > MOST_ENTRIES:
                raise ValueError(f"more than {MOST_ENTRIES} entries")
            names: list[str] = sorted(map(str, group))
            for name in names:
                if len(name) > LONGEST_NAME:
                    raise ValueError(f"a name of {len(name)} characters")
                if not isinstance(group.get(name, getlink=True), self.h5py.HardLink):
                    raise ValueError(f"{name!r} is a link that leads elsewhere")
            return names

    def group(self, group: Any, name: str, where: str) -> Any:
        with self.told(where):
            found = group[name]
            if not isinstance(found, self.h5py.Group):
                raise TypeError(f"{name!r} is no group")
            return found

    def dataset(self, group: Any, name: str, where: str) -> Any:
        with self.told(f"{name!r} of {where}"):
            found = group[name]
            if not isinstance(found, self.h5py.Dataset) or found.shape is None:
                raise TypeError("it holds no numbers and no text")
            if found.is_virtual or found.external:
                raise ValueError("its numbers lie in another file")
            made = found.id.get_create_plist()
            filters = {int(made.get_filter(i)[0]) for i in range(made.get_nfilters())}
            if not filters <= {*FILTERS}:
                raise ValueError(f"it is packed by filter {max(filters)}, which is not loaded")
            return found

    def spend(self, found: Any, where: str) -> None:
        """Takes what reading needs from the budget. Raises SnnccError: it is more than is left."""
        with self.told(where):
            size = int(found.dtype.itemsize)
            count = _product(found.shape)
            chunk = _product(found.chunks or ())
        need = (count + chunk) * size
        if need > self.budget:
            told = f"{need:,} bytes of numbers, {self.budget:,} are left for a file of this size"
            raise self.refused(told, where)
        self.budget -= need

    def field(self, group: Any, name: str, where: str) -> Field:
        found = self.dataset(group, name, where)
        place = f"{name!r} of {where}"
        with self.told(place):
            if self.h5py.check_string_dtype(found.dtype) is not None:
                return self.text(group, name, where)
            if found.dtype.kind not in "biuf":
                raise TypeError(f"it holds {found.dtype}, no numbers")
        self.spend(found, place)
        with self.told(place):
            array: Any = np.asarray(found[()])
            wanted = np.float64 if array.dtype.itemsize > 8 else array.dtype.newbyteorder("=")
            with np.errstate(all="ignore"):  # a number beyond float64 becomes infinite: it is told
                return cast("Field", array.astype(wanted))

    def text(self, group: Any, name: str, where: str) -> str:
        found = self.dataset(group, name, where)
        with self.told(f"{name!r} of {where}"):
            if found.shape != ():
                raise TypeError("it is no text")
            return self.texts(found, 1)[0]

    def texts(self, found: Any, count: int) -> list[str]:
        """All texts of a data set, in order; those of a length of their own without libhdf5."""
        info = self.h5py.check_string_dtype(found.dtype)
        if info is None:
            raise TypeError("it is no text")
        if info.length is not None:
            if info.length > LONGEST_NAME:
                raise ValueError(f"a text of {info.length} characters")
            return [_decoded(bytes(each)) for each in np.asarray(found[()]).reshape(-1).tolist()]
        start = found.id.get_offset()
        if start is None or found.id.get_storage_size() != REFERENCE * count:
            raise ValueError("its texts do not lie side by side")
        return [_decoded(each) for each in self.heaps.texts(int(start), count)]


def _library(source: str, form: Format) -> Any:
    try:
        return importlib.import_module("h5py")
    except ImportError as error:
        raise SnnccError(
            "SNN050",
            f"{source} needs the package h5py",
            why=f"h5py is not installed here, and {form.suffix} files are HDF5",
            help=f"pip install 'snncc[{form.extra}]'",
        ) from error


def _decoded(value: bytes) -> str:
    if len(value) > LONGEST_NAME:
        raise ValueError(f"a text of {len(value)} bytes")
    return value.decode("utf-8")


def _product(lengths: Any) -> int:
    """Of lengths, in whole numbers of any size."""
    product = 1
    for length in lengths:
        product *= int(length)
    return product
