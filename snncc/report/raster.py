"""Which neurons fire when: a few neurons of one population, image after image."""

from dataclasses import dataclass

import numpy as np

from snncc.ir import Array

NEURONS = 48
COLUMNS = 96
"""A raster has at most so many neurons and steps; more could not be told apart."""


@dataclass(frozen=True)
class Raster:
    """Spikes of some neurons.

    Attributes:
        name: of the population.
        neurons: index of each row's neuron, in C order of the axes without time.
        of: how many neurons there are.
        images, steps: image i at step t is column i * steps + t.
        spikes: (row, column) of every spike.
        differing: (row, column) where the other execution has a spike and this one none, or the
            other way round; None without another execution.
    """

    name: str
    neurons: tuple[int, ...]
    of: int
    images: int
    steps: int
    spikes: tuple[tuple[int, int], ...]
    differing: tuple[tuple[int, int], ...] | None = None


def raster_of(name: str, spikes: Array, other: Array | None = None) -> Raster:
    """A raster of the first images.

    Neurons that differ come first into the choice, the rest are evenly spaced.

    Args:
        name: of the population.
        spikes: 0 or 1, [batch, t, *axes].
        other: of another execution, same shape.
    """
    steps = spikes.shape[1]
    images = min(len(spikes), max(1, COLUMNS // max(1, steps)))
    own = _rows(spikes[:images])
    differs = np.zeros_like(own) if other is None else own ^ _rows(other[:images])
    chosen = _chosen(len(own), np.flatnonzero(differs.any(axis=1)))
    return Raster(
        name,
        tuple(int(i) for i in chosen),
        len(own),
        images,
        steps,
        _places(own[chosen]),
        None if other is None else _places(differs[chosen]),
    )


def _rows(spikes: Array) -> Array:
    """Bool [neurons, images * steps]."""
    flat = (spikes != 0).reshape(spikes.shape[0] * spikes.shape[1], -1)
    return np.ascontiguousarray(flat.T)


def _chosen(neurons: int, differing: Array) -> Array:
    if neurons <= NEURONS:
        return np.arange(neurons)
    first = differing[: NEURONS // 2]
    spaced = np.linspace(0, neurons - 1, NEURONS - len(first)).astype(np.int64)
    return np.unique(np.concatenate([first, spaced]))


def _places(rows: Array) -> tuple[tuple[int, int], ...]:
    return tuple((int(row), int(column)) for row, column in np.argwhere(rows))
