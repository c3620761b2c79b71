"""What a program is taken apart into: units, each a list of ops on registers."""

from dataclasses import dataclass, field

from snncc.backends.cpu import fields as f
from snncc.backends.cpu.arrangement import Arrangement
from snncc.backends.cpu.parts.part import Part
from snncc.backends.cpu.plan.dense import DenseSum
from snncc.ir import Graph, Node, ValueType

WRITES = (f.STORE, f.FIRE, f.EVOLVE, f.HOLD, f.FIRE_WIDE)


@dataclass(frozen=True)
class Instruction:
    """One op on a unit's registers.

    Attributes:
        kind: PROJECT, LOAD, SUM, SCALE, STORE, FIRE, EVOLVE, HOLD, KEEP, WIDEN, FIRE_WIDE or MASK.
        register: which it changes or reads.
        what: PROJECT: number of the first part; SUM: the other register; MASK: 1 if inverted.
        node: LOAD, STORE: the stored current; SCALE: the gain; FIRE, EVOLVE, FIRE_WIDE: the
            neurons; HOLD, KEEP: the delay; WIDEN: the term; MASK: the spikes.
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
        host: the node that the host computes instead of all this.
        copies: what the host brings into the lanes of this unit, or into rows; "" for none.
        loop: nodes of a loop that the host computes step by step, in order.
        inside: whether it is a population of a loop: the unit only counts its spikes.
        leaves: of a loop, the values that others read, and its populations.
        group: of a loop that is compiled, its first node; "" outside of such loops.
        delayed: what a delay reads; "" for none.
    """

    name: str
    arrangement: Arrangement
    timed: bool
    parts: list[Part] = field(default_factory=list[Part])
    ops: list[Instruction] = field(default_factory=list[Instruction])
    dense: DenseSum | None = None
    host: Node | None = None
    copies: str = ""
    loop: tuple[Node, ...] = ()
    inside: bool = False
    leaves: tuple[str, ...] = ()
    group: str = ""
    delayed: str = ""

    @property
    def is_compiled(self) -> bool:
        """Whether compiled kernels can compute it."""
        if self.host is not None or self.copies or self.loop or self.inside:
            return False
        return bool(self.parts or self.dense is None)

    @property
    def reads(self) -> tuple[str, ...]:
        """Spikes and stored currents that it needs."""
        loads = (op.node for op in self.ops if op.kind in (f.LOAD, f.MASK))
        sources = [part.source for part in self.parts]
        sources += [part.made for part in self.parts if part.made]
        if self.dense is not None:
            sources.append(self.dense.source)
        if self.host is not None:
            sources += self.host.inputs
        if self.copies:
            sources.append(self.copies)
        if self.delayed:
            sources.append(self.delayed)
        own = {node.name for node in self.loop}
        sources += [name for node in self.loop for name in node.inputs if name not in own]
        return tuple(dict.fromkeys((*sources, *loads)))

    @property
    def writes(self) -> tuple[str, ...]:
        if self.host is not None or self.copies:
            return (self.name,)
        if self.loop:
            return self.leaves
        return tuple(op.node for op in self.ops if op.kind in WRITES)


@dataclass(frozen=True)
class Partition:
    """A program taken apart.

    Attributes:
        graph: the program, its projections such that compiled units can add them up.
        host: the nodes that the host computes, and why.
        units: in order of execution.
        spikes: how spikes lie: of populations, of what the host made, of copies in other lanes.
        stored: how every stored current lies.
        made: how what products select from lies: rows of 32-bit numbers.
        types: of all of these.
        slices: stored currents that lie within the one of a concat: (concat, first element).
        fused: nodes that add to a sum of 64 bits, and the population that takes it.
    """

    graph: Graph
    host: dict[str, str]
    units: tuple[Unit, ...]
    spikes: dict[str, Arrangement]
    stored: dict[str, Arrangement]
    made: dict[str, Arrangement]
    types: dict[str, ValueType]
    slices: dict[str, tuple[str, int]]
    fused: dict[str, str]
