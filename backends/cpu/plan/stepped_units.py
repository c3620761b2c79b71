"""Loops and delays among the units of a program: what runs step by step, what copies steps."""

from abc import abstractmethod
from collections.abc import Collection, Mapping

from snncc.backends.cpu import fields as f
from snncc.backends.cpu.arrangement import Arrangement, arrange
from snncc.backends.cpu.plan.hosting import hosted, of_wide_sums
from snncc.backends.cpu.plan.lanes import Layouts, Unsuited
from snncc.backends.cpu.plan.unit import Instruction, Unit
from snncc.ir import TIME, Graph, Kind, Node
from snncc.ir.dialects.delays import Delay
from snncc.ir.dialects.projections import Convolve
from snncc.ir.populations import is_population


class OtherLanes(Exception):
    """What a delay of a loop reads came to lie in other lanes than were assumed."""

    def __init__(self, node: str, lane: str) -> None:
        super().__init__(node)
        self.node, self.lane = node, lane


class SteppedUnits(Layouts):
    """The units of a program so far, those of loops and delays among them.

    Args:
        graph: the program.
        dense: projections that become matrix products where they can.
        both: whether these can also be computed from events.
        apart: currents that are stored although a unit could keep them.
        wishes: lanes that delays of loops should have, the last is the newest.
        unsuited: nodes that the host must compute, with the reason.
    """

    def __init__(
        self,
        graph: Graph,
        dense: Collection[str],
        both: bool,
        apart: Collection[str],
        wishes: Mapping[str, list[str]],
        unsuited: Mapping[str, str],
    ) -> None:
        super().__init__(graph, hosted(graph, unsuited), dense, both, apart)
        self.wishes, self.wide = wishes, of_wide_sums(graph, self.host)
        delays = [node for node in graph.select(Delay) if node.name not in self.host]
        self.held = {node.inputs[0] for node in delays} | {node.name for node in delays}

    @abstractmethod
    def _population(self, node: Node) -> None:
        """Adds the unit of neurons."""

    def _unit(self, name: str, arrangement: Arrangement, timed: bool) -> Unit:
        return Unit(name, arrangement, timed, group=self.group)

    def _group_of(self, node: Node) -> str:
        """The compiled loop that a node is part of; "" for none."""
        if node.name in self.host or node.name not in self.loops:
            return ""
        return self.loops[node.name][0].name

    def _step_by_step(self, nodes: tuple[Node, ...]) -> None:
        """The units of a loop, which run one after another at every step."""
        if nodes[0].name == self.group or any(unit.group == nodes[0].name for unit in self.units):
            return
        own = {node.name for node in nodes}
        for name in dict.fromkeys(name for node in nodes for name in node.inputs):
            if name not in own and self.graph[name].type.kind is Kind.CURRENT:
                self._need(self.graph[name])
        self.group = nodes[0].name
        delays = [node for node in nodes if isinstance(node.op, Delay)]
        for node in nodes:
            if isinstance(node.op, Delay):
                tried = self.wishes.get(node.name) or [self._likely_lane(node)]
                self._hold(node, arrange(node.type, tried[-1]))
            elif is_population(node.op):
                self._population(node)
        for node in delays:
            source = self.graph[node.inputs[0]]
            if source.type.kind is Kind.CURRENT:
                self._need(source)
            self._require_alike(node, source)
        self.group = ""
        for node in delays:
            self._keep(node)

    def _likely_lane(self, node: Node) -> str:
        """Of a delay whose source is not known yet: channels, where a convolution reads it."""
        for reader in self.graph.readers[node.name]:
            if isinstance(reader.op, Convolve):
                return reader.op.channel
        return [name for name in ("", *node.type.names) if name != TIME][-1]

    def _delay(self, node: Node) -> None:
        """A delay outside of loops: all that it reads is there."""
        source = self.graph[node.inputs[0]]
        lane = self._lies(source).lane
        self._hold(node, arrange(node.type, lane))
        self._require_alike(node, source)
        self._keep(node)

    def _lies(self, node: Node) -> Arrangement:
        known = self.spikes.get(node.name) or self.stored.get(node.name)
        if known is None:
            raise Unsuited(node.name, "a delay reads it where it is not kept")
        return known

    def _require_alike(self, node: Node, source: Node) -> None:
        """A delay copies steps as they lie."""
        own, read = self._lies(node), self._lies(source)
        if own.lane != read.lane and self._group_of(node):
            raise OtherLanes(node.name, read.lane)
        if own != read:
            raise Unsuited(node.name, "its axes have another order than those of what it reads")

    def _hold(self, node: Node, arrangement: Arrangement) -> None:
        unit = self._unit(node.name, arrangement, True)
        unit.delayed = node.inputs[0]
        unit.ops.append(Instruction(f.HOLD, 0, node=node.name))
        self.units.append(unit)
        lies = self.spikes if node.type.kind is Kind.SPIKE else self.stored
        lies[node.name], self.types[node.name] = arrangement, node.type

    def _keep(self, node: Node) -> None:
        """What a delay has read last is kept when all steps of a call are done."""
        unit = self._unit(self._unused(f"past of {node.name}"), self._lies(node), True)
        unit.delayed = node.inputs[0]
        unit.ops.append(Instruction(f.KEEP, 0, node=node.name))
        self.units.append(unit)
