"""Runs a unit plan on one image: the compiled executor, its memory, what it leaves behind."""

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal

import numpy as np

from snncc.backends.cpu.aligned_memory import aligned
from snncc.backends.cpu.plan.unit_plan import UnitPlan
from snncc.backends.cpu.vm.machine_code import Executable, code_file, load, save
from snncc.backends.cpu.vm.shipped_code import shipped
from snncc.execution import Ints
from snncc.ir import TIME, Array, Graph
from snncc.machine.trust import tell, why_not

REMEDY = "chmod go-w it, or set SNNCC_CACHE_DIR to a folder of your own"
NO_IMAGE = np.zeros(0, np.uint8)
"""For what lies in the working memory."""
_loading = threading.Lock()


Origin = Literal["kept", "shipped", "compiled"]
"""By an earlier process; as LLVM's language, with the package; now, by Numba."""


@dataclass(frozen=True)
class CodeCache:
    """Where machine code is kept from one process to the next.

    Attributes:
        folder: None when no folder can be written: every process makes it.
        origin: where this process has it from.
        refused: why a folder that is there is left alone, or "".
    """

    folder: Path | None
    origin: Origin
    refused: str = ""


@cache
def _load_executable() -> tuple[Executable, CodeCache]:
    path = code_file()
    refused = "" if path is None else why_not([path.parent, path])
    if path is not None and refused:
        tell("kept machine code", refused, REMEDY)
        path = None
    if path is not None and (kept := _kept(path)) is not None:
        return kept, CodeCache(path.parent, "kept")
    origin: Origin = "shipped"
    code = shipped()
    if code is None:
        from snncc.backends.cpu.vm.compiler import compile_units  # with Numba

        code, origin = compile_units(), "compiled"
    folder = path.parent if path is not None and save(path, code) else None
    return Executable(code), CodeCache(folder, origin, refused)


def _kept(path: Path) -> Executable | None:
    """What an earlier process made; None where there is nothing, or nothing that can be used."""
    code = load(path)
    try:
        return None if code is None else Executable(code)
    except (ValueError, RuntimeError):
        return None


def compile_ahead() -> CodeCache:
    """Makes the machine code, or loads it from the cache; it is the same for every program.

    A process that runs a program does it by itself. Call it while something else is waited for, or
    once after installing, so that no user waits.
    """
    with _loading:
        return _load_executable()[1]


class Memory:
    """What one image needs while it runs, for threads that share its rows.

    Attributes:
        values: working memory.
        counters: threads that have come, and rows taken by unit.
        counts: spikes, [threads, units], of all runs so far.
        scratch: of each thread.
        addresses: by thread, of values, counters, its scratch and its counts.
    """

    def __init__(self, plan: UnitPlan, threads: int = 1) -> None:
        self.values = aligned(plan.memory)
        self.counters = np.zeros(1 + len(plan.units), np.int64)
        self.counts = np.zeros((threads, len(plan.units)), np.int64)
        self.scratch = [aligned(plan.scratch) for _ in range(threads)]
        shared = (self.values.ctypes.data, self.counters.ctypes.data)
        self.addresses = [
            (*shared, scratch.ctypes.data, counts.ctypes.data)
            for scratch, counts in zip(self.scratch, self.counts, strict=True)
        ]
        self.barrier = threading.Barrier(threads, self.begin)

    def begin(self) -> None:
        """Before every call of all threads."""
        self.counters[:] = 0


class Runner:
    """A plan and the addresses of its tables.

    Args:
        graph: the program.
        plan: of it.
    """

    def __init__(self, graph: Graph, plan: UnitPlan) -> None:
        with _loading:
            self._run_units = _load_executable()[0]
        self.graph, self.plan = graph, plan
        tables = (
            *(plan.parts, plan.ops, plan.accesses, plan.gains, plan.constants, plan.neurons),
            *(plan.delays, plan.several, plan.states_of, plan.terms, plan.linears, plan.masks),
        )
        self._addresses = np.array([table.ctypes.data for table in tables], np.int64)
        self._units, self._block = plan.units.ctypes.data, plan.block.ctypes.data

    def run(
        self,
        memory: Memory,
        image: Array,
        thread: int = 0,
        threads: int = 1,
        steps: tuple[int, int] | None = None,
        units: tuple[int, int] | None = None,
    ) -> None:
        """Runs units of an image, as one of several threads; `memory.begin()` comes before.

        Args:
            memory: the same for all threads.
            image: uint8, contiguous.
            thread: number of this one.
            threads: how many call this.
            steps: from and to which step, the last excluded; None for all that the plan has.
            units: from and to which unit; None for all.
        """
        plan = self.plan
        first, last = units or (0, len(plan.units))
        begin, end = steps or (0, plan.steps)
        values, counters, scratch, counts = memory.addresses[thread]
        self._run_units(
            self._units, self._addresses.ctypes.data, self._block, values, image.ctypes.data,
            scratch, counters, counts, first, last, threads, begin, end,
        )  # fmt: skip

    def readout(self, memory: Memory, steps: int) -> Ints:
        """The sum of the current that is read out, [*axes of the output]; no offset."""
        place, kind = self.plan.readout, self.graph[self.graph.output].type
        each = place.view(memory.values, 0, self.plan.steps).astype(np.int64)
        names = place.type.names
        if place.type.temporal:
            total: Ints = each.sum(axis=names.index(TIME))
        else:
            total = each * steps
        left = [name for name in names if name != TIME]
        return total.transpose([left.index(name) for name in kind.names])

    def spikes(self, memory: Memory, name: str) -> Array:
        """Recorded spikes of a population, uint8 [*axes of its type]."""
        place = self.plan.populations[name].spikes
        return place.read(memory.values, NO_IMAGE, 0, self.plan.steps)

    def number(self, memory: Memory, name: str) -> Array:
        """Recorded counts, [*axes of their type]."""
        return self.plan.counted[name].read(memory.values, NO_IMAGE, 0, self.plan.steps)

    def membranes(self, memory: Memory, name: str) -> Array:
        """A view of recorded membranes of a population, [*axes of its type]."""
        return self.plan.records[name].view(memory.values, 0, self.plan.steps)

    def state(self, memory: Memory, name: str) -> Array:
        """A view of the membranes between calls, [*axes of its type but time]."""
        return self.plan.states[name].view(memory.values, 0, 1)

    def past(self, memory: Memory, name: str) -> Array:
        """The last values that a delay has read, [steps, *axes of one step]."""
        place = self.plan.pasts[name]
        return place.read(memory.values, NO_IMAGE, 0, place.type.size(TIME))

    def put_past(self, memory: Memory, name: str, values: Array) -> None:
        """Takes what `past` gave."""
        place = self.plan.pasts[name]
        place.write(memory.values, values, 0, place.type.size(TIME))


def run_together(
    runner: Runner,
    pool: ThreadPoolExecutor,
    memory: Memory,
    image: Array,
    steps: tuple[int, int] | None = None,
) -> None:
    """Runs one image on as many threads as the memory is made for; they share the rows.

    Args:
        runner: of the plan.
        pool: of at least so many threads, none of them in use: they wait for one another.
        memory: of the image.
        image: uint8, contiguous.
        steps: from and to which step, the last excluded; None for all that the plan has.
    """
    memory.begin()
    threads = len(memory.scratch)
    calls = [
        pool.submit(runner.run, memory, image, thread, threads, steps) for thread in range(threads)
    ]
    for call in calls:
        call.result()
