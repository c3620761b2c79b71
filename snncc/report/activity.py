"""What populations did on images: rates, membranes against the threshold, how near they came."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from snncc.execution import Execute, Images
from snncc.ir import Array, Graph
from snncc.ir.arrays import spread
from snncc.ir.dialects.integer import IntegerPopulation
from snncc.ir.dialects.integer_neurons import IntegerNeuron
from snncc.ir.populations import population_nodes
from snncc.ir.types import TIME

BINS = 50
REACH = 2.5
"""Histograms of membranes go so many thresholds to either side; end bins hold what is beyond."""
NEAR = 64
"""A membrane within 1/64 of its threshold is near it, as `snncc inspect` has it."""
CHUNK_BYTES = 1 << 28
"""Recorded spikes and membranes of so many images are held at once."""


@dataclass(frozen=True)
class Watched:
    """One population over images, steps and neurons.

    Attributes:
        name: of the population.
        neurons: how many.
        spikes: how many, over all.
        low, high: least and largest membrane at the comparison.
        scale: the median size of its thresholds, at least 1: the unit of the histogram.
        counts: membranes minus threshold in units of `scale`, in `BINS` bins from -REACH to REACH.
        near: membranes within 1/64 of their threshold.
        silent: neurons that never fire.
        steady: neurons that fire at every step.
        membranes: how many were looked at: images * steps * neurons.
    """

    name: str
    neurons: int
    spikes: int
    low: int
    high: int
    scale: int
    counts: tuple[int, ...]
    near: int
    silent: int
    steady: int
    membranes: int

    @property
    def rate(self) -> float:
        """Spikes of a neuron at a step."""
        return self.spikes / max(1, self.membranes)


def edges() -> Array:
    """Borders of the bins, in thresholds from the threshold."""
    return np.linspace(-REACH, REACH, BINS + 1)


def watch(
    graph: Graph,
    images: Images,
    execute: Execute,
    progress: Callable[[int, int], None] | None = None,
) -> tuple[Watched, ...]:
    """Runs images, part by part, and looks at every membrane.

    Args:
        graph: integer dialect.
        images: uint8 [n, *axes of one image].
        execute: runs the program and records populations.
        progress: called with how many images are done, and how many there are.
    """
    nodes = population_nodes(graph)
    names = [node.name for node in nodes]
    sites = sum(node.type.neurons for node in nodes)
    step = max(1, CHUNK_BYTES // max(1, 9 * sites * graph.steps))
    tallies = {name: Tally(name, graph[name].type.names, levels_of(graph, name)) for name in names}
    for start in range(0, len(images), step):
        part = execute(images[start : start + step], names)
        for name in names:
            tallies[name].add(part.spikes[name], part.membranes[name])
        if progress is not None:
            progress(min(len(images), start + step), len(images))
    return tuple(tallies[name].watched() for name in names)


def levels_of(graph: Graph, name: str) -> Array:
    """Thresholds of a population, int64, over [t, *other axes]; lengths may be 1."""
    node = graph[name]
    op = node.op
    param = op.threshold if isinstance(op, IntegerPopulation | IntegerNeuron) else None
    if param is None:
        raise TypeError(name)
    target = (TIME, *(axis for axis in node.type.names if axis != TIME))
    return spread(graph.constants[param.name].astype(np.int64), param.axes, target)


class Tally:
    """Sums over parts of the images.

    Args:
        name: of the population.
        axes: names of its axes; every population has time among them.
        levels: its thresholds, [t, *other axes]; lengths may be 1.
    """

    def __init__(self, name: str, axes: tuple[str, ...], levels: Array) -> None:
        self.name, self.axes, self.levels = name, axes, levels
        self.scale = max(1, int(np.median(np.abs(levels))))
        self.counts: Array = np.zeros(BINS, np.int64)
        self.ends: list[tuple[int, int]] = []
        self.near, self.spikes, self.seen = 0, 0, 0
        self.fired: Array = np.zeros(0, bool)
        self.missed: Array = np.zeros(0, bool)

    def add(self, spikes: Array, membranes: Array) -> None:
        """One part: [batch, *axes of the population]."""
        time = 1 + self.axes.index(TIME)
        s, z = np.moveaxis(spikes, time, 1), np.moveaxis(membranes, time, 1)
        away = z - self.levels[None]
        held = np.clip(away / self.scale, -REACH, REACH)
        self.counts += np.histogram(held, edges())[0]
        self.ends.append((int(z.min()), int(z.max())))
        self.near += int((np.abs(away) * NEAR <= np.abs(self.levels[None])).sum())
        self.spikes += int(s.sum())
        self.seen += z.size
        flat = (s != 0).reshape(s.shape[0] * s.shape[1], -1)
        fired: Array = np.asarray(flat.any(axis=0), bool)
        missed: Array = np.asarray(~flat.all(axis=0), bool)
        self.fired = fired if not self.fired.size else self.fired | fired
        self.missed = missed if not self.missed.size else self.missed | missed

    def watched(self) -> Watched:
        low, high = min(low for low, _ in self.ends), max(high for _, high in self.ends)
        return Watched(
            self.name,
            self.fired.size,
            self.spikes,
            low,
            high,
            self.scale,
            tuple(int(n) for n in self.counts),
            self.near,
            int((~self.fired).sum()),
            int((~self.missed).sum()),
            self.seen,
        )


def by_name(watched: tuple[Watched, ...]) -> Mapping[str, Watched]:
    """Populations by name."""
    return {each.name: each for each in watched}
