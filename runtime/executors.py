"""Executors by name."""

from collections.abc import Collection
from typing import TYPE_CHECKING

from snncc.execution import Execute, Execution, Images
from snncc.ir import Graph
from snncc.ir.arrays import count
from snncc.runtime.interpreter import interpret

if TYPE_CHECKING:
    from snncc.runtime.simulator import Simulator


CHUNK_BYTES = 1 << 28
"""Values of images that the interpreter takes at once may take about so much memory."""


def images_of_interpreter(graph: Graph) -> int:
    """How many images a caller who reads files should give to the interpreter at once."""
    widest = 1
    for node in graph.nodes:
        bytes_each = 8 if node.type.domain is None else 1
        widest = max(widest, count(node.type.shape) * bytes_each)
    return max(1, min(256, CHUNK_BYTES // (4 * widest)))


def executor_of(graph: Graph, name: str, threads: int | None = None) -> Execute:
    """What runs a program: "interpreter" (the definition) or "simulator" (fast).

    Args:
        graph: integer dialect, verified.
        name: of the executor.
        threads: of the simulator; None for as many as the machine gives.
    """
    if name == "interpreter":

        def by_definition(images: Images, record: Collection[str]) -> Execution:
            return interpret(graph, images, record)

        return by_definition
    from snncc.runtime.simulator import Simulator  # here: it compiles kernels

    return as_executor(Simulator(graph, threads))


def as_executor(simulator: "Simulator") -> Execute:
    """A simulator as what runs a program."""

    def fast(images: Images, record: Collection[str]) -> Execution:
        return simulator.run(images, record)

    return fast
