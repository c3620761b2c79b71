"""How long event kernels and matrix products take on this machine: measured once, kept as JSON."""

import json
import os
import platform
import sys
import time
from collections.abc import Callable
from dataclasses import astuple, dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from snncc import __version__
from snncc.backends.cpu.dense.layers import DenseLayer
from snncc.backends.cpu.dense.products import library
from snncc.backends.cpu.plan.dense import DenseSum
from snncc.backends.cpu.plan.encoding import plan_units
from snncc.backends.cpu.vm.machine_code import needed_code
from snncc.backends.cpu.vm.runner import Memory, Runner
from snncc.ir import Graph
from snncc.machine.trust import read_trusted
from snncc.machine.user_cache import cache_folder, keep

ACTIVITIES = (0.02, 0.25)
REPEATS = 5


@dataclass(frozen=True)
class LayerTimes:
    """Seconds of one processor that a layer takes, all steps of one image.

    Attributes:
        quiet: with event kernels and no spike.
        slope: how much more with every input active.
        product: as a matrix product.
    """

    quiet: float
    slope: float
    product: float

    def events(self, rate: float) -> float:
        """With event kernels and this share of inputs active."""
        return self.quiet + self.slope * rate

    @property
    def crossover(self) -> float:
        """The activity at which both take the same; infinite where products always take more."""
        more = self.product - self.quiet
        if self.slope > 0.0:
            return max(0.0, more / self.slope)
        return 0.0 if more < 0.0 else float("inf")


class KernelTimes:
    """Times of the layers of a program: from the user's cache, or measured.

    Args:
        graph: the program, which has compiled units.
        layers: projections that are asked about.
    """

    def __init__(self, graph: Graph, layers: frozenset[str]) -> None:
        self.graph, self.layers = graph, layers
        self.known = _read()
        self._measurement: Measurement | None = None

    def of(self, name: str, layer: DenseSum) -> LayerTimes:
        """Times of a projection; layers of the same shape share one measurement."""
        key = f"{self.graph.steps} steps {layer.shape}"
        if key not in self.known:
            if self._measurement is None:
                self._measurement = Measurement(self.graph, self.layers)
            self.known[key] = self._measurement.layer(name)
        return self.known[key]

    def save(self) -> None:
        """Keeps what was measured for the next process, where the folder can be written."""
        if self._measurement is not None:
            _write(self.known)


class Measurement:
    """Times layers in a plan where each has a unit of its own that can be computed either way.

    Args:
        graph: the program, which has compiled units.
        layers: projections of spikes.
    """

    def __init__(self, graph: Graph, layers: frozenset[str]) -> None:
        self.plan = plan_units(graph, graph.steps, dense=layers, both=True)
        self._runner, self._memory = Runner(graph, self.plan), Memory(self.plan)
        self._random = np.random.default_rng(0)
        self._no_image = np.zeros(1, np.uint8)  # these units read spikes alone

    def layer(self, name: str) -> LayerTimes:
        """All there is to know about one layer."""
        low, high = (self.events(name, rate) for rate in ACTIVITIES)
        slope = max(0.0, (high - low) / (ACTIVITIES[1] - ACTIVITIES[0]))
        return LayerTimes(max(0.0, low - slope * ACTIVITIES[0]), slope, self.product(name))

    def product(self, name: str) -> float:
        """Seconds of a layer as a matrix product."""
        layer, steps = DenseLayer(self.plan.dense[self._number(name)]), self.plan.steps
        return _shortest(lambda: layer.run(self._memory.values, 0, steps, 0))

    def events(self, name: str, rate: float) -> float:
        """Seconds of its event kernels with a random share of the inputs active."""
        number = self._number(name)
        unit = self.plan.dense[number]
        place, row = unit.source
        shape = (self.plan.steps * unit.sum.source_rows, unit.sum.source_lanes)
        for plane in range(unit.planes[0]):
            packed = np.packbits(self._random.random(shape) < rate, axis=1, bitorder="little")
            start = place + plane * unit.planes[1]
            bits = self._memory.values[start : start + shape[0] * row].reshape(-1, row)
            bits[:] = 0
            bits[:, : packed.shape[1]] = packed

        def run() -> None:
            self._memory.begin()
            self._runner.run(self._memory, self._no_image, units=(number, number + 1))

        return _shortest(run)

    def _number(self, name: str) -> int:
        return self.plan.names.index(name)


def _shortest(run: Callable[[], None]) -> float:
    """The least of some times; what else the machine does only adds.

    Processor time, not time on the wall: a library that takes a second core for one layer takes
    it from another image. Where that clock is too coarse, the wall's.
    """
    clock = time.perf_counter if sys.platform == "win32" else time.process_time
    run()
    found: list[float] = []
    for _ in range(REPEATS):
        start = clock()
        run()
        found.append(clock() - start)
    return min(found)


def cache_file() -> Path | None:
    """Where times are kept; None: they cannot be."""
    folder = cache_folder()
    return None if folder is None or needed_code() is None else folder / "kernel_times.json"


@cache
def machine() -> str:
    """What times depend on besides shapes: processor, libraries, our own kernels."""
    facts = (_processor(), os.cpu_count(), library(), __version__, needed_code())
    return ", ".join(map(str, facts))


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    try:
        text = info.read_text()
    except OSError:
        return f"{platform.machine()} {platform.processor()}"
    lines = (line.partition(":") for line in text.split("\n\n")[0].splitlines())
    facts = {name.strip(): value.strip() for name, _, value in lines}
    wanted = ("model name", "cpu family", "model", "stepping")
    return " ".join(facts[name] for name in wanted if name in facts) or platform.machine()


def _read() -> dict[str, LayerTimes]:
    """Times of this machine; none where the file is missing, damaged or of another machine."""
    path = cache_file()
    if path is None:
        return {}
    try:
        rows: dict[str, Any] = json.loads(read_trusted(path) or b"{}")[machine()]
        return {str(key): LayerTimes(*map(float, row)) for key, row in rows.items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return {}


def _write(times: dict[str, LayerTimes]) -> None:
    path = cache_file()
    if path is None:
        return
    rows = {key: astuple(time) for key, time in times.items()}
    keep(path, json.dumps({machine(): rows}, indent=1).encode())
