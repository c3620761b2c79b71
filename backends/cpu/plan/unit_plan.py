"""What the planner gives: tables and constants for the compiled executor, and where values lie."""

from dataclasses import dataclass

from snncc.backends.cpu.plan.dense import DenseUnit
from snncc.backends.cpu.plan.host import HostUnit, Relay
from snncc.backends.cpu.plan.places import Place, Population
from snncc.ir import Array


@dataclass(frozen=True)
class UnitPlan:
    """A program for the compiled executor.

    Attributes:
        units: int64 tables, in the order of `fields`; rows are described there.
        parts, ops, accesses, gains, constants, neurons: likewise.
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
    """

    units: Array
    parts: Array
    ops: Array
    accesses: Array
    gains: Array
    constants: Array
    neurons: Array
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

    @property
    def reasons(self) -> dict[str, str]:
        """The nodes that the host computes, and why."""
        return {unit.node.name: unit.reason for unit in self.host.values()}

    @property
    def records(self) -> dict[str, Place]:
        """Places of recorded membranes, by population."""
        return {n: p.record for n, p in self.populations.items() if p.record is not None}

    @property
    def states(self) -> dict[str, Place]:
        """Places of membranes between calls, by population or neurons that never fire."""
        fire = {n: p.state for n, p in self.populations.items() if p.state is not None}
        silent = {
            unit.node.name: unit.state
            for unit in self.host.values()
            if unit.state is not None and unit.node.name not in self.populations
        }
        return {**fire, **silent}
