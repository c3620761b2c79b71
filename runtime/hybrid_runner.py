"""Runs a plan of which some units are matrix products, between the compiled ones."""

from itertools import pairwise

from snncc.backends.cpu.unit_plan import UnitPlan
from snncc.ir import Array, Graph
from snncc.runtime.dense_kernels import DenseLayer
from snncc.runtime.unit_runner import Memory, Runner


class HybridRunner(Runner):
    """Compiled units up to a dense one, its product, compiled units again.

    Args:
        graph: the program.
        plan: of it, made with `dense`.
    """

    def __init__(self, graph: Graph, plan: UnitPlan) -> None:
        super().__init__(graph, plan)
        self.layers = {number: DenseLayer(unit) for number, unit in plan.dense.items()}

    def run(
        self,
        memory: Memory,
        image: Array,
        thread: int = 0,
        threads: int = 1,
        steps: tuple[int, int] | None = None,
        units: tuple[int, int] | None = None,
    ) -> None:
        """As `Runner.run`. Threads share the steps of a product, and its end is waited for."""
        first, last = units or (0, len(self.plan.units))
        begin, end = steps or (0, self.plan.steps)
        edges = [begin + (end - begin) * i // threads for i in range(threads + 1)]
        own = edges[thread], edges[thread + 1]
        places = [number for number in sorted(self.layers) if first <= number < last]
        for at, number in pairwise([first - 1, *places]):
            super().run(memory, image, thread, threads, (begin, end), (at + 1, number))
            self._product(memory, number, own, begin)
        rest = (places[-1] + 1 if places else first, last)
        super().run(memory, image, thread, threads, (begin, end), rest)

    def _product(self, memory: Memory, number: int, own: tuple[int, int], begin: int) -> None:
        try:
            self.layers[number].run(memory.values, *own, begin)
        except BaseException:
            memory.meeting.abort()  # the other threads wait for this one
            raise
        memory.meeting.wait()
