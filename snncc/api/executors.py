"""What runs a program for Python callers, made once for each choice."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from snncc.api.checks import choice, whole
from snncc.diagnostics import SnnccError
from snncc.execution import Execute
from snncc.ir import Graph

if TYPE_CHECKING:
    from snncc.runtime.simulator import Simulator

EXECUTORS = ("simulator", "interpreter", "torch")
DEVICES = ("cpu", "cuda")
KERNELS = ("event", "dense", "auto")


class Executors:
    """Makes them when they are first asked for.

    Args:
        graph: integer dialect.
        report: of the program; it may hold spike rates.
    """

    def __init__(self, graph: Graph, report: Mapping[str, Any]) -> None:
        self._graph, self._report = graph, report
        self._made: dict[tuple[str, str, int | None, str | None], Execute] = {}
        self._streaming: dict[int | None, Simulator] = {}

    def of(self, executor: str, kernels: str, threads: int | None, device: str | None) -> Execute:
        """What runs the program, made once for each choice."""
        from snncc.backends.cpu.dense.choice import known_rates
        from snncc.runtime.executors import as_executor, executor_of
        from snncc.runtime.simulator import Simulator

        choice("executor", executor, EXECUTORS)
        choice("kernels", kernels, KERNELS)
        threads = _number_of(threads)
        if executor != "simulator" and (kernels != "event" or threads is not None):
            raise SnnccError(
                "SNN001",
                f"kernels and threads do not go with executor={executor!r}",
                why="they are the simulator's alone",
                help="leave them out",
            )
        if device is not None and choice("device", device, DEVICES) and executor != "torch":
            raise SnnccError(
                "SNN001",
                f"device does not go with executor={executor!r}",
                why="it is where executor='torch' computes",
                help="leave it out, or give executor='torch'",
            )
        key = (executor, kernels, threads, device)
        if key not in self._made:
            if executor == "interpreter":
                self._made[key] = executor_of(self._graph, executor)
            elif executor == "torch":
                chosen: Any = device or "cpu"
                self._made[key] = executor_of(self._graph, executor, device=chosen)
            else:
                rates = known_rates(self._report)
                known: Any = kernels
                self._made[key] = as_executor(Simulator(self._graph, threads, known, rates))
        return self._made[key]

    def streaming(self, threads: int | None) -> "Simulator":
        """The simulator of streams with so many threads; None for as many as the machine gives."""
        from snncc.runtime.simulator import Simulator

        threads = _number_of(threads)
        if threads not in self._streaming:
            self._streaming[threads] = Simulator(self._graph, threads)
        return self._streaming[threads]


def _number_of(threads: int | None) -> int | None:
    if threads is not None and whole("threads", threads) < 1:
        raise SnnccError("SNN001", f"threads={threads}", help="give at least 1")
    return threads
