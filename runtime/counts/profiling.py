"""Where the time of one image goes: every unit of the plan timed by itself."""

import statistics
import time
from dataclasses import dataclass

import numpy as np

from snncc.backends.cpu import fields as f
from snncc.backends.cpu.plan.unit_plan import UnitPlan
from snncc.backends.cpu.vm.runner import Memory, Runner
from snncc.execution import Images
from snncc.ir import TIME, Graph
from snncc.ir.dialects.projections import Contract, Convolve
from snncc.ir.populations import is_neuron
from snncc.runtime.counts.synaptic_operations import count_operations
from snncc.runtime.simulator import Simulator

KINDS = {
    f.EVENTS: "events",
    f.PLANE: "pixels",
    f.MASKED: "masked",
    f.MASKED_LANES: "masked by lane",
}
"""How a projection finds its active inputs: see `snncc.backends.cpu.fields`."""
RUNS = 9
DELAYS = (f.HOLD, f.KEEP)


@dataclass(frozen=True)
class UnitProfile:
    """One unit: a population with its current, or a current that is stored.

    Attributes:
        name: of the population or the current.
        shape: of one step.
        kind: how its projections find active inputs; "product" when they are matrix products,
            "currents" when it has none, "host" when the interpreter computes it, "relay" when
            spikes are copied into other lanes.
        spikes: that come in, over all steps; of an image, bits that are set.
        operations: synaptic operations: additions of a weight.
        seconds: median.
        why: of a host unit, the reason; "" otherwise.
    """

    name: str
    shape: tuple[int, ...]
    kind: str
    spikes: int
    operations: int
    seconds: float
    why: str = ""

    @property
    def rate(self) -> float:
        """Synaptic operations a second."""
        return self.operations / self.seconds if self.seconds > 0 else 0.0


@dataclass(frozen=True)
class Profile:
    """One image on one thread.

    Attributes:
        units: as executed.
        runs: how many the medians are of.
        image: seconds of all units in one call, median.
    """

    units: tuple[UnitProfile, ...]
    runs: int
    image: float


def profile(simulator: Simulator, image: Images, runs: int = RUNS) -> Profile:
    """Times every unit on one image, all steps, on one thread.

    Args:
        simulator: of the program.
        image: uint8, [*axes of the image].
        runs: the medians are of so many.

    Raises:
        SnnccError: SNN016 when the image is not what the program takes.
    """
    graph, runner = simulator.graph, simulator.runner(frozenset())
    counts = count_operations(graph, image[None])
    projections = {p.name: p for p in counts.projections}
    owners = _projections_of_units(graph, runner.plan.names)
    for host in runner.plan.host.values():
        digits = [name for name in host.node.inputs if name not in graph.by_name]
        if digits:  # of a projection that is compiled digit by digit: the host only adds them up
            owners[digits[0]] += owners[host.node.name]
            owners[host.node.name] = []
    for number, loop in runner.plan.loops.items():  # its populations only count
        inside = [each.node.name for each in loop.members if each.unit >= 0]
        owners[runner.plan.names[number]] = [p for name in inside for p in owners[name]]
        owners |= {name: [] for name in inside}
    for head, count in enumerate(runner.plan.units[:, f.U_LOOP].tolist()):
        if count > 0:  # its units run in turn, and are timed together
            members = runner.plan.names[head : head + count]
            whole = [p for name in members for p in owners[name]]
            owners |= {name: list[str]() for name in members} | {members[0]: whole}
    times = _times(runner, image, runs)
    units: list[UnitProfile] = []
    for u, name in enumerate(runner.plan.names):
        own = [projections[p] for p in owners[name]]
        sources = {graph[p.name].inputs[0]: p.events for p in own}  # each once, however often read
        units.append(
            UnitProfile(
                name,
                _shape(graph, runner.plan, u),
                _kind(runner.plan, u),
                sum(sources.values()),
                sum(p.accumulates for p in own),
                times.units[u],
                runner.plan.reasons.get(name, ""),
            )
        )
    return Profile(tuple(units), runs, times.whole)


@dataclass(frozen=True)
class _Times:
    """Seconds by unit and of all units in one call, medians."""

    units: list[float]
    whole: float


def _times(runner: Runner, image: Images, runs: int) -> _Times:
    """Times units one by one and all together, in turn; what a call costs by itself is taken off.

    A run that is not counted comes first.
    """
    memory, pixels = Memory(runner.plan), np.ascontiguousarray(image)
    count = len(runner.plan.units)

    def timed(first: int, last: int) -> float:
        start = time.perf_counter()
        runner.run(memory, pixels, units=(first, last))
        return time.perf_counter() - start

    rows: list[list[float]] = []
    for _ in range(runs + 1):
        memory.begin()
        row = [timed(u, u + 1) for u in range(count)]
        memory.begin()
        rows.append([*row, timed(0, count), timed(0, 0)])
    *units, whole, call = (statistics.median(column) for column in zip(*rows[1:], strict=True))
    return _Times([max(0.0, seconds - call) for seconds in units], whole)


def _projections_of_units(graph: Graph, names: tuple[str, ...]) -> dict[str, list[str]]:
    """Which projections each unit computes: those that no earlier unit has stored."""
    owners: dict[str, list[str]] = {}
    seen: set[str] = set()
    for name in names:
        owners[name] = []
        pending = [name] if name in graph.by_name else []
        while pending:
            node = graph[pending.pop()]
            if node.name in seen or (is_neuron(node.op) and node.name != name):
                continue
            seen.add(node.name)
            if isinstance(node.op, Contract | Convolve):
                owners[name].append(node.name)
            else:
                pending.extend(node.inputs)
    return owners


def _shape(graph: Graph, plan: UnitPlan, unit: int) -> tuple[int, ...]:
    name = plan.names[unit]
    if unit in plan.relays:
        return plan.relays[unit].reads.type.without(TIME).shape
    if name in graph.by_name:
        return graph[name].type.without(TIME).shape
    return int(plan.units[unit, f.U_ROWS]), int(plan.units[unit, f.U_LANES])


def _kind(plan: UnitPlan, unit: int) -> str:
    if unit in plan.dense:
        return "product"
    if unit in plan.host:
        return "host"
    if unit in plan.loops or plan.units[unit, f.U_LOOP] > 0:
        return "loop"
    if plan.units[unit, f.U_LOOP] == f.INSIDE:
        return "in a loop"
    if plan.units[unit, f.U_OPS] and plan.ops[plan.units[unit, f.U_OP], f.O_KIND] in DELAYS:
        return "delay"
    if unit in plan.relays:
        return "relay"
    first, parts = int(plan.units[unit, f.U_PART]), int(plan.units[unit, f.U_PARTS])
    kinds = [int(kind) for kind in plan.parts[first : first + parts, f.P_KIND]]
    return ", ".join(dict.fromkeys(KINDS.get(kind, "other") for kind in kinds)) or "currents"
