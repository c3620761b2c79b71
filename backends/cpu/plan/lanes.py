"""How values lie while a program is taken apart: in which lanes, in bits or numbers or rows."""

from abc import ABC, abstractmethod
from collections.abc import Collection, Mapping

from snncc.backends.cpu.arrangement import IMAGE, Arrangement, Source, arrange
from snncc.backends.cpu.parts.projections import lane_of
from snncc.backends.cpu.plan.dense import DenseSum
from snncc.backends.cpu.plan.hosting import shift_of
from snncc.backends.cpu.plan.products import RowsOfProduct, rows_of_product
from snncc.backends.cpu.plan.unit import Unit
from snncc.ir import TIME, Graph, Kind, Node, ValueType
from snncc.ir.cycles import components
from snncc.ir.dialects.gates import Gate
from snncc.ir.dialects.products import Product
from snncc.ir.dialects.projections import Concat, Contract, Convolve, Frames


class Unsuited(Exception):
    """Compiled units cannot compute a node as they have laid out what it reads."""

    def __init__(self, node: str, reason: str) -> None:
        super().__init__(node)
        self.node, self.reason = node, reason


class Layouts(ABC):
    """What is known so far of units and of how values lie.

    Args:
        graph: the program, its projections such that compiled units can add them up.
        host: the nodes that the host computes, each with the reason.
        dense: projections that become matrix products where they can.
        both: whether these can also be computed from events.
        apart: currents that are stored although a unit could keep them.
    """

    def __init__(
        self,
        graph: Graph,
        host: Mapping[str, str],
        dense: Collection[str],
        both: bool,
        apart: Collection[str],
    ) -> None:
        self.graph, self.host, self.apart, self.group = graph, dict(host), apart, ""
        self.dense, self.both = frozenset(dense), both
        self.sums: dict[str, DenseSum | None] = {}
        self.units: list[Unit] = []
        self.spikes: dict[str, Arrangement] = {}
        self.made: dict[str, Arrangement] = {}
        self.stored: dict[str, Arrangement] = {}
        self.types: dict[str, ValueType] = {}
        self.slices: dict[str, tuple[str, int]] = {}
        self.copies: dict[tuple[str, str], str] = {}
        parts = (part.nodes for part in components(graph) if part.cyclic)
        self.loops = {node.name: nodes for nodes in parts for node in nodes}
        moved = {node.name: shift_of(graph, node) for node in graph.select(Contract)}
        self.shifts = {name: by for name, by in moved.items() if by is not None}
        formed = {n.name: rows_of_product(graph, n) for n in graph.select(Product)}
        self.selects: dict[str, RowsOfProduct] = {
            name: form
            for name, form in formed.items()
            if form is not None and name not in self.host
        }
        self.uses: dict[str, int] = {}
        for node in graph.nodes:
            for name in node.inputs:
                self.uses[name] = self.uses.get(name, 0) + 1

    @abstractmethod
    def _need(self, node: Node) -> None:
        """Sees to it that a number is stored."""

    def _lane(self, node: Node) -> str:
        """The lanes in which most of a current comes without being rearranged."""
        found: list[str] = []
        self._lanes(node, found)
        names = [n for n in node.type.names if n != TIME]
        fitting = [lane for lane in found if lane in names]
        if fitting:
            return max(fitting, key=fitting.count)
        if isinstance(node.op, Contract | Convolve):
            return found[0]  # a single lane
        return names[-1] if names else ""

    def _lanes(self, node: Node, found: list[str]) -> None:
        if node.name in self.shifts:
            self._lanes(self.graph[node.inputs[0]], found)
        elif node.name in self.selects:
            found.append(self.selects[node.name].rows.lane)
        elif isinstance(node.op, Contract | Convolve) and node.name not in self.host:
            found.append(lane_of(node, self._source(node)))
        elif node.name in self.stored:
            found.append(self.stored[node.name].lane)
        elif node.name in self.host:
            found.append(self._host_lane(node))
        elif isinstance(node.op, Concat):
            found.append(self._concat_lane(node, node.op))
        else:
            if isinstance(node.op, Gate) and node.inputs[0] in self.spikes:
                found.append(self.spikes[node.inputs[0]].lane)
            for name in node.inputs[1:] if isinstance(node.op, Gate) else node.inputs:
                self._lanes(self.graph[name], found)

    def _concat_lane(self, node: Node, op: Concat) -> str:
        lanes = [self._lane(self.graph[name]) for name in node.inputs]
        renamed = [op.out if a == b else a for a, b in zip(lanes, op.along, strict=True)]
        return max(renamed, key=renamed.count)

    def _source(self, node: Node) -> Source:
        """How lies what a projection reads."""
        source = self.graph[node.inputs[0]]
        return IMAGE if isinstance(source.op, Frames) else self.spikes[self._read_by(node)]

    def _read_by(self, node: Node) -> str:
        """What a projection reads: its source, or a copy of it in lanes that suit it better."""
        name, op = node.inputs[0], node.op
        if isinstance(self.graph[name].op, Frames):
            return name
        if name not in self.spikes:
            self._need(self.graph[name])
        lane = (self.spikes.get(name) or self.stored[name]).lane
        if isinstance(op, Convolve) and lane in (op.height, op.width):
            lane = op.channel
        if name in self.spikes and lane == self.spikes[name].lane:
            return name
        if self.group and (name, lane) not in self.copies:
            raise Unsuited(node.name, "its spikes must be copied into other lanes")
        return self._copy(name, lane)

    def _copy(self, name: str, lane: str) -> str:
        """A copy of spikes, or of the planes of counts, in other lanes."""
        wanted = (name, lane)
        if wanted not in self.copies:
            copy = self._unused(f"{name} along {lane}")
            kind = self.graph[name].type
            self.spikes[copy], self.types[copy] = arrange(kind, lane), kind
            self.units.append(Unit(copy, self.spikes[copy], kind.temporal, copies=name))
            self.copies[wanted] = copy
        return self.copies[wanted]

    def _rows(self, name: str, lie: Arrangement) -> str:
        """What a product selects from, as rows of numbers."""
        wanted = (name, f"rows {lie}")
        if wanted not in self.copies:
            if self.graph[name].type.kind is not Kind.SPIKE:
                self._need(self.graph[name])
            made = self._unused(f"{name} in rows")
            kind = self.graph[name].type
            self.made[made], self.types[made] = lie, kind
            self.units.append(Unit(made, lie, kind.temporal, copies=name))
            self.copies[wanted] = made
        return self.copies[wanted]

    def _host_lane(self, node: Node) -> str:
        """The lanes of what the host computes: those of a source, where that axis remains."""
        names = [n for n in node.type.names if n != TIME]
        along = node.op.along if isinstance(node.op, Concat) else ("",) * len(node.inputs)
        for name, axis in zip(node.inputs, along, strict=True):
            known = self.spikes.get(name) or self.stored.get(name)
            lane = "" if known is None else known.lane
            if isinstance(node.op, Concat) and lane == axis:
                lane = node.op.out
            if lane in names:
                return lane
        return names[-1] if names else ""

    def _unused(self, name: str) -> str:
        """A name that no node has: the program's own names are any text."""
        while name in self.graph.by_name or name in self.types:
            name += "'"
        return name
