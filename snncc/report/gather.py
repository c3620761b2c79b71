"""Makes a report's facts from a program and what the user gives beside it."""

from collections.abc import Callable, Collection
from contextlib import suppress
from dataclasses import dataclass, field

import numpy as np

from snncc.artifact import Program, computation_digest, program_digest
from snncc.diagnostics import SnnccError
from snncc.execution import Images
from snncc.ir import Array, Graph
from snncc.ir.encodings import frames_of
from snncc.ir.images import ImageSource
from snncc.ir.populations import population_nodes
from snncc.mfi import Verdict, prove
from snncc.report.activity import Watched, by_name, watch
from snncc.report.answers import AnswerFacts, answers_of
from snncc.report.cores import CoreFacts
from snncc.report.difference import Compared, Other, differences
from snncc.report.facts import Facts, Identity, Thumbnail
from snncc.report.network import nodes_of
from snncc.report.origin import fidelity_of, text_of
from snncc.report.raster import Raster, raster_of
from snncc.report.thumbnails import thumbnail
from snncc.report.verdict import verdict_of
from snncc.report.weights import weights_of
from snncc.report.widths import widths_of
from snncc.report.work import TimeFacts, WorkFacts, count, times_of
from snncc.runtime.answers import predictions_of
from snncc.runtime.compare.compared_layers import Side, pair
from snncc.runtime.executors import as_executor
from snncc.runtime.recording import run_recorded
from snncc.runtime.simulator import Simulator

DETAIL = 32
"""Images that are looked at neuron by neuron, where the user does not say how many."""
REGISTER = 16

Progress = Callable[[str, int, int], None]
"""Told what is done, how far it is, and how far it goes."""


@dataclass(frozen=True)
class Given:
    """What the user gives beside a program.

    Attributes:
        images: that the program runs, as it takes them; None for none.
        labels: int64 [n].
        original: predictions of the original network, int64 [n].
        other: another execution, made or read for `detail` images.
        layers: populations whose rasters are shown; none for the first, the middle and the last.
        detail: images that are looked at neuron by neuron.
        register: bits of a register to hold the widths against.
        profile: whether units are timed.
        threads: of the simulator.
        cores: what a mapping says, recounted.
    """

    images: ImageSource | None = None
    labels: Array | None = None
    original: Array | None = None
    other: Callable[[Images], Other] | None = None
    layers: Collection[str] = ()
    detail: int = DETAIL
    register: int = REGISTER
    profile: bool = False
    threads: int | None = None
    cores: CoreFacts | None = None


@dataclass
class _Run:
    """What running images gave; empty without images."""

    rates: dict[str, float] = field(default_factory=dict[str, float])
    answers: AnswerFacts | None = None
    thumbnails: list[Thumbnail] = field(default_factory=list[Thumbnail])
    not_judged: list[str] = field(default_factory=list[str])


def gather(program: Program, given: Given, progress: Progress | None = None) -> Facts:
    """Facts of a program; of a run too where images are given.

    Raises:
        SnnccError: SNN001 for a layer that there is not; SNN016 for data that do not fit; SNN004
            when memory does not suffice; SNN040 for ops that a part of snncc does not know.
    """
    graph, report = program.graph, program.provenance
    told = progress or _untold
    layers = _layers(graph, given.layers)
    proof = prove(graph)
    simulator = Simulator(graph, given.threads)
    run = _run(graph, given, simulator, told)
    watched: tuple[Watched, ...] = ()
    rasters: tuple[Raster, ...] = ()
    work: tuple[WorkFacts, ...] = ()
    times: tuple[TimeFacts, ...] = ()
    compared: Compared | None = None
    few = None if given.images is None else given.images[0 : given.detail]
    if few is not None:
        execute = as_executor(simulator)
        watched = watch(graph, few, execute, lambda done, of: told("membranes", done, of))
        if given.other is not None:
            other, digest = given.other(few), program_digest(program)
            own = run_recorded(graph, few, execute, [n for n, _ in _sized(graph)], digest)[1]
            compared = differences(graph, own, other, given.detail)
        rasters = _rasters(graph, few, simulator, layers, compared, bool(given.layers))
        told("operations", 0, 1)
        work = _work(graph, few, run)
        times = times_of(simulator, few[0]) if given.profile else ()
    widths, why = widths_of(graph, by_name(watched))
    where, beside = fidelity_of(report)
    return Facts(
        _identity(program),
        verdict_of(proof),
        nodes_of(graph, proof, report),
        tuple(run.rates.items()),
        where,
        tuple(beside.items()),
        0 if given.images is None else len(given.images),
        0 if few is None else len(few),
        watched,
        rasters,
        weights_of(graph, report),
        widths,
        given.register,
        work,
        times,
        run.answers,
        tuple(run.thumbnails),
        None if compared is None else compared.facts,
        (*_unknown(program, proof, simulator), *([why] if why else ()), *run.not_judged),
        given.cores,
    )


def _untold(what: str, done: int, of: int) -> None:
    """Tells nobody."""


def _sized(graph: Graph) -> list[tuple[str, int]]:
    return [(node.name, node.type.neurons) for node in population_nodes(graph)]


def _layers(graph: Graph, wanted: Collection[str]) -> tuple[str, ...]:
    from snncc.execution import recorded_names

    names = [name for name, _ in _sized(graph)]
    if wanted:
        known = recorded_names(graph, wanted)
        return tuple(name for name in names if name in known)
    middle = names[len(names) // 2 : len(names) // 2 + 1]
    return tuple(dict.fromkeys([*names[:1], *middle, *names[-1:]]))


def _run(graph: Graph, given: Given, simulator: Simulator, told: Progress) -> _Run:
    """Answers to all images, part by part, and how often every population fires."""
    found, images = _Run(), given.images
    if images is None:
        return found
    logits: list[Array] = []
    spikes = dict.fromkeys((name for name, _ in _sized(graph)), 0)
    for start in range(0, len(images), simulator.images_at_once):
        part = simulator.run(images[start : start + simulator.images_at_once])
        logits.append(part.logits)
        for name in spikes:
            spikes[name] += part.spike_counts[name]
        told("answers", min(len(images), start + simulator.images_at_once), len(images))
    trains = max(1, len(images) * graph.steps)
    found.rates = {name: spikes[name] / (trains * of) for name, of in _sized(graph)}
    shape = graph[graph.output].type.shape
    if sum(size > 1 for size in shape) > 1:
        found.not_judged.append(f"predictions: answers have several axes, {list(shape)}")
        return found
    predictions = predictions_of(np.concatenate(logits))
    found.answers = answers_of(predictions, max(shape, default=1), given.labels, given.original)
    axes = frames_of(graph).axes
    for each in found.answers.differing:
        shown = thumbnail(each.image, images[each.image : each.image + 1][0], axes)
        found.thumbnails += [] if shown is None else [shown]
    return found


def _work(graph: Graph, images: Images, run: _Run) -> tuple[WorkFacts, ...]:
    """Operations; none, and why, where an op has no count."""
    try:
        return count(graph, images)
    except SnnccError as error:
        run.not_judged.append(f"operations: {error.findings[0].message}")
        return ()


def _rasters(
    graph: Graph,
    images: Images,
    simulator: Simulator,
    layers: tuple[str, ...],
    compared: Compared | None,
    chosen: bool,
) -> tuple[Raster, ...]:
    first = None if compared is None else compared.facts.first
    if first is not None and first.layer in graph.by_name and not chosen:
        own = (name for name, _ in _sized(graph))
        layers = tuple(name for name in own if name in {*layers, first.layer})
    both = dict[str, tuple[Array, Array]]() if compared is None else {**compared.spikes}
    alone = [name for name in layers if name not in both]
    found = {name: raster_of(name, *both[name]) for name in layers if name in both}
    if alone:
        _, recording = run_recorded(graph, images, as_executor(simulator), alone)
        side = Side("A", recording, graph)
        spikes = pair(side, side).a.recording.spikes
        found |= {name: raster_of(name, spikes[name]) for name in alone}
    return tuple(found[name] for name in layers)


def _identity(program: Program) -> Identity:
    graph, report = program.graph, program.provenance
    sizes = _sized(graph)
    return Identity(
        text_of(report, "network", "program"),
        text_of(report, "checkpoint"),
        computation_digest(program),
        graph.profile,
        graph.steps,
        len(sizes),
        sum(neurons for _, neurons in sizes),
        sum(int(array.size) for array in graph.constants.values()),
        f"{bits} bits" if isinstance(bits := report.get("weight_bits"), int) else "not stated",
    )


def _unknown(program: Program, proof: Verdict, simulator: Simulator) -> list[str]:
    """What the program, its file and its plan leave open."""
    found = [f"{op.name or op.op}: {op.need.reason}" for op in proof.unjudged]
    with suppress(SnnccError):
        found += [f"{name} runs on the host: {why}" for name, why in simulator.host_units.items()]
    if not fidelity_of(program.provenance)[1]:
        found.append(
            "what rounding costs: the program was compiled without images (`snncc compile "
            "--calibrate`)"
        )
    return found
