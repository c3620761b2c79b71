"""Walks the network once with calibration images: the real one beside the rounded one."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from snncc.ir import Graph, Node
from snncc.ir.arrays import count
from snncc.ir.cycles import Component, arranged, components
from snncc.ir.dialects.projections import Contract, Convolve
from snncc.ir.images import ImageSource
from snncc.quantize.copies import Copy, SharedInputs, copies_of, meeting_point
from snncc.quantize.inputs import synapse_inputs
from snncc.quantize.rounding import Use, round_to_nearest, round_with_compensation
from snncc.quantize.unit_rules import output_axis
from snncc.quantize.units import (
    LEAST_SHARE,
    Bits,
    Chooser,
    Units,
    choose_units,
    largest_weight,
    row_place,
    rows_of,
)
from snncc.semantics.arrays import Real
from snncc.semantics.delays import settled
from snncc.semantics.spiking import evaluate

UNIT_IMAGES = 256
"""So many images are enough to choose units by."""
MEMORY = 1 << 30
"""Values of all images at once, in bytes: more images are thinned out evenly."""
Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Rounded:
    """Integers of every projection, in the shape of its weight, and in which units they are."""

    units: Units
    integers: Mapping[str, NDArray[np.int64]]


def round_plainly(graph: Graph, weight_bits: int | Bits, choose: Chooser = choose_units) -> Rounded:
    """Rounds every weight to the nearest integer of its grid; needs no data."""
    bits = every(graph, weight_bits)

    def loss(node: Node, rows: Real, grid: Real) -> Real:
        largest = largest_weight(bits[node.name])
        lost: Real = ((rows - round_to_nearest(rows, grid, largest) * grid) ** 2).sum(axis=1)
        return lost

    units = choose(graph, bits, loss)
    integers: dict[str, NDArray[np.int64]] = {}
    for node in graph.select(Contract, Convolve):
        rows, grid = rows_of(graph, node), _grid(units, node)
        rounded = round_to_nearest(rows, grid, largest_weight(bits[node.name]))
        integers[node.name] = shaped(graph, node, rounded).astype(np.int64)
    return Rounded(units, integers)


def round_with_images(
    graph: Graph,
    weight_bits: int | Bits,
    images: NDArray[np.uint8],
    progress: Progress | None = None,
    choose: Chooser = choose_units,
    least: float = LEAST_SHARE,
) -> Rounded:
    """Rounds weights so that currents stay as they are on calibration images.

    First the units: those with which compensated rounding loses least for the real network's
    spikes. Then projections are rounded in the order of the network, each for the spikes that the
    already rounded part gives, compensating its own error.

    Not done, because measured to be worse on the trained Mixer-SNN: moving mean errors into biases
    (many neurons of axis-wise maps sit within 0.1 % of a tie and all flip at once) and refitting
    weights to make up for earlier flips (regression on flipped spikes shrinks the weights).

    Args:
        graph: spiking graph without offsets.
        weight_bits: of the signed weights, for all or by projection.
        images: [n, *axes of the image].
        progress: called with the number of nodes done and their total.
        choose: chooses the units.
        least: share of the largest weight, at least, as the end of a grid.
    """
    graph = arranged(graph)
    bits = every(graph, weight_bits)
    walk = _Walk(graph, images, copies_of(graph, bits))
    uses = walk.uses()

    def loss(node: Node, rows: Real, grid: Real) -> Real:
        use = uses.get(node.name)
        if use is None:
            return np.zeros(len(rows))
        return _compensated(rows, grid, largest_weight(bits[node.name]), use)[1]

    units = choose(graph, bits, loss, least=least)
    integers: dict[str, NDArray[np.int64]] = {}
    once: dict[tuple[Copy, bytes], Real] = {}
    loops = {part.nodes[0].name: part for part in components(graph) if part.cyclic}
    for index, node in enumerate(graph.nodes):
        walk.enter(loops.get(node.name))
        if isinstance(node.op, Contract | Convolve):
            grid = _grid(units, node)
            copy = walk.copies.get(node.name, ())
            rounded = once.get((copy, grid.tobytes()))
            if rounded is None:
                largest = largest_weight(bits[node.name])
                rounded = walk.round(node, grid, largest, walk.together.get(copy))
            if copy:
                once[copy, grid.tobytes()] = rounded
            integers[node.name] = shaped(graph, node, rounded).astype(np.int64)
            walk.advance(node, shaped(graph, node, rounded * grid))
        else:
            walk.advance(node)
        if progress is not None:
            progress(index + 1, len(graph.nodes))
    return Rounded(units, integers)


def every(graph: Graph, bits: int | Bits) -> Bits:
    """Bits by projection."""
    if not isinstance(bits, int):
        return bits
    return {node.name: bits for node in graph.select(Contract, Convolve)}


def images_that_fit(graph: Graph, images: ImageSource) -> NDArray[np.uint8]:
    """The images, or every k-th of them when the values of all would take more than `MEMORY`."""
    chosen: NDArray[np.uint8] = images[places_that_fit(graph, len(images))]
    return chosen


def places_that_fit(graph: Graph, images: int) -> NDArray[np.int64]:
    """Which of so many images `images_that_fit` takes."""
    most = min(images, max(1, MEMORY // peak_bytes(graph)))
    return np.linspace(0, images - 1, most).round().astype(np.int64)


def peak_bytes(graph: Graph) -> int:
    """Bytes of one image's values in float64 at the node where most of them are alive.

    A node's inputs, its result and two copies that it makes of them count together.
    """
    graph, alive, peak = arranged(graph), dict[str, int](), 1
    for node in graph.nodes:
        alive[node.name] = 8 * count(node.type.shape)
        own = max([alive[node.name], *(alive.get(name, 0) for name in node.inputs)])
        peak = max(peak, sum(alive.values()) + 2 * own)
        for name in graph.last_uses.get(node.name, ()):
            del alive[name]
    return peak


def shaped(graph: Graph, node: Node, rows: Real) -> Real:
    """Rows [output element, rest] back in the shape of the projection's weight."""
    op = node.op
    if not isinstance(op, Contract | Convolve):
        raise TypeError(op.mnemonic)
    shape, place = graph.constants[op.weight.name].shape, row_place(node)
    if place is None:
        return rows.reshape(shape)
    moved = (shape[place], *shape[:place], *shape[place + 1 :])
    return np.moveaxis(rows.reshape(moved), 0, place)


def _compensated(rows: Real, grid: Real, largest: float, use: Use) -> tuple[Real, Real]:
    """Rounds rows [o, blocks * k], each block of unshared weights for itself; what each loses."""
    blocks = rows.shape[1] // len(use.order)
    flat, steps = rows.reshape(-1, len(use.order)), np.repeat(grid, blocks, axis=0)
    rounded, lost = round_with_compensation(flat, steps, largest, use)
    return rounded.reshape(rows.shape), lost.reshape(len(rows), -1).sum(axis=1)


def _grid(units: Units, node: Node) -> Real:
    """The step of every row of a projection, [o, 1]."""
    axis, grid = output_axis(node), units.grid(node.name)
    if axis is None:
        return grid.array.reshape(1, 1)
    return np.broadcast_to(grid.over((axis,)), (node.type.size(axis),)).reshape(-1, 1)


Key = tuple[str, tuple[object, ...]]
"""A value, and how a projection reads it."""


def _reading(op: Contract | Convolve, kernel: tuple[int, ...]) -> tuple[object, ...]:
    if isinstance(op, Contract):
        return op.into, op.summed
    axes = (op.channel, op.height, op.width)
    return axes, kernel, op.stride, op.padding, op.dilation, op.groups


class _Walk:
    """Values of the rounded network, freed when nothing reads them any more."""

    def __init__(self, graph: Graph, images: NDArray[np.uint8], copies: Mapping[str, Copy]) -> None:
        self.graph = graph
        self.images = images
        self.copies = copies
        self.together: dict[Copy, Use] = {}
        self.values: dict[str, Real] = {}
        self._known: dict[Key, Use | None] = {}
        self._loops: dict[str, Component] = {}
        self._rounded: dict[str, Real] = {}

    def uses(self) -> dict[str, Use]:
        """How every projection's inputs occur in the real network, on a part of the images."""
        few = self.images[:: max(1, len(self.images) // UNIT_IMAGES)]
        real = _Walk(self.graph, few, self.copies)
        found: dict[str, Use] = {}
        seen: dict[Copy, SharedInputs] = {}
        loops = {part.nodes[0].name: part for part in components(self.graph) if part.cyclic}
        for node in self.graph.nodes:
            real.enter(loops.get(node.name))
            use = real.use(node)
            if use is not None:
                found[node.name] = use
                if node.name in self.copies:
                    inputs = real.inputs(node)
                    if inputs is not None:
                        both = seen.setdefault(self.copies[node.name], SharedInputs({}))
                        both.add(meeting_point(self.graph, node), inputs)
            real.advance(node)
        self.together = {copy: Use.of(both.gram()) for copy, both in seen.items()}
        return found

    def use(self, node: Node) -> Use | None:
        """How a projection's inputs occur; known for all that read the same inputs alike."""
        op = node.op
        if not isinstance(op, Contract | Convolve):
            return None
        kernel = self.graph.constants[op.weight.name].shape[-2:]
        key = (node.inputs[0], _reading(op, kernel))
        if key not in self._known:
            inputs = self.inputs(node)
            gram = None if inputs is None else (inputs.T @ inputs).astype(np.float64)
            count = 0 if inputs is None else len(inputs)
            self._known[key] = None if gram is None else Use.of(gram / count)
        return self._known[key]

    def inputs(self, node: Node) -> NDArray[np.float32] | None:
        """What the synapses of one output see, [rows, synapses]."""
        op = node.op
        if not isinstance(op, Contract | Convolve):
            return None
        kernel = self.graph.constants[op.weight.name].shape[-2:]
        source = self.graph[node.inputs[0]].type
        return synapse_inputs(node, source, self.values[node.inputs[0]], kernel)

    def round(self, node: Node, grid: Real, largest: float, together: Use | None) -> Real:
        """Integer rows of a projection for the inputs that the rounded network gives it.

        Copies are rounded for the inputs of all of them together.
        """
        rows, use = rows_of(self.graph, node), together or self.use(node)
        if use is None:
            return round_to_nearest(rows, grid, largest)
        return _compensated(rows, grid, largest, use)[0]

    def enter(self, loop: Component | None) -> None:
        """Before the first node of a loop: its values with the weights as they are.

        What a map of it reads comes from maps behind it too, which are not rounded yet.
        """
        if loop is not None:
            self._settle(loop)
            self._loops |= {node.name: loop for node in loop.nodes}

    def _settle(self, loop: Component) -> None:
        def value(node: Node, sources: list[Real]) -> Real:
            return self._value(node, sources, self._rounded.get(node.name))

        self.values |= settled(self.graph, loop, self.values, len(self.images), value)

    def advance(self, node: Node, weight: Real | None = None) -> None:
        """Computes a node's value, with another weight if one is given.

        Of a loop all values at once, when its last node is reached.
        """
        loop = self._loops.get(node.name)
        if loop is None:
            sources = [self.values[name] for name in node.inputs]
            self.values[node.name] = self._value(node, sources, weight)
            self._forget(node)
            return
        if weight is not None:
            self._rounded[node.name] = weight
        if node is loop.nodes[-1]:
            self._settle(loop)
            for each in loop.nodes:
                self._forget(each)

    def _value(self, node: Node, sources: list[Real], weight: Real | None) -> Real:
        graph = self.graph
        if weight is not None and isinstance(node.op, Contract | Convolve):
            graph = replace(graph, constants={**graph.constants, node.op.weight.name: weight})
        return evaluate(graph, node, sources, self.images)

    def _forget(self, node: Node) -> None:
        """Values that nobody reads after a node."""
        for name in self.graph.last_uses.get(node.name, ()):
            del self.values[name]
            for key in [k for k in self._known if k[0] == name]:
                del self._known[key]
