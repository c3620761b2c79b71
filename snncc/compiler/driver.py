"""The compiler's driver: a model goes in, a program comes out."""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from snncc import __version__
from snncc.artifact import Program
from snncc.compiler.activations import quantised
from snncc.compiler.bit_widths import MOST, Trial, bits_by_layer, search_bits
from snncc.compiler.data_checks import (
    check_labels,
    labels_for,
    naming_normalisation,
    normalisation_notes,
)
from snncc.compiler.fidelity import measure_fidelity, some_images
from snncc.compiler.folding import (
    before_thresholds,
    convert_and_fold,
    has_gains,
    inexact_neurons,
    measured_by_step,
)
from snncc.compiler.given import NOTHING, Given
from snncc.compiler.inputs import DEFAULT_STEPS, images_of, shape_and_steps
from snncc.compiler.options import (
    DEFAULT_WEIGHT_BITS,
    CompileOptions,
    check_options,
    untuned,
    without_images,
)
from snncc.compiler.sources import load_source
from snncc.compiler.weight_rounding import HELD, Rounding, kept_and_held
from snncc.compiler.whole_programs import whole_program
from snncc.diagnostics import SnnccError
from snncc.events.kept_framing import RECORD
from snncc.frontends.frontend import FRAMES, Source, Traced
from snncc.ir import Graph
from snncc.ir.images import ImageSource
from snncc.mfi.folds.proof import Scales, fold_summary, prove_folds
from snncc.mfi.folds.roundings import prove_roundings, rounding_summary
from snncc.mfi.folds.sites import Storage
from snncc.passes.convert_modules_into_populations import (
    MEAN_OVER_TIME,
)
from snncc.passes.finite_constants import doubtful_constants
from snncc.passes.pipeline import PassEvent, run_passes
from snncc.quantize.calibration import (
    images_that_fit,
    places_that_fit,
)
from snncc.quantize.units import Bits
from snncc.runtime.cross_check import CrossCheck, check_compiled
from snncc.targets.profile import LoweringPass
from snncc.targets.registry import profile_named

Json = Any


@dataclass(frozen=True)
class Compiled:
    """A program and what there is to say about how it came about.

    Attributes:
        program: ready to be saved.
        report: facts in JSON form: the network, what was folded where, the options.
        notes: sentences for the user.
    """

    program: Program
    report: Mapping[str, Json]
    notes: tuple[str, ...] = ()


def compile_checkpoint(
    path: Path | None,
    options: CompileOptions,
    given: Given = NOTHING,
    *,
    model: str | None = None,
    model_arguments: Mapping[str, str] | None = None,
) -> Compiled:
    """Compiles a checkpoint, or a module that a factory makes.

    Args:
        path: the checkpoint; may be None when the factory brings its weights.
        options: see `CompileOptions`.
        given: see `Given`.
        model: None or "mixer-snn" to recognise the checkpoint, else "pkg.module:factory".
        model_arguments: for the factory.

    Raises:
        SnnccError: with every finding, when an option does not fit, the checkpoint cannot be
            read, or the model cannot be lowered.
    """
    check_options(options)
    source = _named(path, options, model, model_arguments)
    return compile_module(source, options, given)


def _named(
    path: Path | None,
    options: CompileOptions,
    model: str | None,
    arguments: Mapping[str, str] | None,
) -> Source:
    return load_source(
        path,
        model,
        arguments or {},
        options.neuron,
        options.weights,
        options.convention,
        options.dt,
        options.answer,
    )


def compile_module(source: Source, options: CompileOptions, given: Given = NOTHING) -> Compiled:
    """Traces, folds, rounds and lowers one model."""
    with naming_normalisation(options):
        return _compiled(source, options, given)


def _compiled(source: Source, options: CompileOptions, given: Given) -> Compiled:
    if options.tune and (given.calibration is None or source.whole):
        raise untuned("it learns from calibration images what rounding left free")
    profile = profile_named(options.profile)
    shape, steps = shape_and_steps(source, options)
    notes = [*source.notes]
    if options.steps is None and source.steps is None:
        notes.append(f"the checkpoint does not say T: {DEFAULT_STEPS} steps (--steps)")
    if source.whole:
        trace = source.trace(shape, steps, options.layout)
        program = whole_program(source, trace, options, given, shape)
        return Compiled(program, program.provenance, (*notes, *trace.notes))
    if options.normalize is None and options.preset is None and options.frames is None:
        notes.append("no --normalize: pixels enter as x/255")
    notes += normalisation_notes(options.normalization)
    called = given.called
    images = images_of(given.calibration, shape, steps, options, called[0] or "calibration images")
    evaluated = images_of(given.evaluation, shape, steps, options, called[1] or "evaluation images")
    check_labels(given.labels, images if evaluated is None else evaluated)
    given.stage("trace")
    trace = source.trace(shape, steps, FRAMES if options.frames else options.layout)
    notes += (*trace.notes, *doubtful_constants(trace.graph))
    events: list[PassEvent] = []

    def watch(event: PassEvent) -> None:
        events.append(event)
        if given.observe is not None:
            given.observe(event)

    watch(PassEvent("trace", trace.graph, 0.0))
    given.stage("folds")
    counted = quantised(trace.graph, options, images, watch)
    if options.activation_bits and not counted.codes:
        notes.append("--activation-bits: the model has no activation of real numbers")
    spiking, refused = convert_and_fold(counted.graph, trace.findings, options, watch)
    if refused:
        raise SnnccError.of(refused)
    if options.decay == "by-step" and not measured_by_step(events):
        notes.append("--decay by-step: every decay is 0, 1 or 1/m, which is exact as it is")
    if options.gain is not None and not has_gains(spiking, events):
        notes.append(f"--gain {options.gain}: every BatchNorm folds, which leaves it nothing to do")
    used = None if images is None else images_that_fit(spiking, images)
    if images is None or used is None:
        notes.append("no --calibrate: weights are rounded to nearest")
    elif len(used) < len(images):
        notes.append(f"{len(used)} of {len(images)} calibration images fit the memory")
    judged = some_images(spiking, used) if evaluated is None else evaluated
    truth = None
    if given.labels is not None and judged is not None:
        truth = labels_for(given.labels, spiking)
        if evaluated is None:
            truth = truth[places_that_fit(spiking, len(truth))][: len(judged)]

    rest: NDArray[np.uint8] | None = None
    by_rest = evaluated is None and (options.agreement is not None or options.tune)
    if used is not None and len(used) >= HELD and (by_rest or options.tune):
        kept, held = kept_and_held(len(used))
        rest, used = used[held], used[kept]
        notes.append(f"{len(held)} calibration images are kept from rounding, to judge by")
        if by_rest:
            judged = some_images(spiking, rest)
            if given.labels is not None and judged is not None:
                truth = labels_for(given.labels, spiking)
                truth = truth[places_that_fit(spiking, len(truth))][held][: len(judged)]
    if options.tune and rest is None:
        raise untuned(f"it learns from calibration images, and needs at least {HELD}")
    rounding = Rounding(spiking, profile, used, given)

    def lowering(bits: Bits, tuned_by: NDArray[np.uint8] | None = None) -> LoweringPass:
        rounded = rounding(bits, tuned_by)
        given.stage("rounding")
        return profile.lower(rounded, max(bits.values()))

    most = min(MOST, profile.most_bits)
    bits, trials = _choose_bits(options, spiking, judged, lowering, most)
    chosen = lowering(bits, rest if options.tune else None)
    notes += rounding.notes
    integer = run_passes(spiking, [chosen], watch)
    if beyond := profile.limits(integer):
        raise SnnccError.of(beyond)
    notes += inexact_neurons(events)
    report = _report(source, options, shape, steps, trace.graph, integer, events)
    report["weight_bits"] = max(bits.values())
    if options.frames is not None:
        report["frames"] = list(options.frames)
    if given.framing is not None:
        report[RECORD] = given.framing.to_json()
    report["activation_bits"] = {name: code.bits for name, code in counted.codes.items()}
    report["layer_bits"] = bits if len(set(bits.values())) > 1 else {}
    if options.agreement is not None:
        report["bit_search"] = {"wanted": options.agreement, "trials": [asdict(t) for t in trials]}
    if judged is None:
        notes.append("no images: what rounding costs is not measured (--calibrate or --evaluate)")
    else:
        by = "evaluation" if evaluated is not None else "calibration"
        given.stage("fidelity")
        found = measure_fidelity(spiking, integer, judged, labels=truth)
        report["fidelity"] = {"by": by, **found.record()}
        if counted.codes:
            effect = counted.effect(options, judged, truth)
            report["activation_effect"] = asdict(effect)
            notes.append(f"ReLUs and clamps as counts: {effect}, before weights are rounded")
        checked = check_compiled(integer, judged)
        notes.append(_checked(checked))
    given.stage("proof")
    scales = scales_of(chosen, profile.storage)
    before = before_thresholds(spiking, events)
    report["fold_proof"] = fold_summary(prove_folds(before, integer, scales))
    report["rounding"] = rounding_summary(prove_roundings(spiking, integer, scales, bits))
    return Compiled(Program(integer, report), report, tuple(notes))


def _checked(found: CrossCheck | None) -> str:
    """A sentence for the user: whether the simulator was seen to do what the program means."""
    if found is None:
        return "`snncc run --cross-check N` compares simulator and interpreter; here it takes long"
    return (
        f"simulator and interpreter agree on {found.images} images, in all of {found.spikes:,} "
        "spikes and membranes"
    )


def scales_of(lowering: LoweringPass, storage: Storage | None = None) -> Scales:
    """In what a program's integers are counted and stored, as the fold proof takes it."""
    units = lowering.rounded.units
    unit = {name: (own.axes, own.array) for name, own in units.unit.items()}
    exponent = {**units.exponent, **lowering.exact}
    return Scales(unit, exponent, lowering.fraction_bits, storage)


def _choose_bits(
    options: CompileOptions,
    spiking: Graph,
    judged: ImageSource | None,
    lowering: Callable[[Bits], LoweringPass],
    most: int,
) -> tuple[Bits, tuple[Trial, ...]]:
    """Bits of every map, and what was tried to find them."""
    if options.agreement is None:
        bits = options.weight_bits or DEFAULT_WEIGHT_BITS
        return bits_by_layer(spiking, bits, options.layer_bits), ()
    if judged is None:
        raise without_images()

    def agreement_of(bits: Bits) -> float:
        integer = run_passes(spiking, [lowering(bits)])
        return measure_fidelity(spiking, integer, judged).agreement

    return search_bits(spiking, options.agreement, agreement_of, most)


def trace_checkpoint(
    path: Path | None,
    options: CompileOptions,
    *,
    model: str | None = None,
    model_arguments: Mapping[str, str] | None = None,
    tell: Callable[[str], None] | None = None,
) -> tuple[Traced, str]:
    """Records a checkpoint's network, or a factory's, without compiling it.

    Args:
        path: as `compile_checkpoint` takes it, and likewise the rest.
        options: see `CompileOptions`.
        model: None, "mixer-snn" or "pkg.module:factory".
        model_arguments: for the factory.
        tell: called with every note on what was assumed.

    Returns:
        The traced graph with the recorder's findings, and the network's name.

    Raises:
        SnnccError: the model cannot be read or run; what cannot be compiled is no error here.
    """
    check_options(options)
    source = _named(path, options, model, model_arguments)
    if tell is not None:
        for note in source.notes:
            tell(note)
    shape, steps = shape_and_steps(source, options)
    trace = source.trace(shape, steps, options.layout)
    if tell is not None:
        for note in (*trace.notes, *doubtful_constants(trace.graph)):
            tell(note)
    return trace, source.network


def _report(
    source: Source,
    options: CompileOptions,
    shape: tuple[int, ...],
    steps: int,
    traced: Graph,
    integer: Graph,
    events: list[PassEvent],
) -> dict[str, Json]:
    folds = [
        {"pass": event.name, "site": note.site, "fired": note.fired, "text": note.text}
        for event in events
        for note in event.notes
    ]
    fired = Counter(f["pass"] for f in folds if f["fired"] and f["site"] != MEAN_OVER_TIME)
    means, stds = options.normalization
    return {
        "snncc": __version__,
        "network": source.network,
        **source.facts,
        "input_shape": list(shape),
        "steps": steps,
        "normalize": {"mean": list(means), "std": list(stds)},
        "preprocess": options.preprocess,
        "gain": profile_named(options.profile).gain_for(options),
        "encoding": options.encoding,
        "profile": options.profile,
        "parameters": source.parameters(),
        "traced_nodes": len(traced.nodes),
        "nodes": len(integer.nodes),
        "folds": folds,
        "fired": dict(sorted(fired.items())),
    }
