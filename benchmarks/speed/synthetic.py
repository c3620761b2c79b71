"""Integer programs of any width, depth, T and activity, for sweeps."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from snncc.ir import Graph, GraphBuilder
from snncc.ir.dialects.integer import IntegerPopulation, IntegerReadout
from snncc.ir.dialects.projections import Contract, Frames
from snncc.runtime.simulator import Simulator

PIXELS = 16
CLASSES = 10
SILENT = 1 << 30
"""A threshold that no membrane here reaches."""


@dataclass(frozen=True)
class Shape:
    """A chain of dense layers over tokens, as a Mixer's channel maps are.

    Attributes:
        tokens: rows that share the weights.
        width: neurons of a row, in every layer.
        depth: dense layers of width * width synapses behind the first population.
        steps: T.
        rate: wanted share of neurons that fire at a step, in every population; 0 for none.
    """

    tokens: int = 196
    width: int = 512
    depth: int = 2
    steps: int = 4
    rate: float = 0.1


@dataclass(frozen=True)
class Synthetic:
    """A program, its images, and what its populations do on the first of them."""

    shape: Shape
    graph: Graph
    images: NDArray[np.uint8]

    def counts(self, images: NDArray[np.uint8]) -> dict[str, int]:
        """Spikes of each population over some images."""
        return dict(Simulator(self.graph).run(images).spike_counts)

    def measured_rate(self, images: NDArray[np.uint8]) -> float:
        """Share of neurons that fire at a step, over all populations but the last."""
        spikes = list(self.counts(images).values())[: self.shape.depth]
        sites = self.shape.tokens * self.shape.width * self.shape.steps * len(images)
        return sum(spikes) / (sites * len(spikes))

    def adds(self, images: NDArray[np.uint8]) -> int:
        """Synaptic operations of the dense layers: a weight row for every spike."""
        spikes = list(self.counts(images).values())[: self.shape.depth]
        return sum(spikes) * self.shape.width


def synthetic(shape: Shape, images: int = 1, seed: int = 0) -> Synthetic:
    """The program; the threshold of each population is sought so that it fires at the rate."""
    rng = np.random.default_rng(seed)
    pixels = rng.integers(0, 256, (images, shape.tokens, PIXELS)).astype(np.uint8)
    b = GraphBuilder("integer", shape.steps, "exact")
    image = b.add(Frames(("token", "p"), (shape.tokens, PIXELS)), name="image")
    weight = rng.integers(-127, 128, (shape.width, PIXELS)).astype(np.int8)
    current = b.add(Contract(b.constant("w", weight, ("c0", "p")), ("p",), ("c0",)), [image])
    drive = (pixels[0].astype(np.float64) @ weight.T)[None].repeat(shape.steps, 0)
    spikes = ""
    for layer in range(shape.depth + 1):
        into, out = f"c{layer}", f"c{layer + 1}"
        threshold = SILENT if shape.rate == 0 else threshold_for(drive, shape.rate)
        spikes = b.add(_neurons(b, current, threshold), [current], name=f"layer.{layer}")
        fires = _fires(drive, threshold)
        size = CLASSES if layer == shape.depth else shape.width
        weight = rng.integers(-127, 128, (size, shape.width)).astype(np.int8)
        summed = ("token",) if layer == shape.depth else ()
        op = Contract(b.constant("w", weight, (out, into)), (into,), (out,), (), summed)
        current = b.add(op, [spikes])
        if layer < shape.depth:
            drive = (fires.astype(np.float32) @ weight.T.astype(np.float32)).astype(np.float64)
    return Synthetic(shape, b.finish(b.add(IntegerReadout(), [current], name="readout")), pixels)


def threshold_for(drive: NDArray[np.float64], rate: float) -> int:
    """The scalar threshold at which neurons with these currents, [T, ...], fire at a rate."""
    low, high = -int(np.abs(drive).max()) - 1, 2 * int(np.abs(drive).max()) + 1
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if _fires(drive, middle).mean() > rate else (low, middle)
    return high


def _fires(drive: NDArray[np.float64], threshold: int) -> NDArray[np.bool_]:
    """V = floor(V / 2) + X, fires at the threshold, goes to 0."""
    v, spikes = np.zeros_like(drive[0]), np.empty(drive.shape, bool)
    for t, x in enumerate(drive):
        v = np.floor(v / 2) + x
        spikes[t] = v >= threshold
        v[spikes[t]] = 0
    return spikes


def _neurons(b: GraphBuilder, current: str, threshold: int) -> Any:
    op = IntegerPopulation(b.constant("threshold", np.array(threshold, np.int32)))
    return replace(op, membrane=op.membrane_range(b[current].type, b.context))
