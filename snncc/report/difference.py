"""A program beside another execution: how much of every layer differs, and the first difference."""

from collections.abc import Mapping
from dataclasses import dataclass

from snncc.ir import Array, Graph
from snncc.runtime.compare.compared_layers import pair
from snncc.runtime.compare.comparison import Comparison, Side, compare
from snncc.runtime.recording import Recording

TITLES = {
    "rounding": "rounding near the threshold",
    "time-shift": "a time shift",
    "reset-rule": "another rule of the neurons",
    "bug": "no time shift, no rule of the neurons and no rounding explains it",
    "unknown": "not known",
}
STATES = {
    "spike": "spike",
    "current": "current that arrived",
    "before": "membrane before",
    "level": "membrane at the threshold",
    "threshold": "threshold",
    "distance": "distance to it",
    "after": "membrane after",
}


@dataclass(frozen=True)
class Other:
    """Another execution of the same images.

    Attributes:
        name: for people.
        recording: what its neurons did.
        graph: its program, where it is known.
    """

    name: str
    recording: Recording
    graph: Graph | None = None


@dataclass(frozen=True)
class LayerFlips:
    """One population.

    Attributes:
        name: of it.
        share: of images, steps and neurons whose spikes differ.
        neurons: that differ anywhere.
        of: how many there are.
        shift: by how many steps all trains of the other are late; None where they are not.
    """

    name: str
    share: float
    neurons: int
    of: int
    shift: int | None


@dataclass(frozen=True)
class Trace:
    """One neuron over the steps.

    Attributes:
        own, other: membranes at the comparison; none where a side has none.
        levels: thresholds at the first difference, of both sides; None where one is not known.
    """

    own: tuple[int, ...]
    other: tuple[int, ...]
    levels: tuple[int, int] | None = None


@dataclass(frozen=True)
class First:
    """The first difference.

    Attributes:
        where: layer, image, step and neuron, in words.
        layer: name of the population.
        cause: title of what explains it.
        text: the evidence for it.
        states: what, in this program, in the other; for people.
        trace: of the neuron.
    """

    where: str
    layer: str
    cause: str
    text: str
    states: tuple[tuple[str, str, str], ...]
    trace: Trace


@dataclass(frozen=True)
class DifferenceFacts:
    """Two executions.

    Attributes:
        other: what the second is called.
        images: that were compared.
        layers: populations that both have, in the program's order.
        left_out: populations that the other lacks.
        answers: images whose answers differ; None where they cannot be compared.
        first: None when all is equal.
    """

    other: str
    images: int
    layers: tuple[LayerFlips, ...]
    left_out: tuple[str, ...]
    answers: int | None
    first: First | None


@dataclass(frozen=True)
class Compared:
    """Facts, and spikes of both [batch, t, *axes] by population."""

    facts: DifferenceFacts
    spikes: Mapping[str, tuple[Array, Array]]


def differences(graph: Graph, own: Recording, other: Other, limit: int) -> Compared:
    """Compares.

    Args:
        graph: of the program.
        own: what its neurons did.
        other: the other execution.
        limit: only the first so many images.

    Raises:
        SnnccError: SNN016 when the two are not of one network, the same images or steps.
    """
    one, two = Side("A", own, graph), Side("B", other.recording, other.graph)
    found = compare(one, two, limit=limit)
    both = pair(one, two, limit=limit)
    spikes = {
        name: (both.a.recording.spikes[name], both.b.recording.spikes[name]) for name in both.kinds
    }
    levels = [side.recording.membranes for side in (both.a, both.b)]
    trains = max(1, found.images * found.steps)
    layers = tuple(
        LayerFlips(
            each.name,
            each.spikes / max(1, trains * each.neurons),
            each.differing,
            each.neurons,
            each.shift,
        )
        for each in found.layers
    )
    facts = DifferenceFacts(
        other.name,
        found.images,
        layers,
        found.left_out,
        found.readouts,
        _first(found, levels[0], levels[1]),
    )
    return Compared(facts, spikes)


def _first(found: Comparison, own: Mapping[str, Array], other: Mapping[str, Array]) -> First | None:
    first = found.first
    if first is None:
        return None
    neuron = ", ".join(f"{axis} {index}" for axis, index in first.neuron.items())
    at = "" if first.step is None else f", step {first.step}"
    states = [
        (title, _told(getattr(first.a, key)), _told(getattr(first.b, key)))
        for key, title in STATES.items()
    ]
    place: tuple[int | slice, ...] = (first.image, slice(None), *first.neuron.values())
    trace = Trace((), ())
    if first.step is not None:
        known = [state.threshold for state in (first.a, first.b) if state.threshold]
        trace = Trace(
            _train(own.get(first.layer), place),
            _train(other.get(first.layer), place),
            (known[0], known[1]) if len(known) == 2 else None,
        )
    return First(
        f"{first.layer}, image {first.image}{at}, neuron {neuron}: {first.what}",
        first.layer,
        TITLES.get(first.cause.kind, first.cause.kind),
        first.cause.text,
        tuple(row for row in states if row[1:] != ("?", "?")),
        trace,
    )


def _told(value: object) -> str:
    return f"{value:,}" if isinstance(value, int) else "?"


def _train(levels: Array | None, place: tuple[int | slice, ...]) -> tuple[int, ...]:
    return () if levels is None else tuple(int(n) for n in levels[place])
