"""The event simulator: runs a program on this machine, with compiled units where they fit."""

import os
from collections.abc import Callable, Collection, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

from snncc.backends.cpu.arrangement import NotExpressible
from snncc.backends.cpu.encoding import plan_units
from snncc.ir import Array, Graph
from snncc.ir.arrays import spread
from snncc.runtime.execution import (
    Execution,
    Images,
    Ints,
    check_images,
    readout_of,
    recorded_names,
)
from snncc.runtime.hybrid_runner import HybridRunner
from snncc.runtime.kernel_choice import KernelChoice, Kernels
from snncc.runtime.node_simulator import NodeSimulator
from snncc.runtime.unit_runner import Memory, Runner

AT_ONCE = 64
"""Images of one call of `run` that callers who read files should give."""


@dataclass(frozen=True)
class _Result:
    readout: Ints
    spikes: dict[str, Array]
    membranes: dict[str, Ints]
    counts: Ints


class Simulator:
    """A program made ready for this machine.

    Gives the bits of `interpret` for any number of threads and any split of the batch. Threads
    take an image each; when there are fewer images, they share the rows of one.

    Args:
        graph: integer dialect, verified.
        threads: how many; None for as many as the machine gives.
        kernels: "event", "dense" where a layer can be a library's matrix product (which
            multiplies), or "auto": dense where that is faster at the layer's activity.
        rates: for "auto", shares of neurons that spike at a step, by population; without them
            the first image that is run says.

    Attributes:
        general: why the program runs node by node instead of in compiled units, or "".
    """

    def __init__(
        self,
        graph: Graph,
        threads: int | None = None,
        kernels: Kernels = "event",
        rates: Mapping[str, float] | None = None,
    ) -> None:
        self.graph = graph
        self.unit = readout_of(graph).unit
        available = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 0
        available = available or os.cpu_count() or 1
        self.threads = max(1, min(threads or available, available))
        self.general = ""
        self._nodes: NodeSimulator | None = None
        self._runners: dict[frozenset[str], Runner] = {}
        try:
            self.kernels = KernelChoice(graph, kernels, rates)
            self.runner(frozenset())
        except NotExpressible as reason:
            self.general = str(reason)
            self.kernels = KernelChoice(graph, "event")
            self._nodes = NodeSimulator(graph, threads)

    @property
    def images_at_once(self) -> int:
        """How many images a caller who reads files should give to `run`."""
        return self._nodes.plan.images if self._nodes else AT_ONCE

    @property
    def dense_layers(self) -> tuple[str, ...]:
        """Projections that run as matrix products; "auto" may know only after the first run."""
        if self._nodes is not None or not self.kernels.dense:
            return ()
        plan = self.runner(frozenset()).plan
        return tuple(plan.names[number] for number in plan.dense)

    def runner(self, wanted: frozenset[str]) -> Runner:
        """The plan that records these populations, made once."""
        if wanted not in self._runners:
            dense = self.kernels.dense or ()
            plan = plan_units(self.graph, self.graph.steps, wanted, dense=dense)
            made = HybridRunner if plan.dense else Runner
            self._runners[wanted] = made(self.graph, plan)
        return self._runners[wanted]

    def run(
        self,
        images: Images,
        record: Collection[str] | None = None,
        progress: Callable[[int], None] | None = None,
    ) -> Execution:
        """Runs a batch.

        Args:
            images: uint8, [batch, *axes of the image].
            record: populations whose spikes and membranes are kept; None for none, `ALL` for all.
            progress: called with the number of images done so far.

        Raises:
            SnnccError: SNN016 when the images are not what the program takes.
        """
        if self._nodes is not None:
            return self._nodes.run(images, record, progress)
        images = np.ascontiguousarray(check_images(self.graph, images))
        if self.kernels.dense is None and len(images) > 0:
            self.kernels.choose(self.runner(frozenset()), images[0])
            if self.kernels.dense:
                self._runners.clear()
        runner = self.runner(recorded_names(self.graph, record))
        shares_rows = len(images) < self.threads
        with ThreadPoolExecutor(self.threads) as pool:
            if shares_rows:
                memory = Memory(runner.plan, self.threads)
                results = [self._together(runner, pool, memory, image) for image in images]
            else:
                results = self._apart(runner, pool, images, progress)
        if progress is not None and shares_rows:
            progress(len(images))
        return self._execution(runner, results)

    def _together(
        self, runner: Runner, pool: ThreadPoolExecutor, memory: Memory, image: Array
    ) -> _Result:
        memory.begin()
        memory.counts[:] = 0
        calls = [
            pool.submit(runner.run, memory, image, thread, self.threads)
            for thread in range(self.threads)
        ]
        for call in calls:
            call.result()
        return _result(runner, memory)

    def _apart(
        self,
        runner: Runner,
        pool: ThreadPoolExecutor,
        images: Images,
        progress: Callable[[int], None] | None,
    ) -> list[_Result]:
        def share(first: int) -> list[_Result]:
            memory = Memory(runner.plan)
            found: list[_Result] = []
            for image in images[first :: self.threads]:
                memory.begin()
                memory.counts[:] = 0
                runner.run(memory, image)
                found.append(_result(runner, memory))
                if progress is not None and first == 0:
                    progress(min(len(images), len(found) * self.threads))
            return found

        shares = list(pool.map(share, range(self.threads)))
        return [shares[i % self.threads][i // self.threads] for i in range(len(images))]

    def _execution(self, runner: Runner, results: list[_Result]) -> Execution:
        names = sorted(runner.plan.records)
        kind = self.graph[self.graph.output].type
        readout = np.zeros((len(results), *kind.shape), np.int64)
        for place, result in enumerate(results):
            readout[place] = result.readout
        offset = readout_of(self.graph).offset
        if offset is not None:
            constant = self.graph.constants[offset.name].astype(np.int64)
            readout += spread(constant, offset.axes, kind.names)
        counts = sum((r.counts for r in results), np.zeros(len(runner.plan.units), np.int64))

        def stacked(name: str, each: list[Array]) -> Array:
            shape = (0, *self.graph[name].type.shape)
            return np.stack(each) if each else np.zeros(shape, np.uint8)

        return Execution(
            readout,
            readout.astype(np.float64) * self.unit,
            {n: stacked(n, [r.spikes[n] for r in results]) for n in names},
            {n: stacked(n, [r.membranes[n] for r in results]).astype(np.int64) for n in names},
            {n: int(c) for n, c in zip(runner.plan.names, counts, strict=True)
             if n in runner.plan.spikes},
        )  # fmt: skip


def _result(runner: Runner, memory: Memory) -> _Result:
    names = runner.plan.records
    return _Result(
        runner.readout(memory, runner.plan.steps),
        {name: runner.spikes(memory, name) for name in names},
        {name: runner.membranes(memory, name) for name in names},
        memory.counts.sum(axis=0),
    )
