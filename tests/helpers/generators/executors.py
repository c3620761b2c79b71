"""One program through every executor and every way to run it, beside the interpreter.

A plan takes longer to make than a small program to run: one simulator serves all ways.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from snncc.backends.cpu.dense.choice import projections_of_spikes
from snncc.backends.cpu.streams.stream import Stream
from snncc.backends.torch_tensors.forms import Form
from snncc.backends.torch_tensors.program import TorchExecutor
from snncc.diagnostics import SnnccError
from snncc.ir import TIME, Graph
from snncc.runtime import ALL, Execution, interpret
from snncc.runtime.simulator import Simulator

TORCH = (None, (Form.FLOAT64,), (Form.INT64,), (Form.INT8, Form.FLOAT64))
"""Which numbers products of tensors may have; None for those that a CPU usually takes."""


@dataclass(frozen=True)
class Difference:
    """Where an executor left the interpreter's bits.

    Attributes:
        way: which executor, how it was run.
        what: the readout, or the first population, and which of its numbers.
    """

    way: str
    what: str

    def __str__(self) -> str:
        return f"{self.way}: {self.what}"


@dataclass(frozen=True)
class Tried:
    """What came of one program.

    Attributes:
        host: the nodes that the host computed, and why.
        differences: none where all is right.
        dense: whether a layer ran as a matrix product.
    """

    host: dict[str, str]
    differences: tuple[Difference, ...]
    dense: bool


def tried(graph: Graph, images: np.ndarray, seed: int = 0, auto: bool = False) -> Tried:
    """Runs a program in every way.

    Event kernels, matrix products in all layers that can be one, and in a random choice of them, as
    "auto" may come to choose. One thread and two, which share images or the rows of one;
    membranes recorded, or memory used again by others; one image in single steps, interrupted;
    tensors of torch.

    Args:
        graph: integer dialect, verified.
        images: uint8 [n, *axes of the image], at least 2.
        seed: of what is drawn: which layers, where a stream is interrupted.
        auto: also "auto" itself, which measures this machine for milliseconds a layer.
    """
    wanted = interpret(graph, images, ALL)
    simulator = Simulator(graph, 1)
    found = _batch("event", wanted, simulator, images, seed)
    found += _stream(wanted, simulator, images, seed)
    every = [name for name in sorted(projections_of_spikes(graph)) if _matrices(graph, name) <= 8]
    rng = np.random.default_rng([seed, 8])
    some = [name for name in every if rng.random() < 0.5]
    dense = False
    for way, layers in (("dense", every), ("some dense", some)):
        simulator.kernels.dense = frozenset(layers)
        stays = {key: made for key, made in simulator._runners.items() if key[1]}
        simulator._runners = stays  # streams take no matrix products
        found += _batch(way, wanted, simulator, images, seed + (way == "dense"))
        dense = dense or bool(simulator.dense_layers)
    found += in_torch(graph, wanted, images, seed)
    if auto:
        found += _batch("auto", wanted, Simulator(graph, 1, "auto"), images, seed)
    return Tried(simulator.host_units, tuple(found), dense)


def in_torch(
    graph: Graph, wanted: Execution, images: np.ndarray, seed: int = 0
) -> list[Difference]:
    """On tensors of the CPU: all images at once, or two at a time; numbers by turns."""
    executor = TorchExecutor(graph, "cpu", TORCH[seed % len(TORCH)])
    if seed % 3 == 0:
        executor.images_at_once = 2
    return _compare("torch", wanted, executor.run(images, (None, ALL)[seed % 2]))


def _matrices(graph: Graph, name: str) -> int:
    """About how many matrices a layer takes: a library makes each ready in a millisecond."""
    axes = graph[name].op.weight.axes
    shape = dict(zip(axes, graph.constants[graph[name].op.weight.name].shape, strict=True))
    shared = getattr(graph[name].op, "shared", axes[:-4])
    return int(np.prod([shape[axis] for axis in shared], dtype=np.int64))


def _batch(
    way: str, wanted: Execution, simulator: Simulator, images: np.ndarray, seed: int
) -> list[Difference]:
    """With records and threads by turns; event kernels in both ways."""
    found: list[Difference] = []
    for record in (None, ALL) if way == "event" else ((None, ALL)[seed % 2],):
        for threads in (1, 2):
            simulator.threads = threads
            label = f"{way}, {threads} threads, {'recorded' if record else 'not recorded'}"
            found += _compare(label, wanted, simulator.run(images, record))
        last = simulator.run(images[-1:], record)  # two threads share the rows of one image
        found += _compare(f"{label}, one image", wanted, last, len(images) - 1)
    simulator.threads = 1
    return found[:1]


def _compare(way: str, wanted: Execution, got: Execution, first: int = 0) -> list[Difference]:
    """The first thing that differs, if any; `got` has the images from `first` on."""

    def same(a: np.ndarray, b: np.ndarray) -> bool:
        return np.array_equal(a[first : first + len(b)], b)

    for name, spikes in wanted.spikes.items():
        if name in got.spikes:
            if not same(wanted.membranes[name], got.membranes[name]):
                return [Difference(way, f"membranes of {name}")]
            if not same(spikes, got.spikes[name]):
                return [Difference(way, f"spikes of {name}")]
        if got.spike_counts[name] != int(spikes[first : first + len(got.readout)].sum()):
            return [Difference(way, f"counts of {name}")]
    if not same(wanted.readout, got.readout) or not same(wanted.logits, got.logits):
        return [Difference(way, "the readout")]
    return []


def _stream(
    wanted: Execution, simulator: Simulator, images: np.ndarray, seed: int
) -> list[Difference]:
    """One image step by step, interrupted once."""
    graph, place = simulator.graph, seed % len(images)
    simulator.threads = 1 + seed % 2
    stop = 1 + seed // 7 % graph.steps
    stream = simulator.stream(images[place], ALL)
    found = [d for t in range(stop) for d in _step(graph, "stream", wanted, place, t, stream)]
    state = stream.state()
    try:
        again = simulator.resume(state, ALL)
    except SnnccError as error:  # it holds what the program cannot reach
        return [Difference("resumed stream", str(error))]
    for t in range(stop, graph.steps):
        found += _step(graph, "resumed stream", wanted, place, t, again)
    simulator.threads = 1
    return found[:1]


def _step(
    graph: Graph, way: str, wanted: Execution, place: int, t: int, stream: Stream
) -> Iterator[Difference]:
    answer = stream.step()
    for name, spikes in answer.spikes.items():
        axis = graph[name].type.names.index(TIME)
        if not np.array_equal(wanted.membranes[name][place].take(t, axis), answer.membranes[name]):
            yield Difference(f"{way}, step {t}", f"membranes of {name}")
            return
        if not np.array_equal(wanted.spikes[name][place].take(t, axis), spikes):
            yield Difference(f"{way}, step {t}", f"spikes of {name}")
            return
    if t + 1 == graph.steps and not np.array_equal(answer.readout, wanted.readout[place]):
        yield Difference(way, "the readout")
