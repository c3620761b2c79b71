"""Gives every value of a program a place in the working memory."""

from dataclasses import dataclass, replace

from snncc.backends.cpu.arrangement import Arrangement, planes_of
from snncc.backends.cpu.plan.currents import bytes_of, layout_of, root_of
from snncc.backends.cpu.plan.hosting import is_wide, membrane_bytes
from snncc.backends.cpu.plan.memory import place_buffers
from snncc.backends.cpu.plan.places import (
    Form,
    Place,
    Population,
    bits_at,
    integers_at,
    lanes_at,
    state_at,
    state_bytes,
)
from snncc.backends.cpu.plan.unit import Partition
from snncc.ir import TIME, Graph, Kind, Node
from snncc.ir.arrays import count
from snncc.ir.dialects.delays import Delay
from snncc.ir.dialects.integer import IntegerPopulation
from snncc.ir.dialects.integer_neurons import IntegerNeuron
from snncc.ir.populations import population_nodes

ROW_BYTES = 4
"""Of a number in the rows that products select from."""


@dataclass(frozen=True)
class Placed:
    """A working memory that is laid out.

    Attributes:
        values: spikes and stored currents.
        populations: what is kept of them.
        pasts: what delays keep between calls, by delay: the last values that it read.
        silent: what is kept of neurons that never fire: their states between calls.
        memory: bytes in all.
    """

    values: dict[str, Place]
    populations: dict[str, Population]
    pasts: dict[str, Place]
    silent: dict[str, Place]
    memory: int


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
    for name, lay in populations.items():
        if name in record:
            buffers.keep(f"record {name}", steps * _lanes(graph, name, lay))
            buffers.fixed.append(f"spikes {name}")
        if stateful and isinstance(graph[name].op, IntegerPopulation):
            buffers.keep(f"state {name}", _lanes(graph, name, lay))
    pasts = {node.name: past_of(node) for node in graph.select(Delay)} if stateful else {}
    for name, place in pasts.items():
        buffers.keep(f"past {name}", place.size * count(place.type.shape))
    several = graph.select(IntegerNeuron) if stateful else ()
    for node in several:
        if isinstance(node.op, IntegerNeuron):
            size = state_bytes(node.op, node.type, graph.context)
            buffers.keep(f"state {node.name}", size)
    places, memory = buffers.places(stateful)
    values = {
        key: bits_at(units.types[key], places[f"spikes {key}"], lay, steps)
        for key, lay in units.spikes.items()
    }
    values |= {
        key: lanes_at(units.types[key], places[f"rows {key}"], lay, ROW_BYTES)
        for key, lay in units.made.items()
    }
    for name in units.stored:
        layout = layout_of(graph, units, name)
        at = places[f"current {layout.root}"] + layout.start
        kind = units.types[name]
        values[name] = Place(kind, Form.INTEGERS, at, layout.size, layout.strides)
    states = {
        node.name: state_at(node.op, node.type, places[f"state {node.name}"], graph.context)
        for node in several
        if isinstance(node.op, IntegerNeuron)
    }
    numbers = {unit.name: number for number, unit in enumerate(units.units)}
    kept: dict[str, Population] = {}
    for name, lay in populations.items():
        kind, size = graph[name].type, membrane_bytes(graph[name])
        levels: Place | None = None
        state: Place | None = None
        if name in record:
            levels = lanes_at(kind, places[f"record {name}"], lay, size)
        if stateful and name not in states:
            state = lanes_at(kind.without(TIME), places[f"state {name}"], lay, size)
        state = states.get(name, state)
        kept[name] = Population(numbers[name], values[name], levels, state)
    pasts = {name: replace(past, at=places[f"past {name}"]) for name, past in pasts.items()}
    silent = {name: place for name, place in states.items() if name not in populations}
    return Placed(values, kept, pasts, silent, memory)


def past_of(node: Node) -> Place:
    """The last values that a delay has read, [steps, *axes of one step], somewhere in memory."""
    op = node.op
    if not isinstance(op, Delay):
        raise TypeError(op.mnemonic)
    kind = node.type.without(TIME).with_time(op.steps)
    size = 2 if kind.kind is Kind.SPIKE else 8 if is_wide(node) else 4
    return integers_at(kind, 0, size)


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
        for at, unit in enumerate(units.units):
            for name in (*unit.reads, *unit.writes):
                self._touch(name, at)
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
        if name in self.units.spikes:
            buffer = f"spikes {name}"
        elif name in self.units.made:
            buffer = f"rows {name}"
        elif name in self.units.stored:
            buffer = f"current {root_of(self.graph, self.units, name)[0]}"
        else:
            return  # the image
        first, _ = self.lives.get(buffer, (at, at))
        self.lives[buffer] = (first, at)

    def keep(self, name: str, size: int) -> None:
        """Takes a buffer that lives all the time."""
        self.sizes[name] = size
        self.fixed.append(name)

    def places(self, stateful: bool) -> tuple[dict[str, int], int]:
        """Places of all buffers, and how many bytes there are in all."""
        if stateful:  # what is computed at the first step alone
            self.fixed += [f"spikes {key}" for key in self.units.spikes
                           if not self.units.types[key].temporal]  # fmt: skip
            self.fixed += [
                name
                for name in self.sizes
                if name.startswith("current ")
                and not self.graph[name.removeprefix("current ")].type.temporal
            ]
        for name in self.sizes:
            self.lives.setdefault(name, (0, len(self.units.units)))
        return place_buffers(self.sizes, self.lives, self.fixed)
