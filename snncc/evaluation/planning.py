"""From what a user names to a plan, and from a plan to its figures."""

import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from snncc.artifact import Program, computation_digest
from snncc.evaluation.cluster import OnCluster, local_cluster
from snncc.evaluation.engines import Engine, InProcess, usual_readers
from snncc.evaluation.evaluating import Tell, evaluate_shards, missing_from
from snncc.evaluation.evaluator import Evaluator
from snncc.evaluation.expected import labels_of, reference_of
from snncc.evaluation.figures import Evaluation, figures_of
from snncc.evaluation.shards import Plan
from snncc.evaluation.sources import open_source
from snncc.evaluation.store import open_store
from snncc.runtime.answers import class_axis
from snncc.runtime.counts.synaptic_operations import OperationCounter

SHARD = 256
PATIENCE = 300.0


@dataclass(frozen=True)
class Ways:
    """Who evaluates.

    Attributes:
        threads: of each simulator; None: all of this machine, or one on each worker.
        readers: processes that read, beside each simulator; None for as many as are usual.
        workers: processes of this machine; None for this one.
        scheduler: address of one of Dask, or None.
        patience: seconds that may pass without it, or without workers.
    """

    threads: int | None = None
    readers: int | None = None
    workers: int | None = None
    scheduler: str | None = None
    patience: float = PATIENCE


@dataclass(frozen=True, eq=False)
class Done:
    """An evaluation, and what this call had to do for it.

    Attributes:
        evaluation: of all images.
        images: that this call evaluated.
        seconds: that it took for them.
        lost: workers that went away meanwhile.
    """

    evaluation: Evaluation
    images: int
    seconds: float
    lost: tuple[str, ...]


def plan_of(
    program: Program,
    data: str,
    labels: str | NDArray[np.int64] | None = None,
    reference: str | None = None,
    limit: int | None = None,
    size: int = SHARD,
    operations: int = 0,
) -> Plan:
    """What is evaluated.

    Args:
        program: of a classifier.
        data: see `open_source`.
        labels: a word of `labels_of`, or classes.
        reference: logits of another network, or None.
        limit: only the first images.
        size: images of a shard.
        operations: synaptic operations are counted on every so many images; 0 for none.

    Raises:
        SnnccError: SNN110 where an answer has several axes; SNN040 where operations cannot be
            counted; SNN001, SNN015 or SNN016 for data, labels or logits that do not fit.
    """
    graph = program.graph
    shape = graph[graph.output].type.shape
    class_axis(shape)
    classes = max(shape, default=1)
    if operations:
        OperationCounter.require(graph)
    source = open_source(graph, program.provenance, data)
    count = source.count if limit is None else min(limit, source.count)
    given = labels_of(labels, source, data, count, classes)
    other = None if reference is None else reference_of(reference, data, count, classes)
    return Plan(source, count, size, given, other, operations, computation_digest(program))


def evaluate(
    program: Program,
    plan: Plan,
    store: Path | None,
    restart: bool,
    ways: Ways,
    progress: Callable[[int, int], None],
    tell: Tell,
) -> Done:
    """Evaluates what a store does not hold, and gives the figures of all.

    Args:
        program: of the plan.
        plan: what is evaluated.
        store: a file that results are kept in; None for none.
        restart: forgets what is in the store.
        ways: who evaluates.
        progress: called with the number of images that are done, and with all of them.
        tell: takes sentences for the user: workers that are lost, rows that are damaged.

    Raises:
        SnnccError: SNN002 or SNN190 of the store; SNN191, SNN192, SNN193; SNN050 without Dask.
    """
    with open_store(store, plan.facts, restart) as kept:
        missing, images = missing_from(plan, kept, tell), 0
        lost: tuple[str, ...] = ()
        start = time.perf_counter()
        if missing:
            with _engine(program, ways, tell) as engine:
                images = evaluate_shards(plan, kept, missing, engine, progress)
            lost = (*engine.lost,) if isinstance(engine, OnCluster) else ()
        seconds = time.perf_counter() - start
        return Done(figures_of(plan, program.graph, kept), images, seconds, lost)


@contextmanager
def _engine(program: Program, ways: Ways, tell: Tell) -> Generator[Engine]:
    if ways.workers is None and ways.scheduler is None:
        evaluator = Evaluator(program.graph, ways.threads)
        yield InProcess(evaluator, ways.readers or usual_readers())
        return
    rest = (program, ways.threads or 1, ways.readers or 1, ways.patience, tell)
    if ways.scheduler is not None:
        yield OnCluster(ways.scheduler, *rest)
        return
    with local_cluster(ways.workers or 1) as made:
        yield OnCluster(str(made.scheduler_address), *rest)
