"""The passes before rounding: from what the model says to populations and projections."""

from collections import Counter
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
from snncc.passes.report_foreign_ops import foreign_findings, real_activation
from snncc.passes.unshare_weights_under_gains import UnshareWeightsUnderGains
from snncc.targets.registry import profile_named

OF_LOOPS = frozenset(("SNN120", "SNN121"))
"""Findings of a loop over time, whose steps are unrolled then."""
AXES = "SNN110"
"""Of an answer with several axes, which the steps of a loop without a form may have."""


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
    if any(finding.code in OF_LOOPS for finding in findings):
        told |= _of_unrolled_steps(traced)
        told |= {finding for finding in refused if finding.code == AXES} - {*findings}
    return graph, [finding for finding in dict.fromkeys(refused) if finding not in told]


def recognised(graph: Graph, options: CompileOptions, observe: Observer = lambda _: None) -> Graph:
    """A traced model with its quantised activations as counts; itself where it has none."""
    if not graph.select(Pointwise):
        return graph
    domains = domains_of(graph, options.pixel_bounds)
    least = {name: domain.low for name, domain in domains.items()}
    most = {name: domain.high for name, domain in domains.items()}
    return run_passes(graph, [RecogniseStaircases(least, most)], observe)


def _of_unrolled_steps(graph: Graph) -> set[Finding]:
    """What clips or rounds again and again at one place: parts of a loop that has no form."""
    found = Counter(
        real_activation(node, node.op)
        for node in graph.select(Pointwise)
        if isinstance(node.op, Pointwise)
    )
    return {finding for finding, count in found.items() if count > 1}


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
