"""What the planner gives: tables and constants for the compiled executor, and where values lie."""

from dataclasses import dataclass, field

from snncc.backends.cpu.arrangement import Arrangement
from snncc.backends.cpu.plan.dense import DenseUnit
from snncc.backends.cpu.plan.host import HostUnit, LoopUnit, Relay
from snncc.backends.cpu.plan.places import Place, Population
from snncc.ir import Array


@dataclass(frozen=True)
class UnitPlan:
    """A program for the compiled executor.

    Attributes:
        units: int64 tables, in the order of `fields`; rows are described there.
        parts, ops, accesses, gains, constants, neurons, delays: likewise.
        several, states_of, terms: likewise, of neurons of several states.
        linears, masks: likewise, of sums of 64 bits and of gates.
        block: the plan's constants: weights, taps, thresholds; bytes.
        memory: bytes of working memory that one image takes.
        scratch: bytes that each thread takes besides.
        names: of every unit.
        values: every value that lies in the working memory: spikes, and stored currents.
        populations: what is kept of them besides.
        readout: the current that is read out.
        steps: how many steps are computed in one call.
        dense: by number, the units that are matrix products.
        host: by number, the units that the host computes.
        relays: by number, the units in which the host copies spikes.
        loops: by number, the units in which the host computes a loop step by step.
        silent: what neurons that never fire keep between calls, by name.
        laid: rows and lanes in which units compute neurons that never fire.
        pasts: what delays keep between calls, by delay; empty where nothing is kept.
    """

    units: Array
    parts: Array
    ops: Array
    accesses: Array
    gains: Array
    constants: Array
    neurons: Array
    delays: Array
    several: Array
    states_of: Array
    terms: Array
    linears: Array
    masks: Array
    block: Array
    memory: int
    scratch: int
    names: tuple[str, ...]
    values: dict[str, Place]
    populations: dict[str, Population]
    readout: Place
    steps: int
    dense: dict[int, DenseUnit]
    host: dict[int, HostUnit]
    relays: dict[int, Relay]
    loops: dict[int, LoopUnit] = field(default_factory=dict[int, LoopUnit])
    pasts: dict[str, Place] = field(default_factory=dict[str, Place])
    silent: dict[str, Place] = field(default_factory=dict[str, Place])
    laid: dict[str, Arrangement] = field(default_factory=dict[str, Arrangement])
    counted: dict[str, Place] = field(default_factory=dict[str, Place])

    @property
    def reasons(self) -> dict[str, str]:
        """The nodes that the host computes, and why."""
        single = {unit.node.name: unit.reason for unit in self.host.values()}
        looped = {
            each.node.name: loop.reason for loop in self.loops.values() for each in loop.members
        }
        return single | looped

    @property
    def records(self) -> dict[str, Place]:
        """Places of recorded membranes, by population."""
        return {n: p.record for n, p in self.populations.items() if p.record is not None}

    @property
    def states(self) -> dict[str, Place]:
        """Places of membranes between calls, by population or neurons that never fire."""
        fire = {n: p.state for n, p in self.populations.items() if p.state is not None}
        return {**fire, **self.silent}
