"""The passes before rounding: from what the model says to populations and projections."""

from collections.abc import Iterable, Sequence

from snncc.compiler.options import CompileOptions
from snncc.diagnostics import Finding, SnnccError
from snncc.ir import Graph
from snncc.ir.dialects.pointwise import Pointwise
from snncc.ir.dialects.spiking import Affine
from snncc.ir.dialects.traced import Foreign
from snncc.mfi import domains_of
from snncc.mfi.models.domains import BIT
from snncc.passes.convert_modules_into_populations import ConvertModulesIntoPopulations
from snncc.passes.fold_batchnorm_into_thresholds import FoldBatchnormIntoThresholds
from snncc.passes.fold_batchnorm_into_weights import FoldBatchnormIntoWeights
from snncc.passes.measure_decays_by_step import MeasureDecaysByStep
from snncc.passes.move_offsets_into_populations import MoveOffsetsIntoPopulations
from snncc.passes.pipeline import Observer, Pass, PassEvent, run_passes
from snncc.passes.push_projections_to_spikes import PushProjectionsToSpikes
from snncc.passes.recognise_staircases import RecogniseStaircases
from snncc.passes.replicate_currents import ReplicateCurrents
from snncc.passes.report_foreign_ops import foreign_findings
from snncc.passes.unshare_weights_under_gains import UnshareWeightsUnderGains
from snncc.targets.registry import profile_named


def convert_and_fold(
    graph: Graph, findings: Sequence[Finding], options: CompileOptions, observe: Observer
) -> tuple[Graph, list[Finding]]:
    """Runs the passes before rounding on a traced model, as far as they go.

    The recorder has told of foreign ops already, with what it knows of the model: it leaves out
    what is foreign only because of what it reads, and tells of an unknown neuron class once.

    Returns:
        The spiking graph, and every reason why it cannot be lowered: the recorder's findings
        first, none where it can be.
    """
    traced, foreign = graph, graph.select(Foreign)
    graph = recognised(graph, options, observe)
    domains = domains_of(graph, options.pixel_bounds) if foreign else {}
    bits = frozenset(node.name for node in foreign if domains[node.name] == BIT)
    refused = list(findings)
    for step in spiking_passes(options, bits):
        if refused and isinstance(step, ReplicateCurrents):
            break  # it copies what nobody will lower, once for every path that leads there
        try:
            graph = run_passes(graph, [step], observe, refused)
        except SnnccError as error:
            if not refused:
                raise
            refused += error.findings  # what follows from what was refused before it
            break
    told = {*foreign_findings(traced)} - {*findings} if findings else set[Finding]()
    return graph, [finding for finding in dict.fromkeys(refused) if finding not in told]


def recognised(graph: Graph, options: CompileOptions, observe: Observer = lambda _: None) -> Graph:
    """A traced model with its quantised activations as counts; itself where it has none."""
    if not graph.select(Pointwise):
        return graph
    domains = domains_of(graph, options.pixel_bounds)
    least = {name: domain.low for name, domain in domains.items()}
    most = {name: domain.high for name, domain in domains.items()}
    return run_passes(graph, [RecogniseStaircases(least, most)], observe)


def spiking_passes(options: CompileOptions, bits: frozenset[str] = frozenset()) -> tuple[Pass, ...]:
    """The passes from what the model says to populations and projections without BatchNorm.

    Args:
        options: see `CompileOptions`.
        bits: names of what no pass has a form for but is known to be 0 or 1 (for a verdict).
    """
    means, stds = options.normalization
    profile = profile_named(options.profile)
    passes: tuple[Pass, ...] = (
        ConvertModulesIntoPopulations(means, stds, options.encoding, bits, options.frames),
        PushProjectionsToSpikes(profile.counts),
        FoldBatchnormIntoWeights(),
        MoveOffsetsIntoPopulations(),
    )
    return (*passes, *profile.passes(options))


def before_thresholds(spiking: Graph, events: Sequence[PassEvent]) -> Graph:
    """The network with offsets in its populations and every scale still before a threshold.

    That is what the fold proof compares a program with.

    Args:
        spiking: what all passes made of it.
        events: of these passes.
    """
    graphs = {event.name: event.graph for event in events}
    into_thresholds = FoldBatchnormIntoThresholds.name in graphs
    return graphs[MoveOffsetsIntoPopulations.name] if into_thresholds else spiking


def has_gains(spiking: Graph, events: list[PassEvent]) -> bool:
    """Whether a BatchNorm could not be folded and became a gain, or weights of its own."""
    if any(isinstance(n.op, Affine) and n.op.scale is not None for n in spiking.nodes):
        return True
    unshare = UnshareWeightsUnderGains.name
    return any(note.fired for e in events if e.name == unshare for note in e.notes)


def measured_by_step(events: list[PassEvent]) -> bool:
    return any(
        note.fired
        for event in events
        if event.name == MeasureDecaysByStep.name
        for note in event.notes
    )


MOST_TOLD = 4
"""Kinds of neurons that are near, and not exact, of which each has a note of its own."""


def inexact_neurons(events: Iterable[PassEvent]) -> list[str]:
    """What neurons compute that is near to what the model says, a note for all that are alike."""
    sites: dict[str, list[str]] = {}
    for note in (note for event in events for note in event.notes if note.inexact):
        sites.setdefault(note.text, []).append(note.site)
    told = [f"{_some(names)}: {text}" for text, names in sites.items()]
    if len(told) <= MOST_TOLD:
        return told
    rest = len(told) - MOST_TOLD + 1
    more = f"{rest} more kinds of neurons are near, and not exact: `snncc inspect` has them"
    return [*told[: MOST_TOLD - 1], more]


def _some(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{names[0]} and {len(names) - 1} more"
