"""A program as units: what is computed together, row by row, without leaving the cache.

A unit ends in a population or in stored currents. The current of a population is taken apart into
ops on registers; a current that several nodes read, that is the same at every step while its
reader's is not, or that lies in other lanes than its reader, is stored once and loaded.
"""

from collections.abc import Collection
from dataclasses import replace

from snncc.backends.cpu import fields as f
from snncc.backends.cpu.arrangement import Arrangement, NotExpressible, arrange
from snncc.backends.cpu.parts.part import Part
from snncc.backends.cpu.parts.projections import lane_of, parts_of
from snncc.backends.cpu.plan.dense import DenseSum, dense_sum
from snncc.backends.cpu.plan.hosting import hosted, read_by_planes
from snncc.backends.cpu.plan.joining import join_projections
from snncc.backends.cpu.plan.lanes import Unsuited
from snncc.backends.cpu.plan.narrow_projections import narrowed
from snncc.backends.cpu.plan.products import part_of_product
from snncc.backends.cpu.plan.stepped_units import OtherLanes, SteppedUnits
from snncc.backends.cpu.plan.unit import Instruction, Partition, Unit
from snncc.ir import TIME, Graph, Kind, Node
from snncc.ir.dialects.delays import Delay
from snncc.ir.dialects.gates import Gate
from snncc.ir.dialects.integer import Gain
from snncc.ir.dialects.integer_neurons import IntegerNeuron
from snncc.ir.dialects.products import Product
from snncc.ir.dialects.projections import Concat, Contract, Convolve, Frames, Sum
from snncc.ir.populations import count_nodes, is_population

MOST_TRIES = 3
"""How often the lanes of a loop's delay are chosen anew."""


def units_of(graph: Graph, dense: Collection[str] = (), both: bool = False) -> Partition:
    """Takes an integer program apart.

    Args:
        graph: integer dialect, verified.
        dense: projections that become matrix products, in units of their own, where they can.
        both: whether these units can also be computed from events, to compare the two.

    Raises:
        NotExpressible: its axes have names that mean something else here.
    """
    _require_axes(graph)
    program = narrowed(graph)
    stored: set[str] = set()
    lanes: dict[str, list[str]] = {}
    unsuited: dict[str, str] = {}
    while True:
        try:
            return _Splitter(program, dense, both, stored, lanes, unsuited).split()
        except _TooDeep as deep:
            stored.add(deep.node)
        except OtherLanes as other:
            tried = lanes.setdefault(other.node, [])
            if len(tried) == MOST_TRIES:
                unsuited[other.node] = "what it reads lies in lanes that depend on it"
            tried.append(other.lane)
        except Unsuited as unit:
            unsuited[unit.node] = unit.reason


def host_units(graph: Graph) -> dict[str, str]:
    """The nodes of a program that the host computes, each with the reason."""
    return hosted(narrowed(graph))


class _TooDeep(Exception):
    """A unit has no register left for a current, which must be stored before it."""

    def __init__(self, node: str) -> None:
        super().__init__(node)
        self.node = node


class _Splitter(SteppedUnits):
    def split(self) -> Partition:
        for node in self.graph.nodes:
            if node.name in self.host:
                if node.type.kind is not Kind.CURRENT:
                    self._host(node)
            elif node.name in self.loops:
                self._step_by_step(self.loops[node.name])
            elif isinstance(node.op, Delay):
                if node.type.kind is not Kind.CURRENT:
                    self._delay(node)
            elif is_population(node.op):
                self._population(node)
            elif node.name == self.graph.output:
                self._need(self.graph[node.inputs[0]])
        return Partition(
            self.graph, self.host, tuple(self.units), self.spikes, self.stored, self.made,
            self.types, self.slices,
            {inner: name for name, whole in self.wide.items() for inner in whole.inner},
        )  # fmt: skip

    def _population(self, node: Node) -> None:
        current = self.graph[node.inputs[0]]
        unit = self._unit(node.name, arrange(node.type, self._lane(current)), True)
        if node.name in self.wide:
            self._of_wide_sum(unit, node)
            return
        self._fetch(unit, current)
        self._emit(unit, current, 0, 0, False)
        several = isinstance(node.op, IntegerNeuron)
        unit.ops.append(Instruction(f.EVOLVE if several else f.FIRE, 0, node=node.name))
        if not is_population(node.op):  # it leaves what it gives in the register
            self._store(unit, node, 0)
            self._add(unit)
            return
        self._add(unit)
        self.spikes[node.name], self.types[node.name] = unit.arrangement, node.type

    def _of_wide_sum(self, unit: Unit, node: Node) -> None:
        """A population that takes a sum of 64 bits; what is read for it is stored before."""
        terms, last = self.wide[node.name].terms, ""
        for term in terms:
            self._need(self.graph[term.source])
        for number, term in enumerate(terms):
            if term.source != last:
                unit.ops.append(Instruction(f.LOAD, 0, node=term.source))
            last, adds = term.source, number > 0
            unit.ops.append(
                Instruction(f.WIDEN, f.WIDE_SUM, node=term.node, shift=term.shift, adds=adds)
            )
        unit.ops.append(Instruction(f.FIRE_WIDE, f.WIDE_SUM, node=node.name))
        self._add(unit)
        self.spikes[node.name], self.types[node.name] = unit.arrangement, node.type

    def _add(self, unit: Unit) -> None:
        join_projections(unit)
        self.units.append(unit)

    def _host(self, node: Node) -> None:
        """The interpreter computes this node, from what is stored, into what is stored."""
        if node.name in self.loops:
            self._loop(self.loops[node.name])
            return
        if node.name in self.types:
            return
        for name in node.inputs:
            self._need_number(self.graph[name])
        unit = Unit(node.name, arrange(node.type, self._host_lane(node)), node.type.temporal)
        unit.host = node
        self.units.append(unit)
        lies = self.spikes if self._in_bits(node) else self.stored
        lies[node.name], self.types[node.name] = unit.arrangement, node.type

    def _need_number(self, node: Node) -> None:
        """Sees to it that what a host unit reads is stored, where it is no spikes."""
        if node.type.kind is not Kind.SPIKE and not isinstance(node.op, Frames):
            self._need(node)

    def _in_bits(self, node: Node) -> bool:
        """Whether what the host makes lies in bits: spikes, and counts that only select weights."""
        if node.type.kind is not Kind.COUNT:
            return node.type.kind is Kind.SPIKE
        compiled = [n for n in self.graph.readers[node.name] if n.name not in self.host]
        return bool(compiled) and all(read_by_planes(self.graph, n) for n in compiled)

    def _loop(self, nodes: tuple[Node, ...]) -> None:
        """The interpreter computes a loop step by step; every population counts in its own unit."""
        own, counted = {node.name for node in nodes}, count_nodes(self.graph)
        fires = [node for node in nodes if is_population(node.op)]
        if fires[0].name in self.types:
            return
        for name in dict.fromkeys(name for node in nodes for name in node.inputs):
            if name not in own:
                self._need_number(self.graph[name])
        for node in nodes:
            outside = any(each.name not in own for each in self.graph.readers[node.name])
            if outside or node in fires or node in counted:
                lies = self.spikes if node.type.kind is Kind.SPIKE else self.stored
                names = [name for name in node.type.names if name != TIME]
                lies[node.name] = arrange(node.type, names[-1] if names else "")
                self.types[node.name] = node.type
        leaves = tuple(node.name for node in nodes if node.name in self.types)
        name = self._unused(f"loop of {fires[0].name}")
        arrangement = self.spikes[fires[0].name]
        self.units.append(Unit(name, arrangement, True, loop=nodes, leaves=leaves))
        self.units += [Unit(n.name, self.spikes[n.name], True, inside=True) for n in fires]

    def _is_stored(self, node: Node, unit: Unit) -> bool:
        if (
            isinstance(node.op, Concat | IntegerNeuron)
            or self.uses[node.name] > 1
            or node.name in self.held
        ):
            return True
        if self._group_of(node) != unit.group:
            return True
        if node.name in self.host or node.name in self.apart:
            return True
        if node.type.temporal != unit.timed:
            return True
        if node.name in self.selects:
            return self.selects[node.name].rows.lane != unit.arrangement.lane
        if isinstance(node.op, Contract | Convolve) and node.name not in self.shifts:
            lane = lane_of(node, self._source(node))
            return lane != unit.arrangement.lane or self._dense(node) is not None
        return False

    def _dense(self, node: Node) -> DenseSum | None:
        if node.name not in self.dense or not isinstance(node.op, Contract | Convolve):
            return None
        if node.name in self.shifts or self._group_of(node):
            return None  # nothing to multiply; a product a step is too small
        if node.name not in self.sums:
            unit = arrange(node.type, self._lane(node))
            made = dense_sum(self.graph, node, self._source(node), unit)
            self.sums[node.name] = made and replace(made, source=self._read_by(node))
        return self.sums[node.name]

    def _emit(self, unit: Unit, node: Node, register: int, shift: int, adds: bool) -> None:
        """Ops that put a current, shifted, into a register of a unit."""
        if not self._is_stored(node, unit):
            self._compute(unit, node, register, shift, adds)
            return
        if not self._is_here(node, unit):
            self._need(node)
            unit.ops.append(Instruction(f.LOAD, register, node=node.name, shift=shift, adds=adds))
            return
        own = self._free(register, node) if adds or shift else register
        self._compute(unit, node, own, 0, False)
        self._store(unit, node, own)
        if own != register:
            unit.ops.append(Instruction(f.SUM, register, what=own, shift=shift, adds=adds))

    def _is_here(self, node: Node, unit: Unit) -> bool:
        """Whether a current that is to be stored can be computed within a unit."""
        return (
            node.name not in self.stored
            and node.name not in self.host
            and node.name not in self.apart
            and not isinstance(node.op, Concat | Delay | IntegerNeuron)
            and self._group_of(node) == unit.group
            and self._dense(node) is None
            and node.type.temporal == unit.timed
            and self._lane(node) == unit.arrangement.lane
            and set(node.type.names) - {TIME}
            == {*unit.arrangement.rows, unit.arrangement.lane} - {""}
        )

    def _fetch(self, unit: Unit, node: Node) -> None:
        """Stores, before the unit, what it cannot compute itself."""
        if self._is_stored(node, unit) and not self._is_here(node, unit):
            self._need(node)
        elif isinstance(node.op, Sum | Gain | Gate) or node.name in self.shifts:
            for name in currents_of(node):
                self._fetch(unit, self.graph[name])

    def _free(self, register: int, node: Node) -> int:
        if register + 1 >= f.REGISTERS:
            raise _TooDeep(node.name)
        return register + 1

    def _compute(self, unit: Unit, node: Node, register: int, shift: int, adds: bool) -> None:
        if node.name in self.shifts:
            count, more = self.graph[node.inputs[0]], self.shifts[node.name]
            self._emit(unit, count, register, shift + more, adds)
            return
        match node.op:
            case Contract() | Convolve():
                for part in parts_of(self.graph, node, self._source(node), unit.arrangement):
                    own_source = replace(part, source=self._read_by(node))
                    unit.parts.append(own_source)
                    number, plane = len(unit.parts) - 1, part.plane
                    unit.ops.append(
                        Instruction(f.PROJECT, register, number, shift=shift + plane, adds=adds)
                    )
                    adds = True
            case Product():
                unit.parts.append(self._selected(node, unit.arrangement))
                number = len(unit.parts) - 1
                unit.ops.append(Instruction(f.PROJECT, register, number, shift=shift, adds=adds))
            case Sum():
                for name, own in node.op.terms(node.inputs):
                    self._emit(unit, self.graph[name], register, shift + own, adds)
                    adds = True
            case Gate():
                own = self._free(register, node) if adds or shift else register
                gate, name = node.inputs
                self._emit(unit, self.graph[name], own, 0, False)
                kind = Instruction(f.MASK, own, int(node.op.inverted), self._gate(unit, node, gate))
                unit.ops.append(kind)
                if own != register:
                    unit.ops.append(Instruction(f.SUM, register, what=own, shift=shift, adds=adds))
            case Gain():
                own = self._free(register, node) if adds or shift else register
                self._emit(unit, self.graph[node.inputs[0]], own, 0, False)
                unit.ops.append(Instruction(f.SCALE, own, node=node.name))
                if own != register:
                    unit.ops.append(Instruction(f.SUM, register, what=own, shift=shift, adds=adds))
            case _:
                raise TypeError(f"{node.name} is a {node.op.mnemonic} within a current")

    def _gate(self, unit: Unit, node: Node, gate: str) -> str:
        """Spikes in the rows and lanes of a unit: those of a population, or a copy."""
        if gate not in self.spikes:
            raise Unsuited(node.name, "its gate lies where no unit reads it")
        own = unit.arrangement
        if self.spikes[gate].lane != own.lane:
            if self.group:
                raise Unsuited(node.name, "its spikes must be copied into other lanes")
            gate = self._copy(gate, own.lane)
        if self.spikes[gate] != own:
            raise Unsuited(node.name, "its axes have another order than those of its gate")
        return gate

    def _selected(self, node: Node, unit: Arrangement) -> Part:
        """A product as a part; its sources are brought to where it reads them."""
        found, (gate, x) = self.selects[node.name], node.inputs
        if self.spikes[gate].lane != found.lane:
            gate = self._copy(gate, found.lane)
        made = self._rows(x, found.rows)
        return part_of_product(node, found, (gate, self.spikes[gate]), made, unit)

    def _need(self, node: Node) -> None:
        """Sees to it that a current is stored."""
        if node.name in self.stored:
            return
        if node.name in self.host:
            self._host(node)
            return
        if isinstance(node.op, Concat):
            self._need_concat(node, node.op)
            return
        if isinstance(node.op, Delay):
            self._need(self.graph[node.inputs[0]])
            self._delay(node)
            return
        if isinstance(node.op, IntegerNeuron):
            self._population(node)
            return
        unit = self._unit(node.name, arrange(node.type, self._lane(node)), node.type.temporal)
        if isinstance(node.op, Sum | Gain | Gate) or node.name in self.shifts:
            for name in currents_of(node):
                self._fetch(unit, self.graph[name])
        unit.dense = self._dense(node)
        if unit.dense is None or self.both:
            self._compute(unit, node, 0, 0, False)
        self._store(unit, node, 0)
        self._add(unit)

    def _store(self, unit: Unit, node: Node, register: int) -> None:
        unit.ops.append(Instruction(f.STORE, register, node=node.name))
        self.stored[node.name], self.types[node.name] = unit.arrangement, node.type

    def _need_concat(self, node: Node, op: Concat) -> None:
        """Sources are stored where the concat lies, or copied there when they lie elsewhere."""
        for place, name in enumerate(node.inputs):
            source = self.graph[name]
            free = name not in self.slices and name not in self.held
            free = free and source.type.temporal == node.type.temporal
            if free and node.inputs.count(name) == 1:
                self._need(source)
                self.slices[name] = (node.name, place)
                continue
            self._need(source)
            copy = self._unused(f"{node.name}[{place}]")
            arrangement = arrange(source.type, self.stored[name].lane)
            unit = self._unit(copy, arrangement, node.type.temporal)
            unit.ops += [Instruction(f.LOAD, 0, node=name), Instruction(f.STORE, 0, node=copy)]
            self.units.append(unit)
            self.stored[copy], self.types[copy] = arrangement, source.type
            self.slices[copy] = (node.name, place)
        self.stored[node.name] = arrange(node.type, self._concat_lane(node, op))
        self.types[node.name] = node.type


def currents_of(node: Node) -> tuple[str, ...]:
    """The currents that a current is made of: of what is masked not the spikes."""
    return node.inputs[1:] if isinstance(node.op, Gate) else node.inputs


def _require_axes(graph: Graph) -> None:
    """Refuses axes whose names mean something else here; no program that is verified has them."""
    for node in graph.nodes:
        if any(not name or name.startswith("<") for name in node.type.names):
            raise NotExpressible(f"{node.name} has an axis whose name has another meaning here")
