"""Activations of real numbers and `--activation-bits`: which steps they are counted in."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

import numpy as np
from numpy.typing import NDArray

from snncc.compiler.folding import recognised
from snncc.compiler.options import CompileOptions
from snncc.diagnostics import SnnccError
from snncc.ir import TIME, Graph, Node
from snncc.ir.dialects.pointwise import Pointwise
from snncc.ir.dialects.traced import Add, BatchNorm, Conv, Input, Linear, Rearrange, Scale
from snncc.ir.images import ImageSource
from snncc.passes.named import Named
from snncc.passes.pipeline import Observer, run_passes
from snncc.passes.quantise_activations import Code, QuantiseActivations
from snncc.semantics.arrays import Real
from snncc.semantics.traced import run_traced, walk_traced

MOST_IMAGES = 256
"""So many are enough to choose steps by."""
MOST_VALUES = 1 << 14
"""Of a channel, spread over all images and places."""
SHARES = np.geomspace(0.05, 1.0, 40)
"""Of the largest value, tried as the end of the counts."""
CHUNK_VALUES = 1 << 24
"""Elements of all values of some images at once."""


@dataclass(frozen=True)
class Effect:
    """What counting in few bits changes, beside the model in float64.

    Attributes:
        images: on how many it was measured.
        agreement: share of them that are answered alike.
        accuracy: of the model, and with counts; None without labels.
    """

    images: int
    agreement: float
    accuracy: tuple[float, float] | None

    def __str__(self) -> str:
        text = f"{100 * self.agreement:.1f} % of {self.images} images are answered as before"
        if self.accuracy is None:
            return text
        before, after = self.accuracy
        return f"{text}, accuracy {100 * before:.1f} % before and {100 * after:.1f} % after"


@dataclass(frozen=True)
class Quantised:
    """A traced model with activations as counts.

    Attributes:
        graph: the model.
        codes: of the activations that were real.
        before: the model with real activations.
    """

    graph: Graph
    codes: Mapping[str, Code]
    before: Graph

    def effect(
        self, options: CompileOptions, images: ImageSource, labels: NDArray[np.int64] | None
    ) -> Effect:
        """Runs both on images; weights are not rounded in either."""
        before, after = (
            np.concatenate([_answers(graph, each) for each in _batches(graph, options, images)])
            for graph in (self.before, self.graph)
        )
        accuracy = None
        if labels is not None:
            accuracy = float((before == labels).mean()), float((after == labels).mean())
        return Effect(len(before), float((before == after).mean()), accuracy)


def quantised(
    graph: Graph, options: CompileOptions, images: ImageSource | None, observe: Observer
) -> Quantised:
    """Counts in place of the real activations of a traced model.

    Args:
        graph: as recorded.
        options: `activation_bits` among them.
        images: for calibration.
        observe: called after each pass.

    Raises:
        SnnccError: SNN001 without images, or for a pattern that fits no activation.
    """
    before = recognised(graph, options)
    found = [node for node in before.select(Pointwise) if not _rounds(node)]
    bits = _bits_of(found, options.activation_bits)
    if not bits:
        return Quantised(graph, {}, graph)
    if images is None:
        raise SnnccError(
            "SNN001",
            "--activation-bits needs images",
            why="in which steps an activation is counted depends on how large it becomes",
            help="give --calibrate",
        )
    codes = _calibrated(before, bits, options, images)
    after = run_passes(before, [QuantiseActivations(codes)], observe)
    return Quantised(after, codes, before)


def _rounds(node: Node) -> bool:
    return isinstance(node.op, Pointwise) and node.op.rounds


def _bits_of(nodes: Iterable[Node], given: Sequence[tuple[str, int]]) -> dict[str, int]:
    """Bits of every activation that a pattern fits; the last one decides."""
    names = [node.name for node in nodes]
    found: dict[str, int] = {}
    for pattern, bits in given:
        fitting = [name for name in names if fnmatchcase(name, pattern)]
        if not fitting and pattern != "*":
            example = f", for example {names[0]}" if names else ": this model has none"
            raise SnnccError(
                "SNN001",
                f"--activation-bits: no activation of real numbers is called {pattern!r}",
                help=f"names are those of the refusals without the option{example}",
            )
        found |= dict.fromkeys(fitting, bits)
    return found


def _calibrated(
    graph: Graph, bits: Mapping[str, int], options: CompileOptions, images: ImageSource
) -> dict[str, Code]:
    """The step of every channel with which its values on the images are missed least."""
    chosen = np.linspace(0, len(images) - 1, min(len(images), MOST_IMAGES)).round().astype(int)
    axes = {name: channel_of(graph, graph[name]) for name in bits}
    samples: dict[str, list[Real]] = {name: [] for name in bits}
    batches = [*_batches(graph, options, images, chosen)]
    for given in batches:
        for node, value in walk_traced(graph, given):
            if node.name in samples:
                rows = _rows(value, node, axes[node.name])
                most = max(1, MOST_VALUES // len(batches))
                samples[node.name].append(rows[:, :: max(1, rows.shape[1] // most)])
    found: dict[str, Code] = {}
    for name, own in bits.items():
        rows = np.concatenate(samples[name], axis=1)
        signed = bool((rows < 0.0).any())
        shape = Code(max(own, 2) if signed else own, Named.scalar(1.0), signed)
        steps, axis = best_steps(rows, shape), axes[name]
        step = Named.scalar(float(steps[0])) if axis is None else Named((axis,), steps)
        found[name] = Code(shape.bits, step, signed)
    return found


def best_steps(rows: Real, code: Code) -> Real:
    """For each row the step of those tried that misses it least, in squares.

    Args:
        rows: values of each channel, [channels, values].
        code: says how many counts there are.
    """
    size = np.abs(rows).max(axis=1, keepdims=True)
    size = np.where(size == 0.0, np.where(size.max() == 0.0, 1.0, size.max()), size)
    ends = size / code.ends[1]
    missed = [((code.nearest(rows, ends * s) - rows) ** 2).sum(axis=1) for s in SHARES]
    best: Real = ends[:, 0] * SHARES[np.argmin(missed, axis=0)]
    return best


def channel_of(graph: Graph, node: Node) -> str | None:
    """The axis of channels of a value, which is its layer's; None where none is known."""
    made = node.type.names
    while node.inputs:
        match node.op:
            case Conv(out_channel=axis) | Linear(out=(axis,)):
                return axis if axis in made else None
            case BatchNorm(mean=mean) if len(mean.axes) == 1:
                return mean.axes[0] if mean.axes[0] in made else None
            case Pointwise() | Scale() | Add() | BatchNorm() | Rearrange():
                node = graph[node.inputs[0]]
            case _:
                return None
    return None


def _rows(value: Real, node: Node, axis: str | None) -> Real:
    """Values by channel."""
    if axis is None:
        return value.reshape(1, -1)
    moved = np.moveaxis(value, 1 + node.type.names.index(axis), 0)
    return moved.reshape(len(moved), -1)


def _batches(
    graph: Graph,
    options: CompileOptions,
    images: ImageSource,
    chosen: NDArray[np.int64] | None = None,
) -> Iterator[Real]:
    """Normalised images as the traced model takes them, some at a time."""
    chosen = np.arange(len(images)) if chosen is None else chosen
    most = max(1, CHUNK_VALUES // sum(int(np.prod(n.type.shape)) for n in graph.nodes))
    (entry, *_) = graph.select(Input)
    means, stds = (
        np.array(each).reshape(-1, *[1] * (len(entry.type.without(TIME).axes) - 1))
        for each in options.normalization
    )
    for start in range(0, len(chosen), most):
        given = np.asarray(images[chosen[start : start + most]], np.float64)
        if options.frames is None:
            given = (given / 255.0 - means) / stds
        if TIME in entry.type.names and not (isinstance(entry.op, Input) and entry.op.frames):
            at = 1 + entry.type.names.index(TIME)
            given = np.repeat(np.expand_dims(given, at), graph.steps, axis=at)
        yield given


def _answers(graph: Graph, given: Real) -> NDArray[np.int64]:
    """The class of each image."""
    last = graph[graph.output]
    value = run_traced(graph, given)[graph.output]
    if TIME in last.type.names:
        value = value.mean(axis=1 + last.type.names.index(TIME))
    classes: NDArray[np.int64] = value.reshape(len(given), -1).argmax(axis=1)
    return classes
