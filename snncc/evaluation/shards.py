"""An evaluation divided into shards: what is worked, stored and lost as one."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from snncc.evaluation.reading import Request
from snncc.evaluation.sources import Source

BATCH = 64
"""Images that are read and run at once."""


@dataclass(frozen=True)
class Shard:
    """Images that one worker evaluates at a time; all that it needs to know of them.

    Attributes:
        number: of the shard, from 0.
        start: its first image.
        count: of its images.
        requests: what to read, one a batch.
        labels: classes, one an image, or None.
        operations: synaptic operations are counted on every so many images; 0 for none.
    """

    number: int
    start: int
    count: int
    requests: tuple[Request, ...]
    labels: tuple[int, ...] | None
    operations: int


@dataclass(frozen=True)
class Plan:
    """What is evaluated.

    Attributes:
        source: of the images.
        count: of them, the first ones.
        size: images of a shard.
        labels: classes [count], or None.
        reference: classes that another network chose [count], or None.
        operations: synaptic operations are counted on every so many images; 0 for none.
        digest: of the program's computation.
    """

    source: Source
    count: int
    size: int
    labels: NDArray[np.int64] | None
    reference: NDArray[np.int64] | None
    operations: int
    digest: str

    @property
    def shards(self) -> int:
        """How many there are."""
        return -(-self.count // self.size)

    def bounds(self, number: int) -> tuple[int, int]:
        """The first image of a shard, and the first that is no longer in it."""
        return number * self.size, min(self.count, (number + 1) * self.size)

    def stamp(self, number: int) -> str:
        """Of the files of a shard as they are now."""
        return self.source.stamp(*self.bounds(number))

    def shard(self, number: int) -> Shard:
        start, stop = self.bounds(number)
        requests = tuple(
            self.source.request(first, min(stop, first + BATCH))
            for first in range(start, stop, BATCH)
        )
        labels = None if self.labels is None else tuple(self.labels[start:stop].tolist())
        return Shard(number, start, stop - start, requests, labels, self.operations)

    @property
    def facts(self) -> Mapping[str, str]:
        """What results depend on beside the images: of a store, these never change."""
        first = self.source.request(0, 1)
        rest = {name: first.get(name) for name in ("kind", "shape", "domain", "preset", "framing")}
        return {
            "program": self.digest,
            "images": str(self.count),
            "images of a shard": str(self.size),
            "reading": repr(rest),
            "labels": _sha(self.labels),
            "reference": _sha(self.reference),
            "counting of operations": str(self.operations),
        }


def _sha(array: NDArray[Any] | None) -> str:
    return "none" if array is None else hashlib.sha256(array.tobytes()).hexdigest()
