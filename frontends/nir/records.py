"""A NIR file in memory: nodes with their fields, edges, and subgraphs as they stand in the file."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from snncc.diagnostics import Finding
from snncc.frontends.hdf5.reader import Field
from snncc.ir import Loc

Numbers = NDArray[Any]
Real = NDArray[np.float64]
Edge = tuple[str, str]
INVALID = "SNN151"
OPEN = "SNN152"
NO_FORM = "SNN153"
GRAPH = "NIRGraph"
FROM_WRITER = "write the file again with the package that made it, or look at this node there"


class Refused(Exception):
    """A node cannot be compiled, or not be told apart.

    Attributes:
        finding: what is said of it.
    """

    def __init__(self, finding: Finding) -> None:
        super().__init__(finding.message)
        self.finding = finding


@dataclass(frozen=True)
class NirNode:
    """One node.

    Attributes:
        name: as edges name it; of a node in a subgraph with the subgraph's name before it.
        kind: "LIF", "Conv2d", ...
        fields: its parameters.
        graph: of a subgraph, else None.
        inner: whether this is the Input or Output of a subgraph, which stands for nothing.
    """

    name: str
    kind: str
    fields: Mapping[str, Field] = field(default_factory=dict[str, Field])
    graph: "NirGraph | None" = None
    inner: bool = False

    @property
    def loc(self) -> Loc:
        """Where it is, for messages."""
        return Loc(self.name, call=self.kind)

    @property
    def title(self) -> str:
        """What messages call it."""
        return f"{self.kind} {self.name!r}"

    def numbers(self, name: str) -> Numbers:
        """A field that holds numbers."""
        return np.asarray(self.fields[name])

    def real(self, name: str) -> Real:
        """The same as float64."""
        return np.asarray(self.fields[name], np.float64)

    def text(self, name: str) -> str:
        """A field that is a text, "" where it holds numbers."""
        value = self.fields[name]
        return value if isinstance(value, str) else ""

    def whole(self, name: str) -> tuple[int, ...]:
        """A field of whole numbers, as a flat tuple."""
        return tuple(int(each) for each in np.asarray(self.fields[name]).reshape(-1))

    def finding(self, code: str, message: str, why: str = "", help: str = "") -> Finding:
        """A finding at this node."""
        return Finding(code, message, self.loc, why, help)


@dataclass(frozen=True)
class NirGraph:
    """Nodes in the order of the file, which is that of their names, and edges between names."""

    nodes: tuple[NirNode, ...]
    edges: tuple[Edge, ...]


@dataclass(frozen=True)
class NirFile:
    """What stands in a file.

    Attributes:
        graph: the outermost.
        version: of the package nir that wrote it, "" where that is not said.
        notes: what had to be repaired, for the user.
        own: what an export of snncc stored of its program, or None.
    """

    graph: NirGraph
    version: str
    notes: tuple[str, ...] = ()
    own: Numbers | None = None
