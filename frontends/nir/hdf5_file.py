"""Reads the HDF5 of a .nir file with h5py, as data: bounded in memory, without links that lead out.

    /version         text
    /node            the graph: type, nodes/NAME/..., edges [n, 2]

What is read is in proportion to the file: `budget`.
"""

import importlib
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

import numpy as np

from snncc.diagnostics import SnnccError
from snncc.frontends.nir.records import (
    FROM_WRITER,
    GRAPH,
    UNREADABLE,
    Edge,
    Field,
    NirFile,
    NirGraph,
    NirNode,
)
from snncc.frontends.nir.text_heaps import REFERENCE, TextHeaps

SIGNATURE = b"\x89HDF\r\n\x1a\n"
SMALL = 1 << 24
GROWTH = 64
"""Numbers take at most 16 MiB, or so many times the file."""
MOST_NODES = 1 << 13
MOST_EDGES = 1 << 16
DEEPEST = 8
"""Subgraphs in subgraphs."""
LONGEST_NAME = 1024
FILTERS = (1, 2, 3)
"""Deflate, shuffle, checksum: no others are loaded."""
METADATA = "metadata"
BROKEN = (
    *(OSError, ValueError, TypeError, KeyError, IndexError, AttributeError, RuntimeError),
    *(OverflowError, MemoryError, NotImplementedError),
)


def read_file(path: Path) -> NirFile:
    """The graph that a file holds, not yet judged beyond its form.

    Raises:
        SnnccError: SNN050 without h5py; SNN150 when the file is none, is damaged, or leads
            elsewhere or beyond the limits.
    """
    h5py = _library(path.name)
    data = _bytes_of(path)
    with _told(path.name, "the file"):
        heaps = TextHeaps(data)
        file = h5py.File(path, "r")
    with file:
        return _Reader(h5py, path.name, max(SMALL, GROWTH * len(data)), heaps).file(file)


def _library(source: str) -> Any:
    try:
        return importlib.import_module("h5py")
    except ImportError as error:
        raise SnnccError(
            "SNN050",
            f"{source} needs the package h5py",
            why="h5py is not installed here, and .nir files are HDF5",
            help="pip install 'snncc[nir]'",
        ) from error


def _bytes_of(path: Path) -> bytes:
    """A file that looks like HDF5."""
    try:
        if not path.is_file():
            raise refused(path.name, "there is no such file" if not path.exists() else "no file")
        with path.open("rb") as file:
            head = file.read(len(SIGNATURE))
            data = head + file.read() if head == SIGNATURE else b""
    except (OSError, ValueError) as error:
        raise refused(path.name, getattr(error, "strerror", None) or str(error)) from error
    if head != SIGNATURE:
        raise refused(path.name, "it does not begin as HDF5 does")
    return data


def refused(source: str, why: str, where: str = "") -> SnnccError:
    """The error of a file that cannot be read."""
    place = f": {where}" if where else ""
    return SnnccError(
        UNREADABLE,
        f"{source} cannot be read as NIR{place}",
        why=why,
        help=f"give a file that nir.write wrote; {FROM_WRITER}",
    )


@contextmanager
def _told(source: str, where: str) -> Generator[None]:
    """Turns every way in which h5py fails into SNN150."""
    try:
        yield
    except BROKEN as error:
        told = str(error).partition("\n")[0][:200]
        raise refused(source, f"it is damaged, or no HDF5 file ({told})", where) from error


class _Reader:
    """Walks a file; what it may still read shrinks with what was read."""

    def __init__(self, h5py: Any, source: str, budget: int, heaps: TextHeaps) -> None:
        self.h5py, self.source, self.budget = h5py, source, budget
        self.heaps = heaps
        self.nodes = 0

    def file(self, file: Any) -> NirFile:
        names = self.names(file, "the file")
        version = self.text(file, "version", "the file") if "version" in names else ""
        if "node" not in names:
            raise refused(self.source, "there is no /node in it")
        root = self.group(file, "node", "the file")
        if self.text(root, "type", "/node") != GRAPH:
            raise refused(self.source, f"/node is no {GRAPH}")
        return NirFile(self.graph(root, "", ()), version)

    def graph(self, group: Any, prefix: str, above: tuple[int, ...]) -> NirGraph:
        where = f"subgraph {prefix[:-1]!r}" if prefix else "the graph"
        if len(above) >= DEEPEST:
            raise refused(self.source, f"subgraphs nested deeper than {DEEPEST}", where)
        with _told(self.source, where):
            address = int(self.h5py.h5o.get_info(group.id).addr)
        if address in above:
            raise refused(self.source, "a subgraph holds itself", where)
        held = self.names(group, where)
        if "nodes" not in held or "edges" not in held:
            raise refused(self.source, "a graph has nodes and edges", where)
        inside = self.group(group, "nodes", where)
        names = self.names(inside, where)
        self.nodes += len(names)
        if self.nodes > MOST_NODES:
            raise refused(self.source, f"more than {MOST_NODES} nodes", where)
        nodes = tuple(self.node(inside, n, prefix, (*above, address)) for n in names)
        return NirGraph(nodes, self.edges(group, where, prefix))

    def node(self, nodes: Any, name: str, prefix: str, above: tuple[int, ...]) -> NirNode:
        where = f"node {prefix + name!r}"
        group = self.group(nodes, name, where)
        held = self.names(group, where)
        if "type" not in held:
            raise refused(self.source, "it has no type", where)
        kind = self.text(group, "type", where)
        if kind == GRAPH:
            graph = self.graph(group, f"{prefix}{name}.", above)
            return NirNode(prefix + name, kind, graph=graph)
        fields = {
            each: self.field(group, each, where) for each in held if each not in ("type", METADATA)
        }
        return NirNode(prefix + name, kind, fields)

    def edges(self, group: Any, where: str, prefix: str) -> tuple[Edge, ...]:
        found = self.dataset(group, "edges", where)
        with _told(self.source, f"edges of {where}"):
            shape = tuple(map(int, found.shape))
            if 0 in shape:
                return ()
            if len(shape) != 2 or shape[1] != 2 or shape[0] > MOST_EDGES:
                raise ValueError(f"edges of shape {shape}, not [n, 2] with n up to {MOST_EDGES}")
            self.spend(found, where)
            ends = self.texts(found, 2 * shape[0])
        pairs = zip(ends[::2], ends[1::2], strict=True)
        return tuple((prefix + source, prefix + target) for source, target in pairs)

    def names(self, group: Any, where: str) -> list[str]:
        """Names in a group. All of them are entries of this file: nothing leads elsewhere."""
        with _told(self.source, where):
            if len(group) > MOST_NODES:
                raise ValueError(f"more than {MOST_NODES} entries")
            names: list[str] = sorted(map(str, group))
            for name in names:
                if len(name) > LONGEST_NAME:
                    raise ValueError(f"a name of {len(name)} characters")
                if not isinstance(group.get(name, getlink=True), self.h5py.HardLink):
                    raise ValueError(f"{name!r} is a link that leads elsewhere")
            return names

    def group(self, group: Any, name: str, where: str) -> Any:
        with _told(self.source, where):
            found = group[name]
            if not isinstance(found, self.h5py.Group):
                raise TypeError(f"{name!r} is no group")
            return found

    def dataset(self, group: Any, name: str, where: str) -> Any:
        with _told(self.source, f"{name!r} of {where}"):
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
        with _told(self.source, where):
            size = int(found.dtype.itemsize)
            count = _product(found.shape)
            chunk = _product(found.chunks or ())
        need = (count + chunk) * size
        if need > self.budget:
            told = f"{need:,} bytes of numbers, {self.budget:,} are left for a file of this size"
            raise refused(self.source, told, where)
        self.budget -= need

    def field(self, group: Any, name: str, where: str) -> Field:
        found = self.dataset(group, name, where)
        place = f"{name!r} of {where}"
        with _told(self.source, place):
            if self.h5py.check_string_dtype(found.dtype) is not None:
                return self.text(group, name, where)
            if found.dtype.kind not in "biuf":
                raise TypeError(f"it holds {found.dtype}, no numbers")
        self.spend(found, place)
        with _told(self.source, place):
            array: Any = np.asarray(found[()])
            wanted = np.float64 if array.dtype.itemsize > 8 else array.dtype.newbyteorder("=")
            with np.errstate(all="ignore"):  # a number beyond float64 becomes infinite: it is told
                return cast("Field", array.astype(wanted))

    def text(self, group: Any, name: str, where: str) -> str:
        found = self.dataset(group, name, where)
        with _told(self.source, f"{name!r} of {where}"):
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
