"""Processes that read ahead, in order, beside the work."""

import json
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Generator, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from typing import IO, Any, cast

import numpy as np
from numpy.typing import NDArray

from snncc.diagnostics import SnnccError
from snncc.evaluation.failures import from_records
from snncc.evaluation.reading import Request, checksum, read

PROGRAM = (
    "import json, sys; sys.path[:] = json.loads(sys.argv.pop()); "
    "from snncc.evaluation.reader_process import serve; serve()"
)


@dataclass(frozen=True)
class Batch:
    """What was read.

    Attributes:
        images: uint8 or int8 [n, *shape].
        sha256: of their bytes.
    """

    images: NDArray[np.uint8]
    sha256: str


class Readers:
    """A thread for each process; an array, which is only copied, is read by the threads.

    Args:
        count: how many.
    """

    def __init__(self, count: int) -> None:
        self.count, self._closed = count, False
        self._own = threading.local()
        self._all: list[subprocess.Popen[bytes]] = []
        self._pool = ThreadPoolExecutor(count)

    def ahead(self, requests: Iterable[Request]) -> Iterator["Future[Batch]"]:
        """The answers in the order of the requests; reading begins now, two for each process.

        An answer that is a `SnnccError` is raised by the future's `result`.
        """
        pending = iter(requests)
        waiting = deque(self._pool.submit(self._read, r) for r in islice(pending, 2 * self.count))
        return self._in_order(waiting, pending)

    def close(self) -> None:
        """Ends the processes; what they still read is lost."""
        self._closed = True
        self._pool.shutdown(wait=False, cancel_futures=True)
        for process in self._all:
            process.kill()
        self._pool.shutdown()
        for process in self._all:
            process.communicate()

    def _in_order(
        self, waiting: "deque[Future[Batch]]", pending: Iterator[Request]
    ) -> Iterator["Future[Batch]"]:
        while waiting:
            yield waiting.popleft()
            waiting.extend(self._pool.submit(self._read, r) for r in islice(pending, 1))

    def _read(self, request: Request) -> Batch:
        if request["kind"] == "array":
            images = read(request)
            return Batch(images, checksum(images))
        status = 0
        for _ in range(2):
            process = self._process()
            found = _asked(process, request)
            if found is not None:
                return found
            status = process.wait()
            if self._closed:
                break
        raise SnnccError(
            "SNN192",
            "a process that reads files ended twice at the same images",
            why=f"its exit status was {status}",
            help="look for files that take all memory: decode them by themselves",
            details=(f"from {_first(request)} on",),
        )

    def _process(self) -> "subprocess.Popen[bytes]":
        process: subprocess.Popen[bytes] | None = getattr(self._own, "process", None)
        if process is None or process.poll() is not None:
            call = [sys.executable, "-P", "-c", PROGRAM, json.dumps(sys.path)]
            pipe = subprocess.PIPE
            process = self._own.process = subprocess.Popen(  # noqa: S603
                call, stdin=pipe, stdout=pipe, process_group=0
            )
            self._all.append(process)
        return process


@contextmanager
def readers(count: int) -> Generator[Readers]:
    """Readers, which end with the work."""
    made = Readers(count)
    try:
        yield made
    finally:
        made.close()


def _asked(process: "subprocess.Popen[bytes]", request: Request) -> Batch | None:
    """The answer; None when the process ends before it is whole.

    Raises:
        SnnccError: the answer is that the images cannot be read.
    """
    asks, answers = cast("IO[bytes]", process.stdin), cast("IO[bytes]", process.stdout)
    try:
        asks.write(json.dumps(request).encode() + b"\n")
        asks.flush()
    except OSError:
        return None
    line = answers.readline()
    if not line.endswith(b"\n"):
        return None
    head: dict[str, Any] = json.loads(line)
    if "findings" in head:
        raise from_records(head["findings"])
    images = np.empty(tuple(map(int, head["shape"])), np.dtype(f"{head['dtype']}"))
    if cast("Any", answers).readinto(images.data.cast("B")) != images.nbytes:
        return None
    return Batch(images, head["sha256"])


def _first(request: Request) -> str:
    return str([*request.get("files", ()), *request.get("members", ())][0])
