"""The engine on Dask: shards go to workers, and what is lost goes out again."""

import importlib
import queue
import tempfile
import time
import uuid
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

from snncc import __version__
from snncc.artifact import Program, computation_digest, save_program
from snncc.diagnostics import SnnccError
from snncc.evaluation.engines import Deliver
from snncc.evaluation.failures import from_records
from snncc.evaluation.results import ShardResult
from snncc.evaluation.shards import Shard

LOOK_EVERY = 1.0
"""Seconds between two looks at which workers there are."""
FROZEN_AFTER = 60.0
"""Seconds after which a worker of this machine that says nothing is started anew."""


class _Disconnected(Exception):
    """The scheduler is gone; what was with it goes out again when it is back."""


def require_dask() -> Any:
    """The package `distributed`. Raises SnnccError (SNN050) without it."""
    try:
        return importlib.import_module("distributed")
    except ImportError as error:
        raise SnnccError(
            "SNN050",
            "evaluating on several workers needs the package distributed",
            why="distributed is not installed here",
            help="pip install 'snncc[cluster]'",
        ) from error


@contextmanager
def local_cluster(workers: int, frozen_after: float = FROZEN_AFTER) -> Generator[Any]:
    """Workers of this machine, each a process, at addresses that no other machine reaches.

    Args:
        workers: how many.
        frozen_after: seconds after which a worker that says nothing is started anew.

    Raises:
        SnnccError: SNN193 when they do not start.
    """
    distributed, dask = require_dask(), importlib.import_module("dask")
    with dask.config.set({"distributed.scheduler.worker-ttl": f"{frozen_after} s"}):
        try:
            made = distributed.LocalCluster(
                n_workers=workers,
                threads_per_worker=2,  # one shard runs, the next is read
                host="127.0.0.1",
                dashboard_address="127.0.0.1:0",
                worker_dashboard_address="127.0.0.1:0",
                memory_limit=0,
                preload=["snncc.evaluation.cluster_worker"],  # before it has to be heard of
                silence_logs=50,
            )
        except (RuntimeError, OSError, TimeoutError) as error:
            raise SnnccError(
                "SNN193",
                "workers of this machine do not start",
                why=str(error),
                help="in a script, evaluate under `if __name__ == '__main__':`, because every "
                "worker imports it",
            ) from error
        with made:
            yield made


@dataclass
class OnCluster:
    """Workers of a scheduler evaluate; results come back here.

    Attributes:
        address: of the scheduler, such as tcp://host:8786.
        program: to evaluate.
        threads: of the simulator on a worker.
        readers: processes that read, of each worker.
        patience: seconds that may pass without a scheduler, or without any worker.
        tell: takes sentences for the user.
        lost: addresses of workers that went away before the work was done.
        known: addresses of those that are there.
    """

    address: str
    program: Program
    threads: int
    readers: int
    patience: float
    tell: Callable[[str], None]
    lost: list[str] = field(default_factory=list[str])
    known: set[str] = field(default_factory=set[str])

    def run(self, shards: Iterable[Shard], deliver: Deliver) -> None:
        """See `Engine`; a scheduler that restarts is waited for."""
        require_dask()
        todo, out = iter(shards), deque[Shard]()
        name = f"snncc-{computation_digest(self.program)[:16]}-{uuid.uuid4().hex}"
        content = _content(self.program)
        while True:
            with self._connected(name, content) as client:
                try:
                    _Session(self, client, name, todo, out, deliver).work()
                    with suppress(Exception):  # of what is with workers the results are here
                        client.unregister_worker_plugin(name)
                    return
                except _Disconnected:
                    self.tell(f"the scheduler {self.address} is gone; waiting for it")

    @contextmanager
    def _connected(self, name: str, content: bytes) -> Generator[Any]:
        """A client whose workers have the program."""
        distributed = require_dask()
        from snncc.evaluation.cluster_worker import ProgramPlugin

        end = time.monotonic() + self.patience
        while True:
            left = end - time.monotonic()
            client = None
            try:
                client = distributed.Client(self.address, timeout=max(1.0, min(10.0, left)))
                plugin = ProgramPlugin(name, content, self.threads, self.readers)
                client.register_plugin(plugin, name=name)
                break
            except (OSError, TimeoutError, RuntimeError) as error:
                _closed(client)
                if time.monotonic() > end:
                    raise self.gave_up("there is no scheduler", str(error)) from error
                time.sleep(0.2)
            except ValueError as error:
                raise SnnccError("SNN001", f"--scheduler {self.address}: {error}") from error
            except Exception as error:
                _closed(client)
                why = f"{type(error).__name__}: {error}"
                raise self.gave_up("its workers cannot take the program", why) from error
        try:
            yield client
        finally:
            _closed(client)

    def gave_up(self, what: str, why: str) -> SnnccError:
        """SNN193 of this cluster."""
        return SnnccError(
            "SNN193",
            f"the cluster {self.address} does not evaluate: {what}",
            why=why,
            help="start scheduler and workers with the same snncc, and run the command again: "
            "what a --store holds is not done again",
        )


class _Session:
    """Work with one connection to a scheduler.

    Args:
        engine: whose work it is.
        client: connected.
        name: of the evaluation.
        todo: shards that nobody has had.
        out: shards that are with the scheduler; of a former connection, that were.
        deliver: takes results.
    """

    def __init__(
        self,
        engine: OnCluster,
        client: Any,
        name: str,
        todo: Iterator[Shard],
        out: deque[Shard],
        deliver: Deliver,
    ) -> None:
        self.engine, self.client, self.name = engine, client, name
        self.todo, self.out, self.deliver = todo, out, deliver
        self._again = deque(out)
        self._flying: dict[str, tuple[Shard, Any]] = {}
        self._done: queue.Queue[Any] = queue.Queue()
        self._sent, self._all_out = 0, False
        self._room = 0
        self._alive = self._looked = time.monotonic()

    def work(self) -> None:
        """Until every shard is delivered.

        Raises:
            _Disconnected: `out` has what must go out again.
            SnnccError: SNN193 when there has been no worker for too long.
        """
        self._look()
        while self._fill():
            with suppress(queue.Empty):
                self._take(self._done.get(timeout=LOOK_EVERY))
            if time.monotonic() - self._looked >= LOOK_EVERY:
                self._look()
        self._look()

    def _fill(self) -> bool:
        """Gives out as many shards as keep all workers busy; whether any are out."""
        while len(self._flying) < self._room:
            again = bool(self._again)
            shard = self._again.popleft() if again else next(self.todo, None)
            if shard is None:
                self._all_out = True
                break
            if not again:
                self.out.append(shard)
            self._send(shard)
        return bool(self.out) or not self._all_out

    def _send(self, shard: Shard) -> None:
        from snncc.evaluation.cluster_worker import evaluate_here

        self._sent += 1
        key = f"{self.name}-{id(self)}-{shard.number}-{self._sent}"
        future = self.client.submit(
            evaluate_here, self.name, __version__, shard, key=key, pure=False
        )
        self._flying[key] = (shard, future)
        future.add_done_callback(self._done.put)

    def _take(self, future: Any) -> None:
        entry = self._flying.get(future.key)
        if entry is None:
            return
        shard, _ = entry
        if future.status == "cancelled" or self.client.status != "running":
            raise _Disconnected
        del self._flying[future.key]
        found: Any = None
        if future.status == "error":
            found = _failure(future.exception(), shard)
        elif future.status == "finished":
            with suppress(Exception):  # of many kinds: the worker that had it is gone
                found = future.result(timeout=60)
        future.release()
        if found is None:
            self._again.append(shard)
            return
        self.out.remove(shard)
        if isinstance(found, list):
            found = from_records(cast("object", found))
        self.deliver(shard, found)

    def _look(self) -> None:
        """Which workers there are, and which are no longer."""
        self._looked = now = time.monotonic()
        if self.client.status != "running":
            raise _Disconnected
        try:
            threads: dict[str, int] = self.client.nthreads()
        except (OSError, TimeoutError, RuntimeError) as error:
            raise _Disconnected from error
        for address in sorted(self.engine.known - threads.keys()):
            self.engine.lost.append(address)
            self.engine.tell(f"the worker {address} is lost; its shards go to others")
        self.engine.known = {*threads}
        self._room = 2 * sum(threads.values())
        if threads:
            self._alive = now
        elif now - self._alive > self.engine.patience:
            raise self.engine.gave_up("there is no worker", f"{self.engine.patience:g} s long")


def _failure(error: BaseException, shard: Shard) -> ShardResult | SnnccError:
    """Of a shard that ended its workers, or raised what nobody expected."""
    killed = type(error).__name__ == "KilledWorker"
    last = getattr(getattr(error, "last_worker", None), "address", "")
    why = f"the last one was {last}" if killed else f"{type(error).__name__}: {error}"
    what = "ended every worker that took it" if killed else "failed on its worker"
    return SnnccError("SNN192", f"shard {shard.number} {what}", why=why)


def _content(program: Program) -> bytes:
    with tempfile.TemporaryDirectory(prefix="snncc-") as folder:
        path = Path(folder) / "program.snncc"
        save_program(path, program)
        return path.read_bytes()


def _closed(client: Any) -> None:
    """Closes a client, of which a scheduler that is gone may hear nothing."""
    if client is not None:
        with suppress(Exception):
            client.close(timeout=2)
