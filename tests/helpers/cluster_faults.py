"""A plugin that workers of Dask take: one shard ends every worker that evaluates it."""

import os
import signal
from typing import Any

from distributed import WorkerPlugin

from snncc.evaluation.evaluator import Evaluator


class Poison(WorkerPlugin):
    def __init__(self, number: int) -> None:
        self.number = number

    def setup(self, worker: Any) -> None:
        work = Evaluator.evaluate

        def poisoned(evaluator: Evaluator, shard: Any, batches: Any) -> Any:
            if shard.number == self.number:
                os.kill(os.getpid(), signal.SIGKILL)
            return work(evaluator, shard, batches)

        Evaluator.evaluate = poisoned  # type: ignore[method-assign]
