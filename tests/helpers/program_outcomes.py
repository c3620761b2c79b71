"""What becomes of a program file that may be anything.

It is refused by the loader with a code, and by the checker; or both accept it, it has a
certificate, and both executors give the same bits. Nothing else is right: no crash, no answer of
one that the other does not give, no hang.
"""

import hashlib
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from types import FrameType

import numpy as np

from snncc.artifact import load_program, program_digest
from snncc.artifact.program import canonical
from snncc.checker import Rejected, check
from snncc.checker.certificate import expected
from snncc.diagnostics import SnnccError
from snncc.execution import ALL, Execution
from snncc.ir import Graph, Node
from snncc.ir.dialects.projections import Frames
from snncc.mfi import Level, prove
from snncc.mfi.certificate import certify
from snncc.runtime.interpreter import interpret
from snncc.runtime.simulator import Simulator

MOST_RUN = 1 << 18
"""Neurons times steps of what is run: the others are only judged."""


@dataclass(frozen=True)
class Outcome:
    """What became of a program: "refused" or "accepted", and what is wrong with that, or ""."""

    verdict: str
    fault: str = ""
    code: str = ""


class Hang(BaseException):
    """It took too long."""


@contextmanager
def time_limit(seconds: float) -> Iterator[None]:
    """Raises `Hang` in the main thread when so much CPU time is over; load does not count."""

    def stop(_number: int, _frame: FrameType | None) -> None:
        raise Hang

    before = signal.signal(signal.SIGPROF, stop)
    signal.setitimer(signal.ITIMER_PROF, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)


LONGEST = 5.0
"""Seconds of the CPU for loading, proving and checking one small program."""
LONGEST_RUN = 200.0
"""For running it twice; the first time machine code is made."""


def outcome(content: bytes, path: Path, run: bool = True) -> Outcome:
    """Loads, proves, checks and runs a program; `path` is where its file may be written."""
    path.write_bytes(content)
    try:
        with time_limit(LONGEST):
            found, graph = _judged(content, path)
        if graph is None or found.fault or not run:
            return found
        with time_limit(LONGEST_RUN):
            return replace(found, fault=_runs_differ(graph))
    except Hang:
        return Outcome("hang", "too long")
    except Exception as error:
        return Outcome("crash", f"{type(error).__name__}: {str(error)[:200]}")


def _judged(content: bytes, path: Path) -> tuple[Outcome, Graph | None]:
    rejected = ""
    try:
        expected(content)
    except Rejected as reason:
        rejected = str(reason)
    except Exception as error:
        rejected = f"unreadable: {error}"
    try:
        program = load_program(path)
    except SnnccError as error:
        if error.code not in ("SNN017", "SNN070"):
            return Outcome("refused", f"with code {error.code}", error.code), None
        fault = "" if rejected else f"checker accepts: {error}"
        return Outcome("refused", fault, error.code), None
    if rejected:
        return Outcome("accepted", f"checker rejects: {rejected}"), None
    graph = program.graph
    if prove(graph).level is Level.NONE:
        return Outcome("accepted", "the prover finds level none"), None
    sha = hashlib.sha256(content).hexdigest()
    certificate = (canonical(certify(graph, program_digest(program), sha)) + "\n").encode()
    try:
        check(content, certificate)
    except Rejected as reason:
        return Outcome("accepted", f"certificate rejected: {reason}"), None
    return Outcome("accepted"), graph


def _runs_differ(graph: Graph) -> str:
    """What two executors answer differently on dark, random and saturated images, or ""."""
    if sum(node.type.neurons for node in graph.nodes) * graph.steps > MOST_RUN:
        return ""
    (image,) = graph.select(Frames)
    shape, (low, high) = image.type.shape, image.type.domain or (0, 255)
    rng = np.random.default_rng(len(graph.nodes))
    random = [rng.integers(low, high + 1, shape), rng.integers(0, 2, shape) * (high - low) + low]
    images = np.stack([np.full(shape, high), np.full(shape, low), *random])
    images = images.astype(image.type.dtype)
    wanted, got = interpret(graph, images, ALL), Simulator(graph, 1).run(images, ALL)
    return difference(wanted, got, graph.nodes)


def difference(wanted: Execution, got: Execution, nodes: tuple[Node, ...]) -> str:
    """Where two executions differ first, or ""."""
    for node in nodes:
        if node.name in wanted.spikes:
            if not np.array_equal(wanted.membranes[node.name], got.membranes[node.name]):
                return f"executors differ in membranes of {node.name}"
            if not np.array_equal(wanted.spikes[node.name], got.spikes[node.name]):
                return f"executors differ in spikes of {node.name}"
    if dict(wanted.spike_counts) != dict(got.spike_counts):
        return "executors differ in how many spikes there are"
    return "" if np.array_equal(wanted.readout, got.readout) else "executors differ in the answer"
