"""Where the answers of a batch are put while it runs: arrays made once, for every image a place."""

import numpy as np

from snncc.backends.cpu.vm.runner import Memory, Runner
from snncc.execution import Execution, readout_of
from snncc.ir.arrays import spread


class BatchResults:
    """Results of a batch; threads may put different images at once.

    Args:
        runner: of the plan; what it records is kept.
        images: how many.
    """

    def __init__(self, runner: Runner, images: int) -> None:
        graph, names = runner.graph, sorted(runner.plan.records)
        self._runner = runner
        self._readout = np.empty((images, *graph[graph.output].type.shape), np.int64)
        self._spikes = {n: np.empty((images, *graph[n].type.shape), np.uint8) for n in names}
        self._membranes = {n: np.empty((images, *graph[n].type.shape), np.int64) for n in names}
        self._numbers = {
            n: np.empty((images, *graph[n].type.shape), graph[n].type.dtype)
            for n in sorted(runner.plan.counted)
        }
        self._counts = np.zeros(len(runner.plan.units), np.int64)

    def put(self, place: int, memory: Memory) -> None:
        """Keeps what running one image left in the working memory, but for its spike counts."""
        runner = self._runner
        self._readout[place] = runner.readout(memory, runner.plan.steps)
        for name in self._spikes:
            self._spikes[name][place] = runner.spikes(memory, name)
            self._membranes[name][place] = runner.membranes(memory, name)
        for name, numbers in self._numbers.items():
            numbers[place] = runner.number(memory, name)

    def count(self, memory: Memory) -> None:
        """Adds the spikes of all that ran in a working memory. Not for two threads at once."""
        self._counts += memory.counts.sum(axis=0)

    def execution(self) -> Execution:
        graph, plan, readout = self._runner.graph, self._runner.plan, self._readout
        op = readout_of(graph)
        if op.offset is not None:
            constant = graph.constants[op.offset.name].astype(np.int64)
            readout += spread(constant, op.offset.axes, graph[graph.output].type.names)
        logits = readout.astype(np.float64)
        logits *= op.unit
        counts = {name: int(self._counts[kept.unit]) for name, kept in plan.populations.items()}
        return Execution(readout, logits, self._spikes, self._membranes, counts, self._numbers)
