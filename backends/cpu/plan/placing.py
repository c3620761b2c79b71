"""Gives every value of a program a place in the working memory."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType

from snncc.backends.cpu.arrangement import Arrangement, planes_of
from snncc.backends.cpu.plan.currents import bytes_of, layout_of, root_of
from snncc.backends.cpu.plan.delays import past_bytes, past_of, past_size
from snncc.backends.cpu.plan.hosting import is_wide, membrane_bytes
from snncc.backends.cpu.plan.memory import place_buffers
from snncc.backends.cpu.plan.places import (
    Form,
    Place,
    Population,
    bits_at,
    lanes_at,
    state_at,
    state_bytes,
)
from snncc.backends.cpu.plan.state_neurons import is_wide as is_wide_inside
from snncc.backends.cpu.plan.state_neurons import states_at
from snncc.backends.cpu.plan.unit import Partition
from snncc.ir import TIME, Graph, Node
from snncc.ir.dialects.delays import Delay
from snncc.ir.dialects.integer import IntegerPopulation
from snncc.ir.dialects.integer_neurons import IntegerNeuron
from snncc.ir.dialects.neurons import STATE
from snncc.ir.populations import population_nodes

ROW_BYTES = 4
"""Of a number in the rows that products select from."""
NOWHERE: Mapping[str, int] = MappingProxyType({})


@dataclass(frozen=True)
class Placed:
    """A working memory that is laid out.

    Attributes:
        values: spikes and stored currents.
        populations: what is kept of them.
        pasts: what delays keep between calls, by delay: the last values that it read.
        silent: what is kept of neurons that never fire: their states between calls.
        memory: bytes in all.
        counted: recorded counts, which stay to the end.
    """

    values: dict[str, Place]
    populations: dict[str, Population]
    pasts: dict[str, Place]
    silent: dict[str, Place]
    memory: int
    counted: dict[str, Place]


def place_values(
    graph: Graph, units: Partition, steps: int, record: frozenset[str], stateful: bool
) -> Placed:
    """Lays out the working memory of one image.

    Args:
        graph: the program.
        units: of it.
        steps: how many steps lie in memory.
        record: populations whose spikes and membranes stay to the end.
        stateful: whether membranes, and what is the same at every step, stay between calls.
    """
    populations = {node.name: units.spikes[node.name] for node in population_nodes(graph)}
    buffers = _Buffers(graph, units, steps)
    stepped = {unit.name for unit in units.units if unit.group}
    counted = [name for name in sorted(record) if name not in populations]
    for name in counted:
        buffers.fixed.append(buffers.named(name))
    for name, lay in populations.items():
        if name in record:
            buffers.keep(f"record {name}", steps * _lanes(graph, name, lay))
            buffers.fixed.append(f"spikes {name}")
        keeps = stateful or name in stepped
        if keeps and isinstance(graph[name].op, IntegerPopulation):
            buffers.keep(f"state {name}", _lanes(graph, name, lay))
    several = {
        node.name: _states_of(graph, units, node, node.op)
        for node in graph.select(IntegerNeuron)
        if isinstance(node.op, IntegerNeuron) and (stateful or node.name in stepped)
    }
    for name, (_, size) in several.items():
        buffers.keep(f"state {name}", size)
    pasts = _pasts(graph, units, _values(graph, units, steps)) if stateful else {}
    for name, place in pasts.items():
        buffers.keep(f"past {name}", past_bytes(place))
    places, memory = buffers.places(stateful)
    values = _values(graph, units, steps, places)
    states = {
        name: replace(place, at=places[f"state {name}"]) for name, (place, _) in several.items()
    }
    numbers = {unit.name: number for number, unit in enumerate(units.units)}
    kept: dict[str, Population] = {}
    for name, lay in populations.items():
        kind, size = graph[name].type, membrane_bytes(graph[name])
        levels: Place | None = None
        state: Place | None = None
        if name in record:
            levels = lanes_at(kind, places[f"record {name}"], lay, size)
        if f"state {name}" in places and name not in states:
            state = lanes_at(kind.without(TIME), places[f"state {name}"], lay, size)
        state = states.get(name, state)
        kept[name] = Population(numbers[name], values[name], levels, state)
    pasts = {name: replace(past, at=places[f"past {name}"]) for name, past in pasts.items()}
    silent = {name: place for name, place in states.items() if name not in populations}
    return Placed(values, kept, pasts, silent, memory, {name: values[name] for name in counted})


def _values(
    graph: Graph, units: Partition, steps: int, places: Mapping[str, int] = NOWHERE
) -> dict[str, Place]:
    """Spikes and stored currents, by the places of their buffers."""
    values = {
        key: bits_at(units.types[key], places.get(f"spikes {key}", 0), lay, steps)
        for key, lay in units.spikes.items()
    }
    values |= {
        key: lanes_at(units.types[key], places.get(f"rows {key}", 0), lay, ROW_BYTES)
        for key, lay in units.made.items()
    }
    for name in units.stored:
        layout = layout_of(graph, units, name)
        at = places.get(f"current {layout.root}", 0) + layout.start
        kind = units.types[name]
        values[name] = Place(kind, Form.INTEGERS, at, layout.size, layout.strides)
    return values


def _states_of(graph: Graph, units: Partition, node: Node, op: IntegerNeuron) -> tuple[Place, int]:
    """What neurons of several states keep, somewhere in memory, and its bytes."""
    if node.name in units.host:
        place = state_at(op, node.type, 0, graph.context)
        return place, state_bytes(op, node.type, graph.context)
    owner = units.fused.get(node.name, node.name)
    lay = units.spikes.get(owner) or units.stored[owner]
    size = 8 if node.name in units.fused or is_wide_inside(graph, node, op) else 4
    place = states_at(op, graph, node.type, 0, lay, size)
    return place, op.slots(graph.context) * place.strides[STATE]


def _pasts(graph: Graph, units: Partition, values: Mapping[str, Place]) -> dict[str, Place]:
    """What delays keep between calls."""
    found: dict[str, Place] = {}
    for node in graph.select(Delay):
        if isinstance(node.op, Delay):
            place = None if node.name in units.host else values[node.name]
            found[node.name] = past_of(node, node.op, place, past_size(node, is_wide(node)))
    return found


def _lanes(graph: Graph, name: str, lay: Arrangement) -> int:
    """Bytes of the membranes of one step."""
    return membrane_bytes(graph[name]) * lay.row_count * lay.padded


class _Buffers:
    """What lies in the working memory, and from which unit to which it is needed."""

    def __init__(self, graph: Graph, units: Partition, steps: int) -> None:
        self.graph, self.units, self.steps = graph, units, steps
        self.sizes: dict[str, int] = {}
        self.lives: dict[str, tuple[int, int]] = {}
        self.fixed: list[str] = []
        loops: dict[str, list[int]] = {}
        for at, unit in enumerate(units.units):
            if unit.group:
                loops.setdefault(unit.group, []).append(at)
        for at, unit in enumerate(units.units):
            for name in (*unit.reads, *unit.writes):
                for when in [at, *loops.get(unit.group, [])]:  # a loop's next step needs all of it
                    self._touch(name, when)
        self._touch(graph[graph.output].inputs[0], len(units.units))
        for key, lay in units.spikes.items():
            timed = steps if units.types[key].temporal else 1
            planes = planes_of(units.types[key])
            self.sizes[f"spikes {key}"] = planes * timed * lay.row_count * 8 * lay.words
        for key, lay in units.made.items():
            timed = steps if units.types[key].temporal else 1
            self.sizes[f"rows {key}"] = timed * ROW_BYTES * lay.row_count * lay.padded
        for buffer in [name for name in self.lives if name.startswith("current ")]:
            node = graph[buffer.removeprefix("current ")]
            timed = steps if node.type.temporal else 1
            self.sizes[buffer] = timed * node.type.neurons * bytes_of(graph, node.name)

    def _touch(self, name: str, at: int) -> None:
        """A unit reads or writes a value."""
        buffer = self.named(name)
        if not buffer:
            return  # the image
        first, last = self.lives.get(buffer, (at, at))
        self.lives[buffer] = (min(first, at), max(last, at))

    def named(self, value: str) -> str:
        """The buffer of a value; "" of the image."""
        if value in self.units.spikes:
            return f"spikes {value}"
        if value in self.units.made:
            return f"rows {value}"
        if value in self.units.stored:
            return f"current {root_of(self.graph, self.units, value)[0]}"
        return ""

    def keep(self, name: str, size: int) -> None:
        """Takes a buffer that lives all the time."""
        self.sizes[name] = size
        self.fixed.append(name)

    def places(self, stateful: bool) -> tuple[dict[str, int], int]:
        """Places of all buffers, and how many bytes there are in all."""
        if stateful:  # what is computed at the first step alone
            for form, held in (("spikes", self.units.spikes), ("rows", self.units.made)):
                alike = (key for key in held if not self.units.types[key].temporal)
                self.fixed += [f"{form} {key}" for key in alike]
            self.fixed += [
                name
                for name in self.sizes
                if name.startswith("current ")
                and not self.graph[name.removeprefix("current ")].type.temporal
            ]
        for name in self.sizes:
            self.lives.setdefault(name, (0, len(self.units.units)))
        return place_buffers(self.sizes, self.lives, self.fixed)
