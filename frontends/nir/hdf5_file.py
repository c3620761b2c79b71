"""Reads the HDF5 of a .nir file as data.

/version         text
/node            the graph: type, nodes/NAME/..., edges [n, 2]
"""

from pathlib import Path
from typing import Any

import numpy as np

from snncc.frontends.hdf5.reader import SMALL, Format, Hdf5Reader
from snncc.frontends.nir.records import (
    FROM_WRITER,
    GRAPH,
    Edge,
    NirFile,
    NirGraph,
    NirNode,
    Numbers,
)

MOST_NODES = 1 << 13
MOST_EDGES = 1 << 16
DEEPEST = 8
"""Subgraphs in subgraphs."""
METADATA = "metadata"
METADATA, OWN = "metadata", "snncc"
NIR = Format("NIR", ".nir", "nir", f"give a file that nir.write wrote; {FROM_WRITER}")


def read_file(path: Path) -> NirFile:
    """The graph that a file holds, not yet judged beyond its form.

    Raises:
        SnnccError: SNN050 without h5py; SNN150 when the file is none, is damaged, or leads
            elsewhere or beyond the limits.
    """
    reader = _Reader(path, NIR)
    with reader.opened as file:
        return reader.file(file)


class _Reader(Hdf5Reader):
    """Walks the graph of a file."""

    def __init__(self, path: Path, form: Format) -> None:
        super().__init__(path, form)
        self.nodes = 0

    def file(self, file: Any) -> NirFile:
        names = self.names(file, "the file")
        version = self.text(file, "version", "the file") if "version" in names else ""
        if "node" not in names:
            raise self.refused("there is no /node in it")
        root = self.group(file, "node", "the file")
        if self.text(root, "type", "/node") != GRAPH:
            raise self.refused(f"/node is no {GRAPH}")
        return NirFile(self.graph(root, "", ()), version, own=self.own(root))

    def own(self, root: Any) -> Numbers | None:
        """What an export of snncc stored of its program."""
        if METADATA not in self.names(root, "/node"):
            return None
        with self.told("/node"):
            if not isinstance(root[METADATA], self.h5py.Group):
                return None
        held = self.group(root, METADATA, "/node")
        if OWN not in self.names(held, f"/node/{METADATA}"):
            return None
        found = self.field(held, OWN, f"/node/{METADATA}")
        plain = not isinstance(found, str) and found.dtype == np.uint8 and found.ndim == 1
        if isinstance(found, str) or not plain or found.size > SMALL:
            raise self.refused(f"{OWN} is no text", f"/node/{METADATA}")
        return found

    def graph(self, group: Any, prefix: str, above: tuple[int, ...]) -> NirGraph:
        where = f"subgraph {prefix[:-1]!r}" if prefix else "the graph"
        if len(above) >= DEEPEST:
            raise self.refused(f"subgraphs nested deeper than {DEEPEST}", where)
        with self.told(where):
            address = int(self.h5py.h5o.get_info(group.id).addr)
        if address in above:
            raise self.refused("a subgraph holds itself", where)
        held = self.names(group, where)
        if "nodes" not in held or "edges" not in held:
            raise self.refused("a graph has nodes and edges", where)
        inside = self.group(group, "nodes", where)
        names = self.names(inside, where)
        self.nodes += len(names)
        if self.nodes > MOST_NODES:
            raise self.refused(f"more than {MOST_NODES} nodes", where)
        nodes = tuple(self.node(inside, n, prefix, (*above, address)) for n in names)
        return NirGraph(nodes, self.edges(group, where, prefix))

    def node(self, nodes: Any, name: str, prefix: str, above: tuple[int, ...]) -> NirNode:
        where = f"node {prefix + name!r}"
        group = self.group(nodes, name, where)
        held = self.names(group, where)
        if "type" not in held:
            raise self.refused("it has no type", where)
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
        with self.told(f"edges of {where}"):
            shape = tuple(map(int, found.shape))
            if 0 in shape:
                return ()
            if len(shape) != 2 or shape[1] != 2 or shape[0] > MOST_EDGES:
                raise ValueError(f"edges of shape {shape}, not [n, 2] with n up to {MOST_EDGES}")
            self.spend(found, where)
            ends = self.texts(found, 2 * shape[0])
        pairs = zip(ends[::2], ends[1::2], strict=True)
        return tuple((prefix + source, prefix + target) for source, target in pairs)
