"""Executors by name."""

from collections.abc import Collection
from typing import TYPE_CHECKING

from snncc.ir import Graph
from snncc.runtime.execution import Execution, Images
from snncc.runtime.interpreter import interpret
from snncc.runtime.recording import Execute

if TYPE_CHECKING:
    from snncc.runtime.simulator import Simulator


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

    return running(Simulator(graph, threads))


def running(simulator: "Simulator") -> Execute:
    """A simulator as what runs a program."""

    def fast(images: Images, record: Collection[str]) -> Execution:
        return simulator.run(images, record)

    return fast
