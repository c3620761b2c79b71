"""Walks the network once with calibration images: the real one beside the rounded one."""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from snncc.ir import TIME, Graph, Node
from snncc.ir.projections import Contract, Convolve
from snncc.ir.spiking_ops import Population, Readout
from snncc.passes.named import Named
from snncc.quantize.inputs import synapse_inputs
from snncc.quantize.rounding import round_to_nearest, round_with_compensation
from snncc.quantize.units import Units, choose_units, output_axis, rows_of
from snncc.semantics.arrays import Real
from snncc.semantics.spiking import evaluate

REFIT = 0.5
"""How far weights move toward the refit that undoes earlier flips; 1 overfits the images."""
RIDGE = 0.02
Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Rounded:
    """Integers of every projection, and what calibration adds to biases.

    Attributes:
        units: in which currents are counted.
        integers: by projection, in the shape of its weight.
        corrections: by population or readout: real numbers to add to every step's current.
    """

    units: Units
    integers: Mapping[str, NDArray[np.int64]]
    corrections: Mapping[str, Named]


def round_plainly(graph: Graph, weight_bits: int) -> Rounded:
    """Rounds every weight to the nearest integer of its grid; needs no data."""
    units = choose_units(graph, weight_bits, {})
    largest = 2.0 ** (weight_bits - 1) - 1
    integers: dict[str, NDArray[np.int64]] = {}
    for node in graph.select(Contract, Convolve):
        rows, grid = rows_of(graph, node), _grid(units, node)
        integers[node.name] = shaped(graph, node, round_to_nearest(rows, grid, largest))
    return Rounded(units, integers, {})


def round_with_images(
    graph: Graph,
    weight_bits: int,
    images: NDArray[np.uint8],
    progress: Progress | None = None,
) -> Rounded:
    """Rounds weights so that currents stay as they are on calibration images.

    Projections are rounded in the order of the network, each for the spikes that the already
    rounded part gives. It is first refitted part of the way to what makes up for flips before it;
    then its rounding compensates its own error. What remains as a current's mean error goes into
    the biases of the populations that read it.

    Args:
        graph: spiking graph without offsets.
        weight_bits: of the signed weights.
        images: [n, *axes of the image].
        progress: called with the number of nodes done and their total.
    """
    largest = 2.0 ** (weight_bits - 1) - 1
    walk = _Walk(graph, images)
    units = choose_units(graph, weight_bits, walk.importance())
    integers: dict[str, NDArray[np.int64]] = {}
    corrections: dict[str, Named] = {}
    for index, node in enumerate(graph.nodes):
        if isinstance(node.op, Contract | Convolve):
            grid = _grid(units, node)
            rounded = walk.round(node, grid, largest)
            integers[node.name] = shaped(graph, node, rounded)
            walk.advance(node, weight=shaped(graph, node, rounded * grid, np.float64))
        else:
            correction = walk.mean_error(node)
            if correction is not None:
                corrections[node.name] = correction
            walk.advance(node, correction=correction)
        if progress is not None:
            progress(index + 1, len(graph.nodes))
    return Rounded(units, integers, corrections)


def shaped(
    graph: Graph, node: Node, rows: Real, dtype: type[np.generic] = np.int64
) -> NDArray[np.int64]:
    """Rows [output element, rest] back in the shape of the projection's weight."""
    op = node.op
    if not isinstance(op, Contract | Convolve):
        raise TypeError(op.mnemonic)
    shape = graph.constants[op.weight.name].shape
    if isinstance(op, Contract) and output_axis(node) is not None:
        lead = len(op.shared)
        moved = (shape[lead], *shape[:lead], *shape[lead + 1 :])
        return np.moveaxis(rows.reshape(moved), 0, lead).astype(dtype)
    return rows.reshape(shape).astype(dtype)


def _grid(units: Units, node: Node) -> Real:
    axis = output_axis(node)
    grid = units.grid(node.name)
    return grid.over((axis,) if axis is not None else ()).reshape(-1, 1)


class _Walk:
    """Values of the real network and of the rounded one, freed when nothing reads them any more."""

    def __init__(self, graph: Graph, images: NDArray[np.uint8]) -> None:
        self.graph = graph
        self.images = images
        self.real: dict[str, Real] = {}
        self.rounded: dict[str, Real] = {}
        self.pending = Counter(name for node in graph.nodes for name in node.inputs)

    def importance(self) -> dict[str, Real]:
        """How often each synapse is used in the real network, on a few of the images."""
        few = self.images[:: max(1, len(self.images) // 128)]
        values: dict[str, Real] = {}
        pending = Counter(self.pending)
        found: dict[str, Real] = {}
        for node in self.graph.nodes:
            if isinstance(node.op, Contract | Convolve):
                inputs = self._inputs(node, values[node.inputs[0]])
                if inputs is not None:
                    found[node.name] = np.square(inputs, dtype=np.float64).mean(axis=0) + 1e-6
            sources = [values[name] for name in node.inputs]
            values[node.name] = evaluate(self.graph, node, sources, few)
            _forget(values, pending, node)
        return found

    def _inputs(self, node: Node, value: Real) -> NDArray[np.float32] | None:
        op = node.op
        if not isinstance(op, Contract | Convolve):
            return None
        kernel = self.graph.constants[op.weight.name].shape[-2:]
        source = self.graph[node.inputs[0]].type
        return synapse_inputs(node, source, value, kernel)

    def round(self, node: Node, grid: Real, largest: float) -> Real:
        """Integer rows of a projection for the inputs that the rounded network gives it."""
        rows = rows_of(self.graph, node)
        inputs = self._inputs(node, self.rounded[node.inputs[0]])
        if inputs is None:
            return round_to_nearest(rows, grid, largest)
        gram = (inputs.T @ inputs).astype(np.float64) / len(inputs)
        wanted = self._inputs(node, self.real[node.inputs[0]])
        if wanted is not None and not np.array_equal(wanted, inputs):
            cross = (wanted.T @ inputs).astype(np.float64) / len(inputs)
            damped = gram.copy()
            damped[np.diag_indices_from(damped)] += RIDGE * max(float(np.diag(gram).mean()), 1e-12)
            keep = cross + (damped - gram)  # the ridge pulls toward the given weights, not to 0
            refit = np.linalg.solve(damped, keep.T @ rows.T).T
            rows = rows + REFIT * (refit - rows)
        return round_with_compensation(rows, grid, largest, gram)

    def mean_error(self, node: Node) -> Named | None:
        """What the rounded current lacks on average, along its unit-bearing last axis."""
        if not isinstance(node.op, Population | Readout):
            return None
        name = node.inputs[0]
        error = self.real[name] - self.rounded[name]
        names = self.graph[name].type.names
        keep = [n for n in names if n != TIME][-1:]
        mean = error.mean(
            axis=tuple(i for i in range(error.ndim) if i == 0 or names[i - 1] not in keep)
        )
        return Named(tuple(keep), np.asarray(mean))

    def advance(
        self,
        node: Node,
        weight: NDArray[np.generic] | None = None,
        correction: Named | None = None,
    ) -> None:
        """Computes a node's two values."""
        graph = self.graph
        real = [self.real[name] for name in node.inputs]
        rounded = [self.rounded[name] for name in node.inputs]
        self.real[node.name] = evaluate(graph, node, real, self.images)
        if correction is not None:
            names = graph[node.inputs[0]].type.names
            rounded = [rounded[0] + correction.over(names)]
        if weight is not None and isinstance(node.op, Contract | Convolve):
            graph = replace(graph, constants={**graph.constants, node.op.weight.name: weight})
        self.rounded[node.name] = evaluate(graph, node, rounded, self.images)
        _forget(self.real, self.pending.copy(), node)
        _forget(self.rounded, self.pending, node)


def _forget(values: dict[str, Real], pending: Counter[str], node: Node) -> None:
    for name in node.inputs:
        pending[name] -= 1
        if pending[name] == 0:
            del values[name]
