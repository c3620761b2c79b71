"""The first neuron that differs: its state on both sides, and the evidence for the cause."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from snncc.ir import TIME, Array, Graph, Kind, Node
from snncc.ir.dialects.integer import IntegerPopulation
from snncc.ir.dialects.integer_neurons import IntegerNeuron
from snncc.ir.dialects.projections import Frames
from snncc.ir.dialects.thresholds import MultiThreshold
from snncc.runtime.compare.causes import Cause, causes_of
from snncc.runtime.compare.compared_layers import Pair, Side
from snncc.runtime.compare.layer_evidence import LayerEvidence, LayerSide
from snncc.runtime.compare.layer_inputs import LayerInputs, contributions, inputs_of, sources_of
from snncc.runtime.compare.program_differences import constant_differences

Place = tuple[int, ...]
"""Image, step, and the index on each other axis."""


@dataclass(frozen=True)
class NeuronState:
    """A neuron at one step on one side; None where that side does not tell.

    Attributes:
        spike: 0 or 1.
        current: what arrived, recomputed from this side's spikes and program.
        drive: what the current adds to the membrane: with polarity, offset and bias.
        before: membrane that the step found, before the leak.
        level: membrane at the comparison.
        after: membrane after the reset.
        threshold: what the level is compared with.
        sources: the current that each population, or the image, causes alone.
    """

    spike: int
    current: int | None = None
    drive: int | None = None
    before: int | None = None
    level: int | None = None
    after: int | None = None
    threshold: int | None = None
    sources: Mapping[str, int] | None = None

    @property
    def distance(self) -> int | None:
        """From the threshold to the membrane; None where one is not known."""
        known = self.level is not None and self.threshold is not None
        return (self.level or 0) - (self.threshold or 0) if known else None


@dataclass(frozen=True)
class Divergence:
    """The first difference.

    Attributes:
        layer: name of the population, or of the readout.
        what: "spike", "membrane" or "readout".
        image: its number in the batch.
        step: None for the readout.
        neuron: index on each axis.
        a, b: the neuron on both sides.
        causes: what explains it, see `causes_of`; the first that fits is the cause.
        missing: inputs of the layer that are not compared, so that they may differ unseen.
    """

    layer: str
    what: str
    image: int
    step: int | None
    neuron: Mapping[str, int]
    a: NeuronState
    b: NeuronState
    causes: tuple[Cause, ...]
    missing: tuple[str, ...] = ()

    @property
    def cause(self) -> Cause:
        """The first explanation that fits."""
        return next(cause for cause in self.causes if cause.fits)


def explain(both: Pair, name: str, differs: Array) -> Divergence:
    """The first difference of a layer.

    Args:
        both: the executions.
        name: the first population that differs.
        differs: bool [batch, t, ...], with at least one difference.
    """
    place = _first(differs)
    a, b = _layer_side(both, both.a, name), _layer_side(both, both.b, name)
    if both.same_program:  # equal inputs, one program: what one side knows holds for the other
        known = a if a.inputs is not None else b
        a, b = (replace(side, inputs=known.inputs, rule=known.rule) for side in (a, b))
    knows = [side.inputs is not None for side in (a, b)]
    own, other = (b, a) if knows == [False, True] else (a, b)
    constants = None
    if both.a.graph is not None and both.b.graph is not None:
        one, two = both.a.graph, both.b.graph
        constants = constant_differences(one, one[name], two, two[name])
    evidence = LayerEvidence(own, other, both.same_program, place, constants)
    graph, axes = both.graph, [n for n in both.kinds[name].names if n != TIME]
    return Divergence(
        name,
        _what(both, name) if a.spikes[place] != b.spikes[place] else "membrane",
        place[0],
        place[1],
        dict(zip(axes, place[2:], strict=True)),
        _state(both, both.a, a, name, place),
        _state(both, both.b, b, name, place),
        causes_of(evidence),
        () if graph is None else _unseen(both, graph, graph[name]),
    )


def _what(both: Pair, name: str) -> str:
    return "count" if both.kinds[name].kind is Kind.COUNT else "spike"


def _first(differs: Array) -> Place:
    """The earliest step; at this step the first image; there the first neuron."""
    step = int(differs.any(axis=(0, *range(2, differs.ndim))).argmax())
    wrong = differs[:, step].reshape(len(differs), -1)
    image = int(wrong.any(axis=1).argmax())
    neuron = np.unravel_index(int(wrong[image].argmax()), differs.shape[2:])
    return (image, step, *(int(i) for i in neuron))


def _unseen(both: Pair, graph: Graph, node: Node) -> tuple[str, ...]:
    """Populations that reach a layer and are not compared."""
    sources = [n for n in sources_of(graph, node) if not isinstance(n.op, Frames)]
    return tuple(n.name for n in sources if n.name not in both.kinds)


def _layer_side(both: Pair, side: Side, name: str) -> LayerSide:
    recording, graph = side.recording, side.graph
    levels = recording.membranes.get(name) if recording.program else None
    levels = None if levels is None else levels.astype(np.int64)
    if graph is None:
        return LayerSide(side.label, recording.spikes[name], levels, None, None)
    node, inputs = graph[name], None
    if isinstance(node.op, IntegerNeuron | MultiThreshold):  # no rule of one state explains it
        return LayerSide(side.label, recording.spikes[name], levels, None, None)
    if not isinstance(node.op, IntegerPopulation):
        raise TypeError(f"{name} is no population")
    spikes = _source_spikes(both, side, graph, node)
    if spikes is not None:
        inputs = _with_axes(inputs_of(graph, node, spikes, both.images), node, _axes(both, name))
    return LayerSide(side.label, recording.spikes[name], levels, inputs, node.op.rule)


def _axes(both: Pair, name: str) -> list[str]:
    return [n for n in both.kinds[name].names if n != TIME]


def _with_axes(inputs: LayerInputs, node: Node, want: list[str]) -> LayerInputs:
    """The same, with the axes in the order of the other program's population."""
    have = [n for n in node.type.names if n != TIME]
    order = [0, 1, *(2 + have.index(n) for n in want)]
    return LayerInputs(
        inputs.current.transpose(order),
        inputs.drive.transpose(order),
        inputs.thresholds[None].transpose(order)[0],
        inputs.variance.transpose(order),
    )


def _source_spikes(both: Pair, side: Side, graph: Graph, node: Node) -> dict[str, Array] | None:
    """Spikes of what reaches a population, as an executor holds them; None where any lack."""
    found: dict[str, Array] = {}
    for source in sources_of(graph, node):
        if isinstance(source.op, Frames):
            if both.images is None:
                return None
            continue
        spikes = side.recording.spikes.get(source.name)
        if spikes is None:
            return None
        names = source.type.names
        have = _axes(both, source.name) if source.name in both.kinds else list(names)
        have = [TIME, *(n for n in have if n != TIME)]
        found[source.name] = spikes.transpose([0, *(1 + have.index(n) for n in names)])
    return found


def _state(both: Pair, side: Side, view: LayerSide, name: str, place: Place) -> NeuronState:
    expected, spike = view.expected, int(view.spikes[place])
    level = None if view.levels is None else int(view.levels[place])
    if expected is None or view.inputs is None:
        return NeuronState(spike, level=level)
    thresholds = np.broadcast_to(view.inputs.thresholds[None], view.spikes[:1].shape)
    return NeuronState(
        spike,
        int(view.inputs.current[place]),
        int(view.inputs.drive[place]),
        int(expected.before[place]),
        int(expected.levels[place]) if level is None else level,
        int(expected.after[place]),
        int(thresholds[(0, *place[1:])]),
        _sources(both, side, name, place),
    )


def _sources(both: Pair, side: Side, name: str, place: Place) -> dict[str, int] | None:
    graph = side.graph
    known = None if graph is None else _source_spikes(both, side, graph, graph[name])
    if graph is None or known is None:
        return None
    image = slice(place[0], place[0] + 1)
    pixels = None if both.images is None else both.images[image]
    alone = contributions(graph, graph[name], {n: s[image] for n, s in known.items()}, pixels)
    index = dict(zip(_axes(both, name), place[2:], strict=True))
    rest = [n for n in graph[name].type.names if n != TIME]
    at = (0, place[1], *(index[n] for n in rest))
    return {source: int(current[at]) for source, current in alone.items()}
