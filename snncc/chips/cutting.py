"""Cuts layers into boxes of whole chunks of their axes, each within the limits of one core.

Layers are cut in reverse order, so that how many pieces a neuron sends to is known when its own
layer is cut. A cut is a grid: so many chunks along each axis. Of the grids with the fewest boxes in
which every box fits, that with the fewest messages is taken; nothing depends on data.
"""

import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from snncc.chips.facts import Chip
from snncc.chips.grids import axes_of
from snncc.chips.needs import of_neurons
from snncc.chips.storing import Memory, Stored, SynapseFormat
from snncc.chips.synapses import Ints
from snncc.ir import TIME, Graph
from snncc.ir.dialects.integer import IntegerPopulation

MOST_BOXES = 512
"""Pieces of a layer."""
MOST_CELLS = 1 << 25
"""Pieces times neurons that send: what is counted at once."""
LIMITS: Mapping[str, str] = {
    "neurons": "core.neurons",
    "in_axons": "core.in_axons",
    "out_axons": "core.out_axons",
    "synapse_bits": "core.synapse_memory",
    "thresholds": "core.thresholds",
    "formats": "core.synapse_formats",
}
"""The field of each resource of a core."""
_SPLIT = ("neurons", "synapse_bits", "out_axons")
"""Resources of which pieces together take no less than the layer in one piece."""
Box = tuple[tuple[int, int], ...]
"""First and last + 1 along each axis of a layer."""


@dataclass(frozen=True)
class Piece:
    """Neurons of one layer that are on one core.

    Attributes:
        layer: its name.
        box: which of its neurons.
        load: what it takes of each resource.
        thresholds: distinct ones.
        formats: distinct ones of its synapses.
    """

    layer: str
    box: Box
    load: Mapping[str, int]
    thresholds: frozenset[int]
    formats: frozenset[SynapseFormat]


@dataclass(frozen=True)
class Uncut:
    """A layer that no grid brings within the limits.

    Attributes:
        layer: its name.
        short: what its largest piece takes of the resources that are short, at the finest grid.
    """

    layer: str
    short: Mapping[str, int]


@dataclass(frozen=True)
class Cut:
    """All pieces of a program.

    Attributes:
        pieces: in the order of the program.
        uncut: layers that cannot be cut; their pieces are missing.
        sends: for each population, pieces that each of its neurons sends to.
        messages: a step, when every neuron fires.
    """

    pieces: tuple[Piece, ...]
    uncut: tuple[Uncut, ...]
    sends: Mapping[str, Ints]
    messages: int


def limits_of(chip: Chip, share: int = 1) -> dict[str, int]:
    """What is known of the limits of a core, or of one of `share` equal parts of it."""
    known = {name: chip.whole(key) for name, key in LIMITS.items()}
    kept = ("thresholds", "formats")
    return {
        name: limit if name in kept else max(1, limit // share)
        for name, limit in known.items()
        if limit is not None
    }


def cut(graph: Graph, layers: Sequence[Stored], chip: Chip, memory: Memory, share: int = 1) -> Cut:
    """Cuts all layers, the last one first."""
    limits = limits_of(chip, share)
    sends = {each.layer.name: np.zeros(each.layer.node.type.neurons, np.int64) for each in layers}
    found: list[list[Piece]] = []
    uncut = [each for each in (_never(graph, layer, memory, limits) for layer in layers) if each]
    messages = 0
    if uncut:  # the others need not be cut: the program does not fit
        return Cut((), tuple(uncut), sends, messages)
    for each in reversed(layers):
        work = _Work.of(graph, each, memory, sends[each.layer.name])
        best = _best(work, limits)
        if isinstance(best, Uncut):
            uncut.append(best)
            continue
        own, reach = best
        for name, pieces_of in reach.items():
            if name in sends:  # an image is no population
                sends[name] = sends[name] + pieces_of
                messages += int(pieces_of.sum())
        found.append(own)
    pieces = tuple(piece for some in reversed(found) for piece in some)
    return Cut(pieces, tuple(reversed(uncut)), sends, messages)


def _never(graph: Graph, layer: Stored, memory: Memory, limits: Mapping[str, int]) -> Uncut | None:
    """Why no cut of a layer fits: one of its neurons alone takes too much; None where none does."""
    none = np.zeros(layer.layer.node.type.neurons, np.int64)
    alone = _Work.of(graph, layer, memory, none).most_alone()
    short = {name: alone[name] for name in limits if alone.get(name, 0) > limits[name]}
    return Uncut(layer.layer.name, short) if short else None


@dataclass(frozen=True)
class _Work:
    """A layer with what does not depend on the grid."""

    stored: Stored
    memory: Memory
    sends: Ints
    thresholds: Ints
    kinds: Ints

    @classmethod
    def of(cls, graph: Graph, stored: Stored, memory: Memory, sends: Ints) -> "_Work":
        node = stored.layer.node
        values = np.zeros(node.type.neurons, np.int64)
        if isinstance(node.op, IntegerPopulation) and TIME not in node.op.threshold.axes:
            values = of_neurons(graph, node, node.op.threshold, 0)
        distinct, kinds = np.unique(values, return_inverse=True)
        return cls(stored, memory, sends, distinct, kinds.reshape(-1))

    @property
    def sizes(self) -> tuple[int, ...]:
        return tuple(axes_of(self.stored.layer.node).values())

    def most_alone(self) -> dict[str, int]:
        """What the neuron takes that takes most, alone on a core: no cut goes below it."""
        axons, bits = np.zeros((2, len(self.kinds)), np.int64)
        each = self.memory.weight_bits + self.memory.other_bits + self.stored.delay_bits
        for lists in self.stored.lists:
            axons += np.bincount(lists.targets, minlength=len(axons))
            parts = np.bincount(lists.targets, weights=lists.parts, minlength=len(axons))
            bits += parts.astype(np.int64) * each
        most = {"in_axons": axons, "synapse_bits": bits, "out_axons": self.sends}
        found = {name: int(values.max(initial=0)) for name, values in most.items()}
        return found | {"formats": len(self.stored.formats)}

    def loads(self, at: Ints, boxes: int) -> tuple[dict[str, Ints], dict[str, Ints]]:
        """What each box takes, and for each source how many boxes each of its elements reaches."""
        stored = self.stored
        pairs = np.unique(at * len(self.thresholds) + self.kinds) // len(self.thresholds)
        load = {
            "neurons": np.bincount(at, minlength=boxes),
            "out_axons": np.bincount(at, weights=self.sends, minlength=boxes).astype(np.int64),
            "thresholds": np.bincount(pairs, minlength=boxes),
            "formats": np.full(boxes, len(stored.formats), np.int64),
            "in_axons": np.zeros(boxes, np.int64),
            "synapse_bits": np.zeros(boxes, np.int64),
        }
        reach: dict[str, Ints] = {}
        for lists in stored.lists:
            key = at[lists.targets] * lists.width + lists.sources
            counts = np.bincount(key, weights=lists.parts, minlength=boxes * lists.width)
            held = counts.astype(np.int64).reshape(boxes, lists.width)
            load["in_axons"] += np.count_nonzero(held, axis=1)
            load["synapse_bits"] += self.memory.bits(held, stored.delay_bits).sum(axis=1)
            reached = np.count_nonzero(held, axis=0).astype(np.int64)
            reach[lists.source] = reach.get(lists.source, np.zeros_like(reached)) + reached
        return load, reach


def _best(work: _Work, limits: Mapping[str, int]) -> tuple[list[Piece], dict[str, Ints]] | Uncut:
    widest = max((lists.width for lists in work.stored.lists), default=1)
    most = max(1, min(MOST_BOXES, MOST_CELLS // widest))
    alone = work.most_alone()
    short: Mapping[str, int] = {
        name: alone[name] for name in limits if alone.get(name, 0) > limits[name]
    }
    if short:
        return Uncut(work.stored.layer.name, short)
    whole, _ = work.loads(np.zeros(math.prod(work.sizes), np.int64), 1)
    least = max(-(-int(whole[name][0]) // limits[name]) for name in _SPLIT if name in limits)
    best: tuple[list[Piece], dict[str, Ints]] | None = None
    fewest, boxes_of_best = 0, 0
    for grid in _grids(work.sizes, least, most):
        boxes = math.prod(grid)
        if best is not None and boxes > boxes_of_best:
            break
        at = _labels(work.sizes, grid)
        load, reach = work.loads(at, boxes)
        over = {name: int(load[name].max()) for name in limits if load[name].max() > limits[name]}
        messages = sum(int(each.sum()) for each in reach.values())
        if over:
            short = over
        elif best is None or messages < fewest:
            best, fewest, boxes_of_best = (_pieces(work, grid, at, load), reach), messages, boxes
    return best or Uncut(work.stored.layer.name, short or {"pieces": least})


def _pieces(work: _Work, grid: tuple[int, ...], at: Ints, load: Mapping[str, Ints]) -> list[Piece]:
    chunks = [
        [(start, min(size, start + -(-size // k))) for start in range(0, size, -(-size // k))]
        for size, k in zip(work.sizes, grid, strict=True)
    ]
    found: list[Piece] = []
    for place, box in enumerate(itertools.product(*chunks)):
        kinds = np.unique(work.kinds[at == place])
        values = frozenset(int(work.thresholds[kind]) for kind in kinds)
        own = {name: int(each[place]) for name, each in load.items()}
        found.append(Piece(work.stored.layer.name, box, own, values, work.stored.formats))
    return found


def _grids(sizes: tuple[int, ...], least: int, most: int) -> Iterator[tuple[int, ...]]:
    """Grids with so many boxes, the fewest first; no two that cut alike."""
    counts = [sorted({-(-n // -(-n // k)) for k in range(1, min(n, most) + 1)}) for n in sizes]
    every = (grid for grid in itertools.product(*counts) if least <= math.prod(grid) <= most)
    return iter(sorted(every, key=lambda grid: (math.prod(grid), grid)))


def _labels(sizes: tuple[int, ...], grid: tuple[int, ...]) -> Ints:
    """The box of every neuron, in the order in which `itertools.product` gives boxes."""
    at = np.zeros(sizes, np.int64)
    for axis, (size, k) in enumerate(zip(sizes, grid, strict=True)):
        lead = [1] * len(sizes)
        lead[axis] = size
        at = at * k + (np.arange(size) // -(-size // k)).reshape(lead)
    return at.ravel()
