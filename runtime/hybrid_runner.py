"""Runs a plan of which some units are matrix products or the host's, between the compiled ones."""

from collections.abc import Callable
from functools import partial
from itertools import pairwise

from snncc.backends.cpu.dense.layers import DenseLayer
from snncc.backends.cpu.plan.unit_plan import UnitPlan
from snncc.backends.cpu.vm.runner import Memory, Runner
from snncc.ir import Array, Graph
from snncc.runtime.host_layers import HostLayer
from snncc.runtime.loop_layers import LoopLayer


class HybridRunner(Runner):
    """Compiled units up to one that is not, that one, compiled units again.

    Args:
        graph: the program.
        plan: of it.
    """

    def __init__(self, graph: Graph, plan: UnitPlan) -> None:
        super().__init__(graph, plan)
        self.layers = {number: DenseLayer(unit) for number, unit in plan.dense.items()}
        self.host = {number: HostLayer(unit) for number, unit in plan.host.items()}
        self.loops = {number: LoopLayer(unit) for number, unit in plan.loops.items()}
        self._places = sorted({*self.layers, *self.host, *plan.relays, *self.loops})

    def run(
        self,
        memory: Memory,
        image: Array,
        thread: int = 0,
        threads: int = 1,
        steps: tuple[int, int] | None = None,
        units: tuple[int, int] | None = None,
    ) -> None:
        """As `Runner.run`. Threads share the steps of a product; the first does the host's units.

        The end of each is waited for.
        """
        first, last = units or (0, len(self.plan.units))
        begin, end = steps or (0, self.plan.steps)
        edges = [begin + (end - begin) * i // threads for i in range(threads + 1)]
        own = edges[thread], edges[thread + 1]
        places = [number for number in self._places if first <= number < last]
        for at, number in pairwise([first - 1, *places]):
            super().run(memory, image, thread, threads, (begin, end), (at + 1, number))
            if number in self.layers:
                _together(memory, partial(self._product, memory, number, own, begin))
            elif thread == 0:
                _together(memory, partial(self._on_host, memory, number, image, begin, end))
            else:
                memory.barrier.wait()
        rest = (places[-1] + 1 if places else first, last)
        super().run(memory, image, thread, threads, (begin, end), rest)

    def _product(self, memory: Memory, number: int, own: tuple[int, int], begin: int) -> None:
        self.layers[number].run(memory.values, *own, begin)

    def _on_host(self, memory: Memory, number: int, image: Array, begin: int, end: int) -> None:
        if number in self.host:
            spikes = self.host[number].run(memory.values, image, begin, end, begin)
            memory.counts[0, number] += spikes
            return
        if number in self.loops:
            found = self.loops[number].run(memory.values, image, begin, end, begin)
            for unit, spikes in found.items():
                memory.counts[0, unit] += spikes
            return
        relay = self.plan.relays[number]
        if begin < end or (begin == 0 and not relay.reads.type.temporal):
            value = relay.reads.read(memory.values, image, 0, end - begin)
            relay.writes.write(memory.values, value, 0, end - begin)


def _together(memory: Memory, work: Callable[[], None]) -> None:
    """Works, then waits for the other threads; when the work fails none of them waits on."""
    try:
        work()
    except BaseException:
        memory.barrier.abort()
        raise
    memory.barrier.wait()
