"""Which layers run as matrix products: by their activity and the times of this machine."""

from collections.abc import Mapping
from typing import Any, Literal

from snncc.backends.cpu.dense.activity import activities
from snncc.backends.cpu.dense.timing import KernelTimes
from snncc.backends.cpu.plan.units import units_of
from snncc.backends.cpu.vm.runner import Memory, Runner
from snncc.ir import Array, Graph
from snncc.ir.dialects.projections import Contract, Convolve, Frames
from snncc.ir.populations import population_nodes

Kernels = Literal["event", "dense", "auto"]
MARGIN = 0.9
"""A product must take less than this share of the event kernels' time; otherwise they stay."""


class KernelChoice:
    """The choice for one program.

    Args:
        graph: integer dialect.
        kernels: what is asked for.
        rates: activity by population, for "auto".

    Attributes:
        dense: projections to be computed as matrix products where they can be; None as long as
            it is not known.
    """

    def __init__(
        self, graph: Graph, kernels: Kernels, rates: Mapping[str, float] | None = None
    ) -> None:
        self.graph = graph
        self.dense: frozenset[str] | None = frozenset()
        if kernels == "dense":
            self.dense = projections_of_spikes(graph)
        elif kernels == "auto":
            known = {node.name for node in population_nodes(graph)} <= set(rates or {})
            self.dense = fastest(graph, rates) if rates and known else None

    def choose(self, runner: Runner, image: Array) -> None:
        """Chooses by what one image makes spike.

        Args:
            runner: of event kernels alone.
            image: uint8, contiguous.
        """
        memory = Memory(runner.plan)
        runner.run(memory, image)
        counts = dict(zip(runner.plan.names, memory.counts[0], strict=True))
        self.dense = fastest(
            self.graph,
            {
                node.name: float(counts[node.name]) / (node.type.neurons * self.graph.steps)
                for node in population_nodes(self.graph)
            },
        )


def known_rates(provenance: Mapping[str, Any]) -> dict[str, float] | None:
    """Activity by population that a compilation with images has left, or None."""
    fidelity = provenance.get("fidelity")
    if not fidelity:
        return None
    return {str(each["name"]): float(each["rate"]) for each in fidelity["populations"]}


def projections_of_spikes(graph: Graph) -> frozenset[str]:
    """Projections that read spikes, or counts of them: not the image."""
    return frozenset(
        node.name
        for node in graph.select(Contract, Convolve)
        if not isinstance(graph[node.inputs[0]].op, Frames)
    )


def fastest(graph: Graph, rates: Mapping[str, float]) -> frozenset[str]:
    """Projections whose matrix product is faster than their event kernels at given activities.

    Times are measured on this machine, once for every shape: a product's does not depend on the
    spikes, that of event kernels grows linearly with them.
    """
    candidates = projections_of_spikes(graph)
    times, active = KernelTimes(graph, candidates), activities(graph, rates)
    found: set[str] = set()
    for unit in units_of(graph, candidates).units:
        if unit.dense is None:
            continue
        time = times.of(unit.name, unit.dense)
        if time.product < MARGIN * time.events(active[graph[unit.name].inputs[0]]):
            found.add(unit.name)
    times.save()
    return frozenset(found)
