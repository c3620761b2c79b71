"""What a shard gave: numbers for each image, and sums."""

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import astuple, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from snncc.runtime.counts.synaptic_operations import OperationSums

NO_RANK = -1
COLUMNS = {"predictions": "<i4", "ranks": "<i4", "digests": "<u8", "latencies": "<u4"}
"""Types of the arrays, whatever machine they come from."""


@dataclass(frozen=True, eq=False)
class ShardResult:
    """What a program gave for the images of a shard.

    Attributes:
        number: of the shard.
        predictions: class of each image.
        ranks: how many classes come before the label's, of each image; `NO_RANK` without labels.
        digests: the first 8 bytes of the sha256 of each image's answer, integers.
        spikes: by population, of all images.
        operations: sums over the images on which operations were counted.
        latencies: microseconds of the images that one thread computed alone.
        content: sha256 of what was read.
        seconds: of the program, without what it waited for.
        waited: seconds in which there was nothing to run yet.
        worker: who it was.
    """

    number: int
    predictions: NDArray[np.int32]
    ranks: NDArray[np.int32]
    digests: NDArray[np.uint64]
    spikes: Mapping[str, int]
    operations: OperationSums
    latencies: NDArray[np.uint32]
    content: str
    seconds: float
    waited: float
    worker: str

    def row(self, stamp: str) -> tuple[object, ...]:
        """As a store keeps it; the last column is the sha256 of the others."""
        arrays = [np.asarray(getattr(self, name), kind).tobytes() for name, kind in COLUMNS.items()]
        columns = (
            *(self.number, stamp, self.content, *arrays),
            *(_json(self.spikes), _json(astuple(self.operations))),
            *(self.seconds, self.waited, self.worker),
        )
        return (*columns, checksum_of(columns))


def checksum_of(columns: Iterable[object]) -> str:
    """Of the columns of a row; what stands in which one is told apart."""
    return hashlib.sha256(repr(tuple(columns)).encode()).hexdigest()


def result_of(row: tuple[Any, ...]) -> ShardResult | None:
    """What a row says; None where it is not what was written."""
    *columns, seal = row
    if checksum_of(columns) != seal:
        return None
    number, _, content, *rest = columns
    arrays = [
        np.frombuffer(data, kind) for data, kind in zip(rest[:4], COLUMNS.values(), strict=True)
    ]
    predictions, ranks, digests, latencies = arrays
    images, reached, spiked, changes = json.loads(rest[5])
    sums = OperationSums(images, {n: tuple(v) for n, v in reached.items()}, spiked, changes)
    spikes = json.loads(rest[4])
    return ShardResult(
        number, predictions, ranks, digests, spikes, sums, latencies, content, *rest[6:]
    )


def _json(record: object) -> str:
    return json.dumps(record, sort_keys=True, separators=(",", ":"))
