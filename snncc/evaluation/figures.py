"""The figures of an evaluation, from the results of its shards: the same for every split."""

import hashlib
import json
from collections import Counter
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from snncc.evaluation.results import ShardResult
from snncc.evaluation.shards import Plan
from snncc.evaluation.store import Store
from snncc.ir import Graph
from snncc.ir.populations import population_nodes
from snncc.runtime.counts.operation_counts import OperationCounts
from snncc.runtime.counts.synaptic_operations import OperationCounter, OperationSums

TOP = 5
SHARES = (50, 90, 99)
"""Percentiles of latencies that are told."""


@dataclass(frozen=True, eq=False)
class Evaluation:
    """What a program does on a data set.

    Attributes:
        images: how many.
        predictions: class of each, int32 [n].
        ranks: how many classes come before the label's, int32 [n]; None without labels.
        accuracy: share of images whose label comes first; None without labels.
        top5: whose label is among the first five; None without labels or with five classes.
        agreement: whose prediction is the reference's; None without one.
        reference_accuracy: of the reference; None without it or without labels.
        spike_rate: share of neurons that spike at a step.
        spike_rates: the same by population.
        operations: synaptic operations of the images on which they were counted, or None.
        latencies: milliseconds in which a thread computes an image, by percentile, "largest" and
            "images", which says how many were timed; none where no image was timed alone.
        digest: sha256 over predictions, ranks, every integer that was answered, and
            spikes: equal for equal results, whatever computed them.
        seconds: that the program ran, over all workers and earlier runs.
        waited: seconds in which workers waited for images.
        workers: shards of each process that evaluated any.
    """

    images: int
    predictions: NDArray[np.int32]
    ranks: NDArray[np.int32] | None
    accuracy: float | None
    top5: float | None
    agreement: float | None
    reference_accuracy: float | None
    spike_rate: float
    spike_rates: dict[str, float]
    operations: OperationCounts | None
    latencies: dict[str, float]
    digest: str
    seconds: float
    waited: float
    workers: dict[str, int]

    def record(self) -> dict[str, Any]:
        """In JSON form; what does not depend on time or place stands before "latencies"."""
        return {
            "images": self.images,
            "accuracy": self.accuracy,
            "top5": self.top5,
            "agreement": self.agreement,
            "reference_accuracy": self.reference_accuracy,
            "spike_rate": self.spike_rate,
            "spike_rates": self.spike_rates,
            "operations": None if self.operations is None else operations_record(self.operations),
            "results_sha256": self.digest,
            "latencies": self.latencies,
            "seconds": self.seconds,
            "waited": self.waited,
            "workers": self.workers,
        }


def figures_of(plan: Plan, graph: Graph, store: Store) -> Evaluation:
    """The figures of an evaluation all of whose shards are in a store.

    Raises:
        SnnccError: SNN190 for a row that is not what was written.
    """
    parts: list[ShardResult] = []
    spikes, operations = Counter[str](), OperationSums()
    workers = Counter[str]()
    for result in store.results():
        parts.append(result)
        spikes.update(result.spikes)
        operations += result.operations
        workers[result.worker] += 1
    predictions = np.concatenate([part.predictions for part in parts])
    ranks = np.concatenate([part.ranks for part in parts])
    digests = np.concatenate([part.digests for part in parts])
    labels, reference = plan.labels, plan.reference
    classes = max(graph[graph.output].type.shape, default=1)
    labelled = labels is not None
    nodes = population_nodes(graph)
    each = plan.count * graph.steps
    sites = sum(node.type.neurons for node in nodes)
    seal = hashlib.sha256()
    for array in (predictions, ranks, digests):
        seal.update(array.tobytes())
    seal.update(json.dumps(spikes, sort_keys=True).encode())
    return Evaluation(
        images=plan.count,
        predictions=predictions,
        ranks=ranks if labelled else None,
        accuracy=_share(ranks == 0) if labelled else None,
        top5=_share(ranks < TOP) if labelled and classes > TOP else None,
        agreement=None if reference is None else _share(predictions == reference),
        reference_accuracy=(
            None if reference is None or labels is None else _share(reference == labels)
        ),
        spike_rate=sum(spikes.values()) / max(1, each * sites),
        spike_rates={node.name: spikes[node.name] / (each * node.type.neurons) for node in nodes},
        operations=OperationCounter(graph).counts(operations) if operations.images else None,
        latencies=_latencies(np.concatenate([part.latencies for part in parts])),
        digest=seal.hexdigest(),
        seconds=sum(part.seconds for part in parts),
        waited=sum(part.waited for part in parts),
        workers=dict(workers),
    )


def operations_record(counts: OperationCounts) -> dict[str, Any]:
    """Means over the images on which operations were counted."""
    images = counts.images
    means = {what: counts.total(what) / images for what in ("dense", "effective_acs")}
    updates = counts.neurons_total("membrane_updates") / images
    return {"images": images, **means, "membrane_updates": updates}


def _share(which: NDArray[np.bool_]) -> float:
    return float(which.mean())


def _latencies(microseconds: NDArray[np.uint32]) -> dict[str, float]:
    if not microseconds.size:
        return {}
    levels = np.percentile(microseconds, SHARES, method="inverted_cdf")
    found = {str(share): float(level) / 1e3 for share, level in zip(SHARES, levels, strict=True)}
    return {**found, "largest": float(microseconds.max()) / 1e3, "images": microseconds.size}
