"""Delay balancing: when the wavefront of a sample reaches which value.

On Lava every projection costs one step, so paths of different length bring the same sample at
different steps. Where they meet, what comes first has to wait: that is what relays are for. Without
them the sums would mix samples, or steps of one sample, and be wrong without any error.
"""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass

from snncc.backends.lava_nc.waiting import times_of_least_waiting
from snncc.ir import Graph, Node
from snncc.ir.dialects.integer import IntegerPopulation
from snncc.ir.dialects.projections import Contract, Convolve, Frames

PROJECTION_STEPS = 1
"""A projection sends in one step what it received in the step before, as Lava's Dense does."""


@dataclass(frozen=True)
class Relay:
    """Sends a value again, some steps later.

    Attributes:
        source: node whose value it is.
        delay: steps after that node; at least 1.
        before: delay of the relay that it reads, 0 for the node itself.
    """

    source: str
    delay: int
    before: int


@dataclass(frozen=True)
class Schedule:
    """What happens when.

    Attributes:
        steps: T, what one sample takes in one place.
        period: steps from one sample to the next, at least T.
        listens: by node, the step at which it takes its inputs of a sample's first step.
        arrival: by node, the step at which its value for that step is sent.
        relays: what waits, in the order in which the values arise.
    """

    steps: int
    period: int
    listens: Mapping[str, int]
    arrival: Mapping[str, int]
    relays: tuple[Relay, ...]

    @property
    def depth(self) -> int:
        """Steps from an image to the first step of its answer: the longest arrival."""
        return max(self.arrival.values())

    def wait(self, source: str, reader: str) -> int:
        """How long a value waits before the reader takes it."""
        return self.listens[reader] - self.arrival[source]


def costs_a_step(graph: Graph, node: Node) -> bool:
    """Whether a node is a projection that Lava carries out; the host's take no step."""
    return isinstance(node.op, Contract | Convolve) and not _is_of_host(graph, node)


def _is_of_host(graph: Graph, node: Node) -> bool:
    """Whether the host computes a node's value from the image and sends that."""
    sources = [graph[name].op for name in node.inputs]
    return any(isinstance(op, Frames) and op.encoding == "host" for op in sources)


def balance_delays(graph: Graph) -> Schedule:
    """The schedule in which the answer is earliest and, then, the least waits in relays.

    Args:
        graph: integer dialect.
    """
    costs = {n.name: PROJECTION_STEPS * costs_a_step(graph, n) for n in graph.nodes}
    widths = {n.name: _width(n) for n in graph.nodes}
    reads = {n.name: () if _is_of_host(graph, n) else n.inputs for n in graph.nodes}
    listens = times_of_least_waiting(reads, costs, widths)
    arrival = {name: step + costs[name] for name, step in listens.items()}
    waits: defaultdict[str, set[int]] = defaultdict(set)
    for node in graph.nodes:
        for name in node.inputs:
            waits[name].add(listens[node.name] - arrival[name])
    relays: list[Relay] = []
    for node in graph.nodes:
        before = 0
        for delay in sorted(waits[node.name] - {0}):
            relays.append(Relay(node.name, delay, before))
            before = delay
    return Schedule(graph.steps, graph.steps, listens, arrival, tuple(relays))


def _width(node: Node) -> int:
    """Numbers that its value holds at one step."""
    planes = 8 if isinstance(node.op, Frames) and node.op.encoding != "host" else 1
    return planes * node.type.neurons


def schedule_table(graph: Graph, schedule: Schedule) -> list[tuple[str, str, str]]:
    """Rows (step, what arrives, how many steps it comes before another it meets)."""
    later: defaultdict[str, list[str]] = defaultdict(list)
    for relay in schedule.relays:
        later[relay.source].append(f"+{relay.delay}")
    shown = [
        node
        for node in graph.nodes
        if isinstance(node.op, IntegerPopulation)
        or node.name in later
        or node.name == graph.output
        or not node.inputs
    ]
    shown.sort(key=lambda node: schedule.arrival[node.name])
    return [
        (
            f"{schedule.arrival[n.name]}..{schedule.arrival[n.name] + schedule.steps - 1}",
            n.name,
            " ".join(later[n.name]),
        )
        for n in shown
    ]
