"""Sparse integer matrices: which neuron reaches which, with what integer."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
NONE = -1
"""In place of an element's index: nothing is there."""


@dataclass(frozen=True, eq=False)
class Synapses:
    """Entries of a matrix; a pair may occur several times until `merged` adds them up.

    Attributes:
        targets: int64 [n], element of the value that receives.
        sources: int64 [n], element of the population or image that sends.
        weights: int64 [n].
        shape: elements that receive, elements that send.
    """

    targets: Ints
    sources: Ints
    weights: Ints
    shape: tuple[int, int]

    def __len__(self) -> int:
        return len(self.weights)

    def merged(self) -> "Synapses":
        """Each pair once, in order of targets and then sources, without zeros."""
        key = self.targets * self.shape[1] + self.sources
        order = np.argsort(key, kind="stable")
        key, weights = key[order], self.weights[order]
        first = np.flatnonzero(np.diff(key, prepend=NONE))
        total = np.add.reduceat(weights, first) if len(first) else weights
        kept = total != 0
        at = key[first][kept]
        return Synapses(at // self.shape[1], at % self.shape[1], total[kept], self.shape)

    def shifted(self, by: int) -> "Synapses":
        """All weights times 2^by."""
        return Synapses(self.targets, self.sources, self.weights << by, self.shape)

    def signed(self, sign: Ints) -> "Synapses":
        """Weights with the sign, or 0, of their target. Args: sign: int64 [targets]."""
        weights = self.weights * sign[self.targets]
        kept = weights != 0
        return Synapses(self.targets[kept], self.sources[kept], weights[kept], self.shape)

    def taken(self, index: Ints) -> "Synapses":
        """The matrix of a value whose element r is element index[r] of this one, or nothing."""
        order = np.argsort(self.targets, kind="stable")
        sources, weights = self.sources[order], self.weights[order]
        start = np.searchsorted(self.targets[order], np.arange(self.shape[0] + 1))
        counts = np.where(index == NONE, 0, np.diff(start)[index])
        targets = np.repeat(np.arange(len(index), dtype=np.int64), counts)
        first = np.repeat(start[index] - np.cumsum(counts) + counts, counts)
        at = first + np.arange(len(targets), dtype=np.int64)
        return Synapses(targets, sources[at], weights[at], (len(index), self.shape[1]))

    def after(self, selection: "Synapses") -> "Synapses":
        """The matrix over the sources of a selection, whose elements are each one of them or none.

        Args:
            selection: with weights of 1 and one entry an element at most.
        """
        place = np.full(selection.shape[0], NONE, np.int64)
        place[selection.targets] = selection.sources
        sources = place[self.sources]
        kept = sources != NONE
        shape = self.shape[0], selection.shape[1]
        return Synapses(self.targets[kept], sources[kept], self.weights[kept], shape)

    def applied(self, x: Ints) -> Ints:
        """What the targets receive, int64 [batch, targets].

        Args:
            x: int64 [batch, sources].
        """
        total = np.zeros((self.shape[0], len(x)), np.int64)
        np.add.at(total, self.targets, self.weights[:, None] * x.T[self.sources])
        return total.T


def identity(elements: int) -> Synapses:
    """Every element is itself."""
    at = np.arange(elements, dtype=np.int64)
    return Synapses(at, at, np.ones(elements, np.int64), (elements, elements))


def together(parts: Iterable[Synapses]) -> Synapses:
    """All entries of some matrices of one shape."""
    each = [*parts]
    return Synapses(
        np.concatenate([part.targets for part in each]),
        np.concatenate([part.sources for part in each]),
        np.concatenate([part.weights for part in each]),
        each[0].shape,
    )
