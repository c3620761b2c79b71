"""Two executions that should agree: the first layer, step and neuron that differs."""

from collections.abc import Sequence
from dataclasses import dataclass

from snncc.execution import readout_of
from snncc.ir import Array
from snncc.ir.populations import count_nodes, population_nodes
from snncc.runtime.answers import predictions_of
from snncc.runtime.compare.axis_orders import AxisOrder
from snncc.runtime.compare.causes import BUG, Cause, shift_of
from snncc.runtime.compare.compared_layers import Pair, Side, pair
from snncc.runtime.compare.divergence import Divergence, NeuronState, explain

__all__ = ["Comparison", "Divergence", "LayerCount", "NeuronState", "Side", "compare"]


@dataclass(frozen=True)
class LayerCount:
    """How much of a layer differs.

    Attributes:
        name: of the population.
        neurons: how many it has.
        differing: neurons that differ at any step of any image.
        spikes: (image, step, neuron) whose spikes differ.
        membranes: whose membranes differ; None where they cannot be compared.
        shift: by how many steps all trains of B are late; None where they are not.
    """

    name: str
    neurons: int
    differing: int
    spikes: int
    membranes: int | None
    shift: int | None = None


@dataclass(frozen=True)
class Comparison:
    """What was found.

    Attributes:
        images, steps: what was compared.
        layers: every population that both sides have, in the program's order.
        left_out: populations of the program that one side lacks.
        readouts: images whose answers differ; None where they cannot be compared.
        first: None when both are equal.
    """

    images: int
    steps: int
    layers: tuple[LayerCount, ...]
    left_out: tuple[str, ...]
    readouts: int | None
    first: Divergence | None


def compare(
    a: Side, b: Side, orders: Sequence[AxisOrder] = (), limit: int | None = None
) -> Comparison:
    """Walks the layers in the program's order and finds the first step and neuron that differs.

    Every population that reaches a layer stands before it: at the first layer that differs, all
    compared inputs are still equal, at every step. Membranes count where both ran one program.

    Args:
        a: one execution.
        b: another, of the same images.
        orders: axes of recordings that do not name them.
        limit: only the first so many images.

    Raises:
        SnnccError: SNN016 when the two are not of the same network, images or steps, or the axes
            of a recording cannot be told.
    """
    both = pair(a, b, orders, limit)
    counts: list[LayerCount] = []
    first: Divergence | None = None
    shape: tuple[int, ...] = (0, 0)
    for name in both.kinds:
        differs = _differs(both, name)
        shape = differs.shape
        counts.append(_count(both, name, differs))
        if first is None and differs.any():
            first = explain(both, name, differs)
    answers = _readouts(both)
    if answers is not None and both.graph is not None and not both.kinds:
        shape = (len(answers), both.graph.steps)
    if first is None and answers is not None and answers.any():
        first = _readout_divergence(both, answers)
    graph = both.graph
    every = [] if graph is None else [*population_nodes(graph), *count_nodes(graph)]
    return Comparison(
        shape[0],
        shape[1],
        tuple(counts),
        tuple(node.name for node in every if node.name not in both.kinds),
        None if answers is None else int(answers.sum()),
        first,
    )


def _differs(both: Pair, name: str) -> Array:
    wrong: Array = both.a.recording.spikes[name] != both.b.recording.spikes[name]
    levels = both.levels(name)
    return wrong if levels is None else wrong | (levels[0] != levels[1])


def _count(both: Pair, name: str, differs: Array) -> LayerCount:
    levels = both.levels(name)
    spikes = both.a.recording.spikes[name] != both.b.recording.spikes[name]
    return LayerCount(
        name,
        both.kinds[name].neurons,
        int(differs.any(axis=(0, 1)).sum()),
        int(spikes.sum()),
        None if levels is None else int((levels[0] != levels[1]).sum()),
        shift_of(both.a.recording.spikes[name], both.b.recording.spikes[name])
        if spikes.any()
        else None,
    )


def _readouts(both: Pair) -> Array | None:
    """By image: whether answers differ; of two programs with units of their own, the largest."""
    one, two = both.a.recording.readout, both.b.recording.readout
    if one is None or two is None or one.shape != two.shape:
        return None
    units = [readout_of(side.graph).unit for side in (both.a, both.b) if side.graph is not None]
    if both.same_program or (len(units) == 2 and units[0] == units[1]):
        wrong: Array = (one != two).reshape(len(one), -1).any(axis=1)
        return wrong
    if sum(size > 1 for size in one.shape[1:]) > 1:
        return None
    largest: Array = predictions_of(one) != predictions_of(two)
    return largest


def _readout_divergence(both: Pair, wrong: Array) -> Divergence:
    one, two = both.a.recording.readout, both.b.recording.readout
    if one is None or two is None:
        raise TypeError("no readouts")
    image = int(wrong.argmax())
    index = int((one[image] != two[image]).reshape(-1).argmax())
    a, b = (NeuronState(0, level=int(each[image].flat[index])) for each in (one, two))
    text = "every spike is equal and the answers are not: the readout's constants, or its sum"
    name = "readout" if both.graph is None else both.graph.output
    return Divergence(
        name, "readout", image, None, {"class": index}, a, b, (Cause(BUG, True, text, {}),)
    )
