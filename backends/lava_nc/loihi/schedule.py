"""Delay balancing where only spikes can wait: when every population of stock processes listens."""

from collections import defaultdict

from snncc.backends.lava_nc.loihi.synapses import Synapses
from snncc.backends.lava_nc.schedule import PROJECTION_STEPS, Relay, Schedule
from snncc.ir import Graph
from snncc.ir.dialects.integer import IntegerPopulation, IntegerReadout
from snncc.ir.dialects.projections import Frames


def schedule_stock(graph: Graph, into: dict[str, list[Synapses]]) -> Schedule:
    """Every population listens one step after the last of its sources has sent.

    Sources that sent earlier have their spikes held back by relays before their synapses. Images do
    not wait: the host sends them again, later.

    Args:
        graph: integer dialect.
        into: synapses of every population and of the readout.
    """
    listens: dict[str, int] = {}
    arrival: dict[str, int] = {}
    waits: defaultdict[str, set[int]] = defaultdict(set)
    for node in graph.nodes:
        if isinstance(node.op, IntegerPopulation | IntegerReadout):
            parts = into[node.name]
            listens[node.name] = max(
                (arrival[part.source] + _cost(graph, part.source) for part in parts), default=0
            )
            for part in parts:
                waits[part.source].add(
                    listens[node.name] - _cost(graph, part.source) - arrival[part.source]
                )
        elif node.inputs and not isinstance(node.op, Frames):
            listens[node.name] = max(arrival[name] for name in node.inputs)
        else:
            listens[node.name] = 0
        arrival[node.name] = listens[node.name]
    relays: list[Relay] = []
    for node in graph.nodes:
        before = 0
        for delay in sorted(waits[node.name] - {0}):
            if not isinstance(node.op, Frames):
                relays.append(Relay(node.name, delay, before))
                before = delay
    return Schedule(graph.steps, graph.steps, listens, arrival, tuple(relays))


def wait(graph: Graph, schedule: Schedule, source: str, reader: str) -> int:
    """How long spikes wait before the synapses of a reader take them."""
    return schedule.listens[reader] - _cost(graph, source) - schedule.arrival[source]


def _cost(graph: Graph, source: str) -> int:
    """Steps that synapses take; the host's currents take none."""
    op = graph[source].op
    return 0 if isinstance(op, Frames) and op.encoding == "host" else PROJECTION_STEPS
