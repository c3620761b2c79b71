"""A program that evaluates shards on this machine: the same for one process and for a cluster."""

import hashlib
import os
import socket
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import Future
from functools import cached_property
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from snncc.evaluation.readers import Batch
from snncc.evaluation.results import NO_RANK, ShardResult
from snncc.evaluation.shards import Shard
from snncc.execution import Images
from snncc.ir import Graph
from snncc.runtime.answers import predictions_of
from snncc.runtime.counts.synaptic_operations import OperationCounter, OperationSums
from snncc.runtime.simulator import Simulator


class Evaluator:
    """A simulator, and what is computed from its answers.

    Args:
        graph: integer dialect, verified.
        threads: of the simulator; None for as many as the machine gives.
    """

    def __init__(self, graph: Graph, threads: int | None = None) -> None:
        self.graph = graph
        self.simulator = Simulator(graph, threads)

    @cached_property
    def counter(self) -> OperationCounter:
        """Of synaptic operations. Raises SnnccError (SNN040) for ops that nobody can count."""
        return OperationCounter(self.graph, self.simulator)

    def evaluate(self, shard: Shard, batches: "Iterator[Future[Batch]]") -> ShardResult:
        """The results of a shard.

        Args:
            shard: to evaluate.
            batches: of its images; as many are taken as it has requests, whatever happens.

        Raises:
            SnnccError: what was wrong with its images.
        """
        waited, content = 0.0, hashlib.sha256()
        taken = 0
        parts: list[tuple[NDArray[np.int32], NDArray[np.int32], NDArray[np.uint64]]] = []
        spikes, operations, latencies = Counter[str](), OperationSums(), list[int]()
        begun = time.perf_counter()
        try:
            first = 0
            while taken < len(shard.requests):
                start = time.perf_counter()
                taken += 1
                batch = next(batches).result()
                waited += time.perf_counter() - start
                content.update(batch.sha256.encode())
                images, stop = batch.images, first + len(batch.images)
                labels = None if shard.labels is None else shard.labels[first:stop]
                parts.append(self._run(images, labels, spikes, latencies))
                operations += self._counted(shard, first, images)
                first = stop
        finally:
            for _ in range(taken, len(shard.requests)):
                next(batches)
        predictions, ranks, digests = (np.concatenate(each) for each in zip(*parts, strict=True))
        return ShardResult(
            shard.number,
            predictions,
            ranks,
            digests,
            dict(spikes),
            operations,
            np.array(latencies, np.uint32),
            content.hexdigest(),
            time.perf_counter() - begun - waited,
            waited,
            f"{socket.gethostname()}:{os.getpid()}",
        )

    def _run(
        self,
        images: Images,
        labels: tuple[int, ...] | None,
        spikes: Counter[str],
        latencies: list[int],
    ) -> tuple[NDArray[np.int32], NDArray[np.int32], NDArray[np.uint64]]:
        """Predictions, ranks and digests of a batch; spikes and latencies are added."""
        times = [(0, time.perf_counter_ns())]

        def seen(done: int) -> None:
            times.append((done, time.perf_counter_ns()))

        found = self.simulator.run(images, progress=seen)
        spikes.update(found.spike_counts)
        if len(times) > 2 or times[-1][0] == 1:  # else threads shared the rows of several images
            moments = [moment for _, moment in times]
            latencies += [(b - a) // 1000 for a, b in pairwise(moments)]
        logits = found.logits.reshape(len(images), -1)
        ranks = _ranks(logits, labels)
        predictions = predictions_of(found.logits).astype(np.int32)
        rows = np.ascontiguousarray(found.readout.reshape(len(images), -1), "<i8")
        heads = b"".join(hashlib.sha256(row.data).digest()[:8] for row in rows)
        return predictions, ranks, np.frombuffer(heads, "<u8")

    def _counted(self, shard: Shard, first: int, images: Images) -> OperationSums:
        """Operations of those images of a batch whose numbers are multiples of the shard's."""
        if not shard.operations:
            return OperationSums()
        skipped = -(shard.start + first) % shard.operations
        sums, chosen = OperationSums(), images[skipped :: shard.operations]
        for start in range(0, len(chosen), self.counter.at_once):
            sums += self.counter.sums(chosen[start : start + self.counter.at_once])
        return sums


def _ranks(logits: NDArray[np.float64], labels: tuple[int, ...] | None) -> NDArray[np.int32]:
    """How many classes come before each label; of equal logits the first class does."""
    if labels is None:
        return np.full(len(logits), NO_RANK, np.int32)
    place = np.array(labels, np.int64)[:, None]
    own = np.take_along_axis(logits, place, axis=1)
    before = np.less(np.arange(logits.shape[1], dtype=np.int64)[None], place)
    ahead = np.greater(logits, own) | (np.equal(logits, own) & before)
    return np.asarray(np.count_nonzero(ahead, axis=1), np.int32)
