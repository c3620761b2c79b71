"""What evaluates shards: one process here; `cluster.py` has another engine."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import tee
from typing import Protocol

from snncc.diagnostics import SnnccError
from snncc.evaluation.evaluator import Evaluator
from snncc.evaluation.readers import readers
from snncc.evaluation.results import ShardResult
from snncc.evaluation.shards import Shard
from snncc.runtime.simulator import threads_here

Deliver = Callable[[Shard, ShardResult | SnnccError], None]
"""Takes what became of a shard."""
MOST_READERS = 8


class Engine(Protocol):
    """Evaluates shards in any order and any place."""

    def run(self, shards: Iterable[Shard], deliver: Deliver) -> None:
        """Delivers each shard once, with its results or with what was wrong.

        Raises:
            SnnccError: SNN193 when the engine itself cannot go on.
        """
        ...


def usual_readers() -> int:
    """Processes that read, where nobody says how many."""
    return min(MOST_READERS, max(1, threads_here() // 2))


@dataclass(frozen=True)
class InProcess:
    """This process runs the program; others read beside it.

    Attributes:
        evaluator: of the program.
        readers: processes that read.
    """

    evaluator: Evaluator
    readers: int

    def run(self, shards: Iterable[Shard], deliver: Deliver) -> None:
        """See `Engine`; what the next shards need is read meanwhile."""
        to_read, to_run = tee(shards)
        with readers(self.readers) as pool:
            batches = pool.ahead(request for shard in to_read for request in shard.requests)
            for shard in to_run:
                try:
                    found = self.evaluator.evaluate(shard, batches)
                except SnnccError as error:
                    deliver(shard, error)
                else:
                    deliver(shard, found)
