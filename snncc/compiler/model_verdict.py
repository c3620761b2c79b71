"""The verdict on a model before compiling: the passes run on it as far as they go."""

from collections.abc import Sequence
from dataclasses import dataclass

from snncc.compiler.folding import convert_and_fold, recognised
from snncc.compiler.options import DEFAULT_WEIGHT_BITS, CompileOptions
from snncc.diagnostics import Finding, SnnccError
from snncc.ir import Graph, Kind, Node
from snncc.ir.dialects.spiking import Affine, Opaque
from snncc.mfi import Outcome, Verdict, prove
from snncc.mfi.models.constants import powers_of_two
from snncc.mfi.models.structure import AFFINES
from snncc.passes.fold_batchnorm_into_thresholds import FoldBatchnormIntoThresholds
from snncc.passes.fold_batchnorm_into_weights import FoldBatchnormIntoWeights
from snncc.passes.pipeline import Note, PassEvent, run_passes
from snncc.passes.push_projections_to_spikes import PushProjectionsToSpikes
from snncc.quantize.calibration import round_plainly
from snncc.quantize.units import same_unit
from snncc.targets.registry import profile_named

FOLDS = (FoldBatchnormIntoWeights.name, FoldBatchnormIntoThresholds.name)


@dataclass(frozen=True)
class ModelVerdict:
    """What a model needs, and why `snncc compile` would refuse it.

    Attributes:
        verdict: by op of the model.
        refusals: every finding, those of the recorder first; none when the model compiles.
    """

    verdict: Verdict
    refusals: tuple[Finding, ...]


def judge_model(
    graph: Graph, findings: Sequence[Finding] = (), options: CompileOptions | None = None
) -> ModelVerdict:
    """Judges a traced model by what the passes make of it.

    Args:
        graph: traced.
        findings: of the recorder.
        options: of the normalisation; the defaults of `snncc compile` for the rest.

    Raises:
        SnnccError: the normalisation does not fit the model.
    """
    options = options or CompileOptions()
    graph = recognised(graph, options)
    events: list[PassEvent] = []
    spiking, refused = convert_and_fold(graph, findings, options, events.append)
    if not refused:
        refused += _lowering_refusals(spiking, options)
    notes = [(event.name, note) for event in events for note in event.notes]
    outcome = _outcome(graph, spiking, notes, compiles=not refused)
    verdict = prove(graph, options.pixel_bounds, findings, outcome)
    return ModelVerdict(verdict, tuple(refused))


def _lowering_refusals(spiking: Graph, options: CompileOptions) -> tuple[Finding, ...]:
    """What only the integers show, rounded as `snncc compile` does without images."""
    profile, bits = profile_named(options.profile), DEFAULT_WEIGHT_BITS
    rounded = round_plainly(spiking, bits, profile.choose_units)
    try:
        run_passes(spiking, [profile.lower(rounded, bits)])
    except SnnccError as error:
        return error.findings
    return ()


def _outcome(
    graph: Graph, spiking: Graph, notes: list[tuple[str, Note]], *, compiles: bool
) -> Outcome:
    left = {n.name: n for n in spiking.select(Affine) if _scales(n)}
    reasons: dict[str, list[str]] = {name: [] for name in left}
    for name, note in notes:
        if name in FOLDS and not note.fired and note.site in reasons:
            reasons[note.site].append(note.text)
    pushed = [note for name, note in notes if name == PushProjectionsToSpikes.name]
    whole = not spiking.select(Opaque)
    return Outcome(
        left={site: ", and ".join(why) or "no pass folds it" for site, why in reasons.items()},
        shifts=_shifts(spiking, tuple(left.values()), compiles),
        folded=frozenset(n.site for name, n in notes if name == FOLDS[0] and n.fired),
        currents={note.site: note.text for note in pushed if not note.fired},
        refused={note.site: note.text for _, note in notes if note.refused},
        through={note.site: note.through for note in pushed if note.fired},
        added=tuple(n for n in left.values() if whole and not _stands_for(graph, n)),
        whole=whole,
    )


def _scales(node: Node) -> bool:
    return isinstance(node.op, Affine) and node.op.scale is not None


def _stands_for(graph: Graph, node: Node) -> bool:
    """Whether a factor of the model bears this name; an image's own is no current."""
    known = graph.by_name.get(node.name)
    return node.type.kind is Kind.REAL or (known is not None and isinstance(known.op, AFFINES))


def _shifts(spiking: Graph, left: tuple[Node, ...], compiles: bool) -> frozenset[str]:
    """Factors that are shifts: powers of two between currents that are counted in one unit.

    Where part of the model is refused, no unit is chosen and the factor alone decides.
    """
    united = same_unit(spiking) if compiles else {node.name for node in left}
    return frozenset(
        node.name
        for node in left
        if isinstance(node.op, Affine)
        and node.op.scale is not None
        and node.name in united
        and powers_of_two(spiking.constants[node.op.scale.name])
    )
