"""How much memory a program takes while it runs, said before it runs.

Everything is an array whose size the plan fixes: no activity and no data change it. What the
interpreter, NumPy and the machine code themselves take comes on top and is the same for all.
"""

import tracemalloc
from collections.abc import Iterable
from dataclasses import dataclass, replace

from snncc.backends.cpu.plan.encoding import plan_units
from snncc.backends.cpu.plan.unit_plan import UnitPlan
from snncc.ir import Graph
from snncc.ir.arrays import count
from snncc.runtime.interpreter import VALUE

CELL = 8
"""Bytes of a count, of a number that is read out, of a logit and of a recorded membrane."""


@dataclass(frozen=True)
class MemoryUse:
    """Bytes, by what they depend on.

    Attributes:
        program: constants of the graph.
        planning: what making the plan takes at its peak, the plan included; 0 when not measured.
        plan: tables and constants in the layout of the kernels.
        values: working memory of one image.
        scratch: what each thread takes besides.
        answer: readout and logits of one image.
        recorded: spikes and membranes of one image, where they are kept.
        unpacking: for a moment, while recorded spikes are put where they are kept.
        hosting: for a moment, while the host computes a unit of one image.
    """

    program: int
    planning: int
    plan: int
    values: int
    scratch: int
    answer: int
    recorded: int
    unpacking: int
    hosting: int

    def running(self, images: int, threads: int) -> int:
        """What a batch takes at its peak, beyond the program and its plan."""
        return self.working(images, threads) + images * self.image

    @property
    def image(self) -> int:
        """What is kept of one image."""
        return self.answer + self.recorded

    def working(self, images: int, threads: int) -> int:
        """Working memory of all threads.

        They take an image each; when there are fewer images they share the rows of one.
        """
        at_once = threads if images >= threads else 1
        moment = max(self.unpacking, self.hosting)
        return at_once * (self.values + moment) + threads * self.scratch

    def peak(self, images: int, threads: int) -> int:
        """The most that there is at any time, planning included.

        A plan that records is made beside the one that does not.
        """
        other = self.plan if self.recorded else 0
        running = self.plan + self.running(images, threads)
        return self.program + max(other + self.planning, running)


def memory_use(graph: Graph, record: frozenset[str] = frozenset()) -> MemoryUse:
    """Plans a program and says what it takes; the plan's own peak is measured.

    Args:
        graph: integer dialect, verified.
        record: populations whose spikes and membranes are kept.

    Raises:
        NotExpressible: the program has no plan.
        SnnccError: SNN040 for ops that nothing can run.
    """
    VALUE.require(graph)
    traced = tracemalloc.is_tracing()
    if not traced:
        tracemalloc.start()
    before, _ = tracemalloc.get_traced_memory()
    tracemalloc.reset_peak()
    try:
        plan = plan_units(graph, graph.steps, record)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        if not traced:
            tracemalloc.stop()
    return replace(memory_of(graph, plan), planning=peak - before)


def memory_of(graph: Graph, plan: UnitPlan) -> MemoryUse:
    """What a plan takes; `planning` is 0.

    Of layers that are matrix products the matrices are counted, not what the library keeps.
    """
    tables = (
        *(plan.units, plan.parts, plan.ops, plan.accesses, plan.gains, plan.constants),
        *(
            plan.neurons,
            plan.delays,
            plan.several,
            plan.states_of,
            plan.terms,
            plan.linears,
            plan.masks,
        ),
    )
    blocks = [block for unit in plan.dense.values() for block in unit.sum.blocks]
    dense = sum(b.matrix.nbytes + b.taps.nbytes + b.rows.nbytes for b in blocks)
    on_host = [unit.scratch for unit in plan.host.values()]
    on_host += [relay.scratch for relay in plan.relays.values()]
    on_host += [loop.scratch for loop in plan.loops.values()]
    units = len(plan.units)
    sizes = [count(graph[name].type.shape) for name in plan.records]
    return MemoryUse(
        program=sum(array.nbytes for array in graph.constants.values()),
        planning=0,
        plan=plan.block.nbytes + dense + sum(table.nbytes for table in tables),
        values=plan.memory + CELL * (1 + units),
        scratch=plan.scratch + CELL * units,
        answer=2 * CELL * count(graph[graph.output].type.shape),
        recorded=recorded_bytes(graph, (*plan.records, *plan.counted)),
        unpacking=max(sizes, default=0),
        hosting=max(on_host, default=0),
    )


def recorded_bytes(graph: Graph, names: Iterable[str]) -> int:
    """What spikes and membranes of these populations take, of one image."""
    return sum((CELL + 1) * count(graph[name].type.shape) for name in names)
