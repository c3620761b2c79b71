"""What rounding costs: the integer program beside the real-valued network, neuron by neuron."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from snncc.ir import TIME, Graph, Kind, Node
from snncc.ir.cycles import arranged, components
from snncc.ir.dialects.neurons import Neuron
from snncc.ir.dialects.spiking import Population
from snncc.ir.images import ImageSource
from snncc.runtime.answers import predictions_of
from snncc.runtime.simulator import Simulator
from snncc.semantics.arrays import Real
from snncc.semantics.delays import settled
from snncc.semantics.neurons import run_neuron
from snncc.semantics.spiking import evaluate, membranes, spread_constant

NEAR = 1.0 / 64.0
"""A membrane within this share of its threshold is near it: little rounding flips its spike."""
CHUNK = 1 << 28
"""Bytes of the values of so many images are held at once."""
DIGITS = 6
JUDGED = 256
SITES = 1 << 28
"""Without a choice of the user's, so many images are judged, or so many neurons times steps."""


@dataclass(frozen=True)
class PopulationFidelity:
    """One population over all images and steps.

    Attributes:
        name: of the population.
        rate: share of neurons that fire at a step, in the real-valued network.
        flips: share of neurons and steps at which program and network differ.
        near: share of membranes within 1/64 of their threshold, in the network.
    """

    name: str
    rate: float
    flips: float
    near: float


@dataclass(frozen=True)
class Fidelity:
    """A program against the real-valued network that it was rounded from.

    Attributes:
        images: how many were run.
        agreement: share of images with the same largest logit.
        logits_rms: root mean square of the logits' error, beside `logits_std`, the spread of the
            network's own logits.
        flips: share of all spikes and silences that differ.
        populations: in the order of the network.
        accuracy, reference_accuracy: share of images that the program and the network answer with
            their labels; None without labels.
    """

    images: int
    agreement: float
    logits_rms: float
    logits_std: float
    flips: float
    populations: tuple[PopulationFidelity, ...]
    accuracy: float | None = None
    reference_accuracy: float | None = None

    def record(self) -> dict[str, Any]:
        """In JSON form, with six digits, so that the last bits of a sum do not matter.

        Accuracies are no sums: they stay the quotients that they are.
        """
        exact = {"accuracy": self.accuracy, "reference_accuracy": self.reference_accuracy}
        whole = asdict(self) | {"populations": [_rounded(asdict(p)) for p in self.populations]}
        return {k: v for k, v in (_rounded(whole) | exact).items() if v is not None}


def some_images(spiking: Graph, images: NDArray[np.uint8] | None) -> NDArray[np.uint8] | None:
    """As many of the images as can be judged in a short time."""
    if images is None:
        return None
    return images[: max(1, min(JUDGED, SITES // max(1, _sites(spiking))))]


def _sites(spiking: Graph) -> int:
    """Neurons times steps of one image."""
    return sum(node.type.neurons for node in _populations(spiking)) * spiking.steps


def measure_fidelity(
    spiking: Graph,
    program: Graph,
    images: ImageSource,
    labels: NDArray[np.int64] | None = None,
) -> Fidelity:
    """Runs both on images.

    Args:
        spiking: the folded network, spiking dialect.
        program: what it was lowered to; populations have the same names.
        images: in order; read in parts.
        labels: of the images, for accuracies.

    Raises:
        SnnccError: SNN110 for answers with several axes.
    """
    tallies = {node.name: _Tally() for node in _populations(spiking)}
    wanted: list[Real] = []
    got: list[Real] = []
    simulator = Simulator(program)
    each = max(1, CHUNK // (16 * max(1, _sites(spiking))))
    for start in range(0, len(images), each):
        part = images[start : start + each]
        execution = simulator.run(part, list(tallies))
        wanted.append(_walk(spiking, part, execution.spikes, tallies))
        got.append(execution.logits)
    real, integer = np.concatenate(wanted), np.concatenate(got)
    total = sum(t.sites for t in tallies.values())
    original, rounded = predictions_of(real), predictions_of(integer)
    return Fidelity(
        images=len(images),
        agreement=float((original == rounded).mean()),
        logits_rms=float(np.sqrt(((real - integer) ** 2).mean())),
        logits_std=float(real.std()),
        flips=sum(t.flips for t in tallies.values()) / max(1, total),
        populations=tuple(tally.result(name) for name, tally in tallies.items()),
        accuracy=None if labels is None else float((rounded == labels).mean()),
        reference_accuracy=None if labels is None else float((original == labels).mean()),
    )


@dataclass
class _Tally:
    """Counts of one population so far."""

    sites: int = 0
    spikes: int = 0
    flips: int = 0
    near: int = 0

    def result(self, name: str) -> PopulationFidelity:
        sites = max(1, self.sites)
        return PopulationFidelity(name, self.spikes / sites, self.flips / sites, self.near / sites)


def _walk(
    graph: Graph,
    images: NDArray[np.uint8],
    program_spikes: Mapping[str, NDArray[np.uint8]],
    tallies: Mapping[str, _Tally],
) -> Real:
    """Runs the network once, counts, and gives its logits; forgets values that are not needed."""
    graph, values = arranged(graph), dict[str, Real]()
    loops = {part.nodes[0].name: part for part in components(graph) if part.cyclic}
    for node in graph.nodes:
        if node.name in loops:
            values |= settled(
                graph, loops[node.name], values, len(images), lambda n, x: evaluate(graph, n, x)
            )
        sources = [values[name] for name in node.inputs]
        fired = _fired(graph, node, sources)
        if fired is not None:
            spikes, levels, threshold = fired
            place = 1 + node.type.names.index(TIME)
            values[node.name] = np.moveaxis(spikes, 1, place)
            tally = tallies[node.name]
            tally.sites += spikes.size
            tally.spikes += int(spikes.sum())
            tally.flips += int((values[node.name] != program_spikes[node.name]).sum())
            tally.near += int((np.abs(levels - threshold) <= NEAR * np.abs(threshold)).sum())
        else:
            values[node.name] = evaluate(graph, node, sources, images)
        for name in graph.last_uses.get(node.name, ()):
            del values[name]
    return values[graph.output]


def _fired(graph: Graph, node: Node, sources: list[Real]) -> tuple[Real, Real, Real] | None:
    """Spikes, what is compared and with what, [batch, t, ...]; None where nothing gives spikes."""
    op = node.op
    if not isinstance(op, Population | Neuron) or op.threshold is None:
        return None
    if node.type.kind is not Kind.SPIKE:  # counts, or membranes of what fires
        return None
    names = graph[node.inputs[0]].type.names
    threshold = spread_constant(graph, op.threshold, (TIME, *(n for n in names if n != TIME)))
    if isinstance(op, Population):
        return (*membranes(graph, op, sources[0], names), threshold)
    return (*run_neuron(graph, op, sources[0], names), threshold)


def _populations(graph: Graph) -> tuple[Node, ...]:
    """The nodes of a spiking graph whose neurons fire."""
    nodes = graph.select(Population, Neuron)
    return tuple(node for node in nodes if node.type.kind is Kind.SPIKE)


def _rounded(record: dict[str, Any]) -> dict[str, Any]:
    return {k: round(v, DIGITS) if isinstance(v, float) else v for k, v in record.items()}
