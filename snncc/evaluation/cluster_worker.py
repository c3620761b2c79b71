"""What runs on a worker of Dask: it is given the program once, and shards one after the other."""

import tempfile
import threading
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from distributed import WorkerPlugin

from snncc import __version__
from snncc.artifact import load_program
from snncc.diagnostics import SnnccError
from snncc.evaluation.evaluator import Evaluator
from snncc.evaluation.failures import as_records
from snncc.evaluation.readers import Readers
from snncc.evaluation.results import ShardResult
from snncc.evaluation.shards import Shard

Findings = list[dict[str, Any]]
"""What was wrong, in a form that every version of snncc can read."""


@dataclass
class Prepared:
    """A program on a worker; the simulator is made when the first shard comes.

    It runs one shard at a time: what else the worker has been given is read meanwhile.

    Attributes:
        content: of the program's file.
        threads: of the simulator.
        readers: processes that read.
    """

    content: bytes
    threads: int
    readers: int
    reading: threading.Lock = field(default_factory=threading.Lock)
    running: threading.Lock = field(default_factory=threading.Lock)

    @cached_property
    def evaluator(self) -> Evaluator:
        with tempfile.TemporaryDirectory(prefix="snncc-") as folder:
            path = Path(folder) / "program.snncc"
            path.write_bytes(self.content)
            return Evaluator(load_program(path).graph, self.threads)

    @cached_property
    def pool(self) -> Readers:
        return Readers(self.readers)


_PREPARED: dict[str, Prepared] = {}


class ProgramPlugin(WorkerPlugin):  # type: ignore[misc, unused-ignore]
    """Brings a program to every worker that there is, and to those that come later.

    Args:
        run: name of the evaluation: several may share a worker.
        content: of the program's file.
        threads: of each simulator.
        readers: processes that read, of each worker.
    """

    def __init__(self, run: str, content: bytes, threads: int, readers: int) -> None:
        self.run, self.content = run, content
        self.threads, self.readers = threads, readers

    def setup(self, worker: Any) -> None:
        """Keeps the program; one that is there already stays."""
        _PREPARED.setdefault(self.run, Prepared(self.content, self.threads, self.readers))

    def teardown(self, worker: Any) -> None:
        """Forgets the program, and ends the processes that read."""
        kept = _PREPARED.pop(self.run, None)
        if kept is not None and "pool" in kept.__dict__:
            kept.pool.close()


def evaluate_here(run: str, version: str, shard: Shard) -> ShardResult | Findings:
    """The results of a shard, or what was wrong with it.

    Args:
        run: name of the evaluation.
        version: of snncc where the results go.
        shard: to evaluate.
    """
    if version != __version__:
        message = f"a worker has snncc {__version__}, and results go to snncc {version}"
        help_ = "install the same version on every worker"
        return as_records(SnnccError("SNN193", message, help=help_))
    prepared = _PREPARED[run]
    try:
        with prepared.reading:
            batches = prepared.pool.ahead(shard.requests)
        with prepared.running:
            return prepared.evaluator.evaluate(shard, batches)
    except SnnccError as error:
        return as_records(error)
