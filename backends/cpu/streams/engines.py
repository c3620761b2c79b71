"""What computes a stream's steps: the units of a plan of one step."""

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from snncc.backends.cpu.streams.stream import Step
from snncc.backends.cpu.vm.runner import Memory, Runner, run_together
from snncc.execution import Images, Ints
from snncc.ir import TIME, Array, ValueType


class UnitEngine:
    """Steps in compiled units and on the host; threads share the rows.

    Args:
        runner: of a plan of one step that keeps membranes.
        image: uint8, [*axes of the image], in order in memory: each step reads its part of it,
            which may be filled until then.
        threads: how many.
    """

    def __init__(self, runner: Runner, image: Images, threads: int) -> None:
        self._runner, self._image = runner, np.ascontiguousarray(image)
        self._memory = Memory(runner.plan, threads)

    def step(self, t: int) -> Step:
        runner, memory, plan = self._runner, self._memory, self._runner.plan
        memory.counts[:] = 0
        self._run(t, t + 1)
        counts = memory.counts.sum(axis=0)
        return Step(
            runner.readout(memory, 1),
            {n: self._only_step(runner.spikes(memory, n), n) for n in sorted(plan.records)},
            {n: self._level(n) for n in sorted(plan.records)},
            {name: int(counts[kept.unit]) for name, kept in plan.populations.items()},
        )

    def membranes(self) -> dict[str, Ints]:
        states = {name: self._runner.state(self._memory, name) for name in self._runner.plan.states}
        return {name: state.astype(np.int64) for name, state in states.items()}

    def delays(self) -> dict[str, Ints]:
        pasts = {name: self._runner.past(self._memory, name) for name in self._runner.plan.pasts}
        return {name: past.astype(np.int64) for name, past in pasts.items()}

    def resume(self, membranes: Mapping[str, Ints], delays: Mapping[str, Ints]) -> None:
        for name, values in membranes.items():
            self._runner.state(self._memory, name)[...] = values
        for name, values in delays.items():
            self._runner.put_past(self._memory, name, values)
        self._run(0, 0)  # no step, but what is the same at every step

    def _run(self, first: int, last: int) -> None:
        threads = len(self._memory.scratch)
        if threads == 1:  # starting a thread takes longer than a step of a small network
            self._memory.begin()
            self._runner.run(self._memory, self._image, steps=(first, last))
            return
        with ThreadPoolExecutor(threads) as pool:
            run_together(self._runner, pool, self._memory, self._image, (first, last))

    def _level(self, name: str) -> Ints:
        levels = self._runner.membranes(self._memory, name)
        return self._only_step(levels, name).astype(np.int64)

    def _only_step(self, array: Array, name: str) -> Array:
        return _at(array, self._runner.graph[name].type)


def _at(array: Array, kind: ValueType) -> Array:
    """The only step of an array [*axes of a type]."""
    step: Array = array.take(0, axis=kind.names.index(TIME))
    return step
