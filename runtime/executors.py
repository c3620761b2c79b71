"""Executors by name."""

from collections.abc import Collection
from typing import TYPE_CHECKING, Protocol

from snncc.diagnostics import SnnccError
from snncc.execution import Execute, Execution, Images
from snncc.ir import Graph
from snncc.ir.arrays import count
from snncc.runtime.interpreter import interpret

if TYPE_CHECKING:
    from snncc.backends.torch_tensors.program import Device, TorchExecutor


CHUNK_BYTES = 1 << 28
"""Values of images that the interpreter takes at once may take about so much memory."""


class Runner(Protocol):
    """A program made ready to run: the simulator's, or torch's."""

    @property
    def images_at_once(self) -> int:
        """How many images a caller who reads files should give at once."""

    def run(self, images: Images, record: Collection[str] | None = None) -> Execution:
        """Answers images; spikes and membranes of `record` are kept."""


def images_of_interpreter(graph: Graph) -> int:
    """How many images a caller who reads files should give to the interpreter at once."""
    widest = 1
    for node in graph.nodes:
        bytes_each = 8 if node.type.domain is None else 1
        widest = max(widest, count(node.type.shape) * bytes_each)
    return max(1, min(256, CHUNK_BYTES // (4 * widest)))


def executor_of(
    graph: Graph, name: str, threads: int | None = None, device: "Device" = "cpu"
) -> Execute:
    """What runs a program: "interpreter" (the definition), "simulator" (fast) or "torch".

    Args:
        graph: integer dialect, verified.
        name: of the executor.
        threads: of the simulator; None for as many as the machine gives.
        device: of torch: "cpu" or "cuda".

    Raises:
        SnnccError: of `tensors_of`.
    """
    if name == "interpreter":

        def by_definition(images: Images, record: Collection[str]) -> Execution:
            return interpret(graph, images, record)

        return by_definition
    if name == "torch":
        return as_executor(tensors_of(graph, device))
    from snncc.runtime.simulator import Simulator  # here: it compiles kernels

    return as_executor(Simulator(graph, threads))


def tensors_of(graph: Graph, device: "Device") -> "TorchExecutor":
    """A program on tensors of torch.

    Raises:
        SnnccError: SNN050 when torch or the device is not there, SNN053 when its products round.
    """
    try:
        from snncc.backends.torch_tensors.program import TorchExecutor  # here: it imports torch
    except ModuleNotFoundError as error:
        raise SnnccError(
            "SNN050",
            "--executor torch needs the package torch",
            why=f"it cannot be imported here: {error}",
            help="pip install 'snncc[compile]', or leave --executor out",
        ) from error
    return TorchExecutor(graph, device)


def as_executor(runner: Runner) -> Execute:
    """What runs a program, as a function."""

    def fast(images: Images, record: Collection[str]) -> Execution:
        return runner.run(images, record)

    return fast
