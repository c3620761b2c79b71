"""The event simulator: runs a program on this machine, in compiled units and host units."""

import os
from collections.abc import Callable, Collection, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import cached_property

import numpy as np

from snncc.artifact import Program, program_digest
from snncc.backends.cpu.dense.choice import KernelChoice, Kernels
from snncc.backends.cpu.plan.encoding import plan_units
from snncc.backends.cpu.streams.engines import UnitEngine
from snncc.backends.cpu.streams.frames import no_frames_yet
from snncc.backends.cpu.streams.state import StreamState, check_state
from snncc.backends.cpu.streams.stream import Stream
from snncc.backends.cpu.vm.results import BatchResults
from snncc.backends.cpu.vm.runner import Memory, Runner, run_together
from snncc.execution import (
    Execution,
    Images,
    check_images,
    readout_of,
    recorded_names,
)
from snncc.ir import Graph
from snncc.ir.populations import neuron_nodes
from snncc.machine.memory import require_memory
from snncc.runtime.hybrid_runner import HybridRunner
from snncc.runtime.interpreter import VALUE
from snncc.runtime.memory_use import memory_of

UPDATES_PER_THREAD = 1 << 21
"""Neuron updates that are worth another thread, which takes about a millisecond to start."""
AT_ONCE = 64
"""Images of one call of `run` that callers who read files should give."""


def threads_here() -> int:
    """As many threads as this machine gives this process."""
    available = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 0
    return available or os.cpu_count() or 1


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

    Raises:
        SnnccError: SNN040 when the program has no plan: its tables would take gigabytes.
    """

    def __init__(
        self,
        graph: Graph,
        threads: int | None = None,
        kernels: Kernels = "event",
        rates: Mapping[str, float] | None = None,
    ) -> None:
        self.graph = graph
        VALUE.require(graph)  # no executor computes what the definition does not know
        readout_of(graph)  # raises when the program does not answer
        available = threads_here()
        self.threads = max(1, min(threads or available, available))
        self._runners: dict[tuple[frozenset[str], bool], Runner] = {}
        self.kernels = KernelChoice(graph, kernels, rates)
        self.runner(frozenset())

    @property
    def host_units(self) -> dict[str, str]:
        """The nodes that the host computes between compiled units, each with the reason."""
        return self.runner(frozenset()).plan.reasons

    @property
    def images_at_once(self) -> int:
        """How many images a caller who reads files should give to `run`."""
        return AT_ONCE

    @property
    def dense_layers(self) -> tuple[str, ...]:
        """Projections that run as matrix products; "auto" may know only after the first run."""
        if not self.kernels.dense:
            return ()
        plan = self.runner(frozenset()).plan
        return tuple(plan.names[number] for number in plan.dense)

    @cached_property
    def digest(self) -> str:
        """The sha256 of the program's nodes and constants, without where it comes from."""
        return program_digest(Program(self.graph, {}))

    def runner(self, wanted: frozenset[str], stream: bool = False) -> Runner:
        """The plan that records these populations, made once.

        Args:
            wanted: their names.
            stream: for a single step, with membranes that stay, instead of all steps; always with
                event kernels.
        """
        key = (wanted, stream)
        if key not in self._runners:
            dense = () if stream else self.kernels.dense or ()
            steps = 1 if stream else self.graph.steps
            plan = plan_units(self.graph, steps, wanted, stream, dense)
            for other in self._runners.values():  # the same weights need not lie there twice
                if np.array_equal(other.plan.block, plan.block):
                    plan = replace(plan, block=other.plan.block)
                    break
            mixed = plan.dense or plan.host or plan.relays or plan.loops
            made = HybridRunner if mixed else Runner
            self._runners[key] = made(self.graph, plan)
        return self._runners[key]

    def stream(self, image: Images | None = None, record: Collection[str] | None = None) -> Stream:
        """One image step by step.

        Args:
            image: uint8, [*axes of the image]; None where every step brings its own frame,
                `stream.step(frame)`.
            record: populations whose spikes and membranes every answer has; None for none, `ALL`
                for all.

        Raises:
            SnnccError: SNN016 when the image is not what the program takes; SNN001 for a name
                that no population has, and for None where the program takes one image.
        """
        fed = image is None
        own = no_frames_yet(self.graph) if image is None else self._checked(image)
        engine = self._engine(own, record)
        none = np.zeros(self.graph[self.graph.output].type.shape, np.int64)
        return Stream(self.graph, own, self.digest, engine, 0, none, fed)

    def resume(self, state: StreamState, record: Collection[str] | None = None) -> Stream:
        """A stream that goes on where another was, in this process or an earlier one.

        Raises:
            SnnccError: SNN016 when the state is not of this program.
        """
        check_state(self.graph, self.digest, state)
        image = self._checked(state.image)
        engine = self._engine(image, record)
        if state.done:
            engine.resume(state.membranes, state.delays)
        return Stream(self.graph, image, self.digest, engine, state.done, state.readout, state.fed)

    def _checked(self, image: Images) -> Images:
        """A copy of an image that the program takes."""
        own: Images = check_images(self.graph, image[None])[0].copy()
        return own

    def _engine(self, image: Images, record: Collection[str] | None) -> UnitEngine:
        wanted = recorded_names(self.graph, record)
        return UnitEngine(self.runner(wanted, stream=True), image, self._threads_for(1, 1))

    def _threads_for(self, images: int, steps: int) -> int:
        """As many threads as there is work for."""
        neurons = sum(node.type.neurons for node in neuron_nodes(self.graph))
        updates = images * steps * neurons
        return max(1, min(self.threads, updates // UPDATES_PER_THREAD))

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
            SnnccError: SNN016 when the images are not what the program takes; SNN001 for a name
                that no population has; SNN004 when the results do not fit into memory.
        """
        images = np.ascontiguousarray(check_images(self.graph, images))
        if self.kernels.dense is None and len(images) > 0:
            self.kernels.choose(self.runner(frozenset()), images[0])
            if self.kernels.dense:
                self._runners.clear()
        runner = self.runner(recorded_names(self.graph, record))
        use = memory_of(self.graph, runner.plan)
        threads = self._threads_for(len(images), self.graph.steps)
        require_memory("results", len(images), use.image, use.working(len(images), threads))
        results = BatchResults(runner, len(images))
        if len(images) < threads:
            _sharing_rows(runner, threads, images, results, progress)
        else:
            _sharing_images(runner, threads, images, results, progress)
        return results.execution()


def _sharing_rows(
    runner: Runner,
    threads: int,
    images: Images,
    results: BatchResults,
    progress: Callable[[int], None] | None,
) -> None:
    memory = Memory(runner.plan, threads)
    with ThreadPoolExecutor(threads) as pool:
        for place, image in enumerate(images):
            run_together(runner, pool, memory, image)
            results.put(place, memory)
    results.count(memory)
    if progress is not None:
        progress(len(images))


def _sharing_images(
    runner: Runner,
    threads: int,
    images: Images,
    results: BatchResults,
    progress: Callable[[int], None] | None,
) -> None:
    def share(first: int) -> Memory:
        memory = Memory(runner.plan)
        for place in range(first, len(images), threads):
            memory.begin()
            runner.run(memory, images[place])
            results.put(place, memory)
            if progress is not None and first == 0:
                progress(min(len(images), place + threads))
        return memory

    if threads == 1:  # starting a thread takes longer than an image of a small network
        results.count(share(0))
        return
    with ThreadPoolExecutor(threads) as pool:
        for memory in pool.map(share, range(threads)):
            results.count(memory)
