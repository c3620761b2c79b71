"""A program as units: what is computed together, row by row, without leaving the cache.

A unit ends in a population or in stored currents. The current of a population is taken apart into
ops on registers; a current that several nodes read, that is the same at every step while its
reader's is not, or that lies in other lanes than its reader, is stored once and loaded.
"""

from collections.abc import Collection
from dataclasses import dataclass, field, replace

from snncc.backends.cpu import fields as f
from snncc.backends.cpu.arrangement import IMAGE, Arrangement, NotExpressible, Source, arrange
from snncc.backends.cpu.dense import DenseSum, dense_sum
from snncc.backends.cpu.parts import Part, can_stack, lane_of, parts_of, stacked
from snncc.ir import TIME, Graph, Kind, Node, ValueType
from snncc.ir.integer_ops import Gain, IntegerPopulation, IntegerReadout
from snncc.ir.projections import Concat, Contract, Convolve, Sum

INT32 = (1 << 31) - 1
MOST_SHIFT = 31
"""Of a register of 32 bits; what a machine does with more differs."""


@dataclass(frozen=True)
class Op:
    """One op on a unit's registers.

    Attributes:
        kind: PROJECT, LOAD, SUM, SCALE, STORE or FIRE.
        register: which it changes or reads.
        what: PROJECT: number of the first part; SUM: the other register.
        node: LOAD, STORE: the stored current; SCALE: the gain; FIRE: the population.
        shift: the value is shifted left by this.
        adds: whether it is added to the register, or replaces what is there.
        parts: PROJECT: how many parts with one matrix it adds up.
    """

    kind: int
    register: int
    what: int = 0
    node: str = ""
    shift: int = 0
    adds: bool = False
    parts: int = 1


@dataclass
class Unit:
    """What is computed together.

    Attributes:
        name: the population, or the current that is stored.
        arrangement: of everything in it.
        timed: whether it differs from step to step.
        parts: its projections.
        ops: in order, for every row, tile and step.
        dense: the whole of it as matrix products; without parts it can only be computed so.
    """

    name: str
    arrangement: Arrangement
    timed: bool
    parts: list[Part] = field(default_factory=list[Part])
    ops: list[Op] = field(default_factory=list[Op])
    dense: DenseSum | None = None

    @property
    def reads(self) -> tuple[str, ...]:
        """Spikes and stored currents that it needs."""
        loads = (op.node for op in self.ops if op.kind == f.LOAD)
        sources = [part.source for part in self.parts]
        if self.dense is not None:
            sources.append(self.dense.source)
        return tuple(dict.fromkeys((*sources, *loads)))

    @property
    def writes(self) -> tuple[str, ...]:
        return tuple(op.node for op in self.ops if op.kind in (f.STORE, f.FIRE))


@dataclass(frozen=True)
class Units:
    """A program taken apart.

    Attributes:
        units: in order of execution.
        spikes: how the spikes of every population lie.
        stored: how every stored current lies.
        types: of all of these.
        slices: stored currents that lie within the one of a concat: (concat, first element).
    """

    units: tuple[Unit, ...]
    spikes: dict[str, Arrangement]
    stored: dict[str, Arrangement]
    types: dict[str, ValueType]
    slices: dict[str, tuple[str, int]]


def units_of(graph: Graph, dense: Collection[str] = (), both: bool = False) -> Units:
    """Takes an integer program apart.

    Args:
        graph: integer dialect, verified.
        dense: projections that become matrix products, in units of their own, where they can.
        both: whether these units can also be computed from events, to compare the two.

    Raises:
        NotExpressible: it needs what units do not have, such as 64-bit currents.
    """
    return _Splitter(graph, dense, both).split()


class _Splitter:
    def __init__(self, graph: Graph, dense: Collection[str], both: bool) -> None:
        self.graph = graph
        self.dense, self.both = frozenset(dense), both
        self.sums: dict[str, DenseSum | None] = {}
        self.units: list[Unit] = []
        self.spikes: dict[str, Arrangement] = {}
        self.stored: dict[str, Arrangement] = {}
        self.types: dict[str, ValueType] = {}
        self.slices: dict[str, tuple[str, int]] = {}
        self.uses: dict[str, int] = {}
        for node in graph.nodes:
            for name in node.inputs:
                self.uses[name] = self.uses.get(name, 0) + 1

    def split(self) -> Units:
        for node in self.graph.nodes:
            _require_units(node)
            if isinstance(node.op, IntegerPopulation):
                self._population(node, node.op)
            elif isinstance(node.op, IntegerReadout):
                if node.name != self.graph.output:
                    raise NotExpressible(f"{node.name} answers beside {self.graph.output}")
                self._need(self.graph[node.inputs[0]])
            elif isinstance(node.op, Concat) and node.type.kind is not Kind.CURRENT:
                raise NotExpressible(f"{node.name} puts spikes side by side")
        return Units(tuple(self.units), self.spikes, self.stored, self.types, self.slices)

    def _population(self, node: Node, op: IntegerPopulation) -> None:
        low, high = op.membrane
        factor, shift = op.decay
        reach = max(-low, high) * (factor if factor > 1 else 1) + op.decay_offset
        if reach > INT32 or shift > MOST_SHIFT:
            raise NotExpressible(f"membranes of {node.name} need more than 32 bits")
        current = self.graph[node.inputs[0]]
        unit = Unit(node.name, arrange(node.type, self._lane(current)), True)
        self._fetch(unit, current)
        self._emit(unit, current, 0, 0, False)
        unit.ops.append(Op(f.FIRE, 0, node=node.name))
        self._add(unit)
        self.spikes[node.name], self.types[node.name] = unit.arrangement, node.type

    def _add(self, unit: Unit) -> None:
        """Projections that follow each other into one register become one where they may."""
        ops: list[Op] = []
        for op in unit.ops:
            last = ops[-1] if ops else op
            count = last.parts + 1
            group = unit.parts[last.what : last.what + count]
            follows = (last.kind, last.register, last.shift, last.what + last.parts) == (
                op.kind, op.register, op.shift, op.what,
            )  # fmt: skip
            if ops and op.kind == f.PROJECT and op.adds and follows and can_stack(group):
                ops[-1] = replace(last, parts=count)
            else:
                ops.append(op)
        for op in ops:
            if op.kind == f.PROJECT and op.parts > 1:
                chosen = slice(op.what, op.what + op.parts)
                unit.parts[chosen] = stacked(unit.parts[chosen])
        unit.ops = ops
        self.units.append(unit)

    def _lane(self, node: Node) -> str:
        """The lanes in which most of a current comes without being rearranged."""
        found: list[str] = []
        self._lanes(node, found)
        names = [n for n in node.type.names if n != TIME]
        fitting = [lane for lane in found if lane in names]
        if fitting:
            return max(fitting, key=fitting.count)
        return names[-1] if names else ""

    def _lanes(self, node: Node, found: list[str]) -> None:
        if isinstance(node.op, Contract | Convolve):
            found.append(lane_of(self.graph, node, self._source(node)))
        elif node.name in self.stored:
            found.append(self.stored[node.name].lane)
        elif isinstance(node.op, Concat):
            found.append(self._concat_lane(node, node.op))
        else:
            for name in node.inputs:
                self._lanes(self.graph[name], found)

    def _concat_lane(self, node: Node, op: Concat) -> str:
        lanes = [self._lane(self.graph[name]) for name in node.inputs]
        renamed = [op.out if a == b else a for a, b in zip(lanes, op.along, strict=True)]
        return max(renamed, key=renamed.count)

    def _source(self, node: Node) -> Source:
        """How lies what a projection reads."""
        source = self.graph[node.inputs[0]]
        return IMAGE if source.type.kind is Kind.PIXEL else self.spikes[source.name]

    def _is_stored(self, node: Node, unit: Unit) -> bool:
        if isinstance(node.op, Concat) or self.uses[node.name] > 1:
            return True
        if node.type.temporal != unit.timed:
            return True
        if isinstance(node.op, Contract | Convolve):
            lane = lane_of(self.graph, node, self._source(node))
            return lane != unit.arrangement.lane or self._dense(node) is not None
        return False

    def _dense(self, node: Node) -> DenseSum | None:
        if node.name not in self.dense:
            return None
        if node.name not in self.sums:
            unit = arrange(node.type, self._lane(node))
            self.sums[node.name] = dense_sum(self.graph, node, self._source(node), unit)
        return self.sums[node.name]

    def _emit(self, unit: Unit, node: Node, register: int, shift: int, adds: bool) -> None:
        """Ops that put a current, shifted, into a register of a unit."""
        if not self._is_stored(node, unit):
            self._compute(unit, node, register, shift, adds)
            return
        if not self._is_here(node, unit):
            self._need(node)
            unit.ops.append(Op(f.LOAD, register, node=node.name, shift=shift, adds=adds))
            return
        own = self._free(register) if adds or shift else register
        self._compute(unit, node, own, 0, False)
        self._store(unit, node, own)
        if own != register:
            unit.ops.append(Op(f.SUM, register, what=own, shift=shift, adds=adds))

    def _is_here(self, node: Node, unit: Unit) -> bool:
        """Whether a current that is to be stored can be computed within a unit."""
        return (
            node.name not in self.stored
            and not isinstance(node.op, Concat)
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
        elif isinstance(node.op, Sum | Gain):
            for name in node.inputs:
                self._fetch(unit, self.graph[name])

    def _free(self, register: int) -> int:
        if register + 1 >= f.REGISTERS:
            raise NotExpressible(f"sums are nested deeper than {f.REGISTERS}")
        return register + 1

    def _compute(self, unit: Unit, node: Node, register: int, shift: int, adds: bool) -> None:
        match node.op:
            case Contract() | Convolve():
                for part in parts_of(self.graph, node, self._source(node), unit.arrangement):
                    unit.parts.append(part)
                    number, plane = len(unit.parts) - 1, part.plane
                    unit.ops.append(Op(f.PROJECT, register, number, shift=shift + plane, adds=adds))
                    adds = True
            case Sum(shifts=shifts):
                for name, own in zip(node.inputs, shifts or (0,) * len(node.inputs), strict=True):
                    self._emit(unit, self.graph[name], register, shift + own, adds)
                    adds = True
            case Gain():
                own = self._free(register) if adds or shift else register
                self._emit(unit, self.graph[node.inputs[0]], own, 0, False)
                unit.ops.append(Op(f.SCALE, own, node=node.name))
                if own != register:
                    unit.ops.append(Op(f.SUM, register, what=own, shift=shift, adds=adds))
            case _:
                raise NotExpressible(f"{node.name} is a {node.op.mnemonic} within a current")

    def _need(self, node: Node) -> None:
        """Sees to it that a current is stored."""
        if node.name in self.stored:
            return
        if isinstance(node.op, Concat):
            self._need_concat(node, node.op)
            return
        unit = Unit(node.name, arrange(node.type, self._lane(node)), node.type.temporal)
        if isinstance(node.op, Sum | Gain):
            for name in node.inputs:
                self._fetch(unit, self.graph[name])
        unit.dense = self._dense(node)
        if unit.dense is None or self.both:
            self._compute(unit, node, 0, 0, False)
        self._store(unit, node, 0)
        self._add(unit)

    def _store(self, unit: Unit, node: Node, register: int) -> None:
        unit.ops.append(Op(f.STORE, register, node=node.name))
        self.stored[node.name], self.types[node.name] = unit.arrangement, node.type

    def _need_concat(self, node: Node, op: Concat) -> None:
        """Sources are stored where the concat lies, or copied there when they lie elsewhere."""
        for place, name in enumerate(node.inputs):
            source = self.graph[name]
            free = name not in self.slices and source.type.temporal == node.type.temporal
            if free and node.inputs.count(name) == 1:
                self._need(source)
                self.slices[name] = (node.name, place)
                continue
            self._need(source)
            copy = self._unused(f"{node.name}[{place}]")
            arrangement = arrange(source.type, self.stored[name].lane)
            unit = Unit(copy, arrangement, node.type.temporal)
            unit.ops += [Op(f.LOAD, 0, node=name), Op(f.STORE, 0, node=copy)]
            self.units.append(unit)
            self.stored[copy], self.types[copy] = arrangement, source.type
            self.slices[copy] = (node.name, place)
        self.stored[node.name] = arrange(node.type, self._concat_lane(node, op))
        self.types[node.name] = node.type

    def _unused(self, name: str) -> str:
        """A name that no node has: the program's own names are any text."""
        while name in self.graph.by_name or name in self.stored:
            name += "'"
        return name


def _require_units(node: Node) -> None:
    """Refuses what units would compute otherwise than the program means it.

    A register of 32 bits adds and shifts left modulo 2^32, so what passes through it on the way
    does not matter: only what it holds in the end, when it is stored, scaled or taken by neurons.
    These are currents, whose declared ranges hold every sum of their contributions.
    """
    op, low, high = node.op, *(node.type.range or (-INT32 - 1, INT32 + 1))
    if node.type.kind is Kind.CURRENT and not -INT32 <= low <= high <= INT32:
        raise NotExpressible(f"the current of {node.name} needs more than 32 bits")
    if isinstance(op, Sum) and max(op.shifts, default=0) > MOST_SHIFT:
        raise NotExpressible(f"{node.name} shifts by more than {MOST_SHIFT}")
    if any(not name or name.startswith("<") for name in node.type.names):
        raise NotExpressible(f"{node.name} has an axis whose name has another meaning here")
    if isinstance(op, Contract) and TIME in (*op.into, *op.summed):
        raise NotExpressible(f"{node.name} adds up time steps")
