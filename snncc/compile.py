"""The compiler's driver: a checkpoint or a module goes in, a program comes out."""

import importlib
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from snncc import __version__
from snncc.artifact import Program
from snncc.diagnostics import SnnccError
from snncc.ir import Graph
from snncc.mfi.folds import Scales, fold_summary, prove_folds
from snncc.mfi.roundings import prove_roundings, rounding_summary
from snncc.passes.convert_modules_into_populations import (
    MEAN_OVER_TIME,
    ConvertModulesIntoPopulations,
)
from snncc.passes.fold_batchnorm_into_thresholds import FoldBatchnormIntoThresholds
from snncc.passes.fold_batchnorm_into_weights import FoldBatchnormIntoWeights
from snncc.passes.measure_decays_by_step import MeasureDecaysByStep
from snncc.passes.move_offsets_into_populations import MoveOffsetsIntoPopulations
from snncc.passes.pipeline import Observer, Pass, PassEvent, run_passes
from snncc.passes.push_projections_to_spikes import PushProjectionsToSpikes
from snncc.passes.unshare_weights_under_gains import UnshareWeightsUnderGains
from snncc.quantize.calibration import (
    Rounded,
    images_that_fit,
    round_plainly,
    round_with_images,
)
from snncc.quantize.lower_to_integers import LowerToIntegers

if TYPE_CHECKING:
    from torch import nn

    from snncc.frontends.torch_recorder import Trace

Json = Any
DEFAULT_STEPS = 4
WEIGHT_BITS = range(2, 25)


@dataclass(frozen=True)
class CompileOptions:
    """What the user chooses.

    Attributes:
        input_shape: of one image; None to take it from a recognised checkpoint.
        normalize: means and standard deviations, one or one per channel; None for (0, 1).
        steps: T; None to take the checkpoint's, else 4.
        weight_bits: of signed weights, 2 to 24.
        gain: "shift-add" or "unshared": what becomes of a BatchNorm that cannot be folded.
        encoding: "bit-planes" or "host": how the image enters.
        profile: semantics of the integer program.
        layout: how the model takes its input, see `trace_model`.
        decay: "approximate" or "by-step": what becomes of a decay that is no 1/m.
        neuron: parameters of a recognised network's neurons by name, as text; None for those of
            the public implementation.
    """

    input_shape: tuple[int, ...] | None = None
    normalize: tuple[tuple[float, ...], tuple[float, ...]] | None = None
    steps: int | None = None
    weight_bits: int = 8
    gain: str = "shift-add"
    encoding: str = "bit-planes"
    profile: str = "exact"
    layout: str = "auto"
    decay: str = "approximate"
    neuron: Mapping[str, str] | None = None


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


@dataclass
class _Source:
    """A module ready to be traced and where it came from."""

    module: "nn.Module"
    network: str
    facts: dict[str, Json] = field(default_factory=dict[str, Json])
    input_shape: tuple[int, ...] | None = None
    steps: int | None = None
    notes: tuple[str, ...] = ()
    steps_are_fixed: bool = False


def compile_checkpoint(
    path: Path | None,
    options: CompileOptions,
    *,
    model: str | None = None,
    model_arguments: Mapping[str, str] | None = None,
    calibration: NDArray[np.uint8] | None = None,
    observe: Observer | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Compiled:
    """Compiles a checkpoint, or a module that a factory makes.

    Args:
        path: the checkpoint; may be None when the factory brings its weights.
        options: see `CompileOptions`.
        model: None or "mixer-snn" to recognise the checkpoint, else "pkg.module:factory".
        model_arguments: for the factory.
        calibration: uint8 images [n, *input_shape] for rounding; None to round to nearest.
        observe: called after every pass.
        progress: called during calibration with nodes done and their total.

    Raises:
        SnnccError: with every finding, when an option does not fit, the checkpoint cannot be
            read, or the model cannot be lowered.
    """
    _check(options)
    _require_torch()
    source = _load(path, model, model_arguments or {}, options.neuron)
    return compile_module(source, options, calibration, observe, progress)


def compile_module(
    source: _Source,
    options: CompileOptions,
    calibration: NDArray[np.uint8] | None,
    observe: Observer | None,
    progress: Callable[[int, int], None] | None,
) -> Compiled:
    """Traces, folds, rounds and lowers one module."""
    from snncc.frontends.torch_recorder import trace_model

    shape, steps = _shape_and_steps(source, options)
    notes = [*source.notes]
    if options.steps is None and source.steps is None:
        notes.append(f"the checkpoint does not say T: {DEFAULT_STEPS} steps (--steps)")
    if options.normalize is None:
        notes.append("no --normalize: pixels enter as x/255")
    _check_calibration(calibration, shape)
    trace = trace_model(source.module, shape, steps, options.layout)
    if trace.findings:
        raise SnnccError.of(trace.findings)
    events: list[PassEvent] = []

    def watch(event: PassEvent) -> None:
        events.append(event)
        if observe is not None:
            observe(event)

    watch(PassEvent("trace", trace.graph, 0.0))
    spiking = run_passes(trace.graph, spiking_passes(options), watch)
    if calibration is None:
        rounded = round_plainly(spiking, options.weight_bits)
        notes.append("no --calibrate: weights are rounded to nearest")
    else:
        used = images_that_fit(spiking, calibration)
        if len(used) < len(calibration):
            notes.append(f"{len(used)} of {len(calibration)} calibration images fit the memory")
        rounded = round_with_images(spiking, options.weight_bits, used, progress)
    lowering = LowerToIntegers(rounded, options.weight_bits)
    integer = run_passes(spiking, [lowering], watch)
    report = _report(source, options, shape, steps, trace.graph, integer, events)
    before = next(e.graph for e in events if e.name == MoveOffsetsIntoPopulations.name)
    scales = scales_of(rounded, lowering)
    report["fold_proof"] = fold_summary(prove_folds(before, integer, scales))
    report["rounding"] = rounding_summary(
        prove_roundings(spiking, integer, scales, options.weight_bits)
    )
    return Compiled(Program(integer, report), report, tuple(notes))


def scales_of(rounded: Rounded, lowering: LowerToIntegers) -> Scales:
    """In what a program's integers are counted, as the fold proof takes it."""
    units = {name: (unit.axes, unit.array) for name, unit in rounded.units.unit.items()}
    return Scales(units, rounded.units.exponent, lowering.fraction_bits)


def trace_checkpoint(
    path: Path | None,
    options: CompileOptions,
    *,
    model: str | None = None,
    model_arguments: Mapping[str, str] | None = None,
) -> "tuple[Trace, str]":
    """Records a checkpoint's network, or a factory's, without compiling it.

    Returns:
        The traced graph with the recorder's findings, and the network's name.

    Raises:
        SnnccError: the model cannot be read or run; what cannot be compiled is no error here.
    """
    _check(options)
    _require_torch()
    from snncc.frontends.torch_recorder import trace_model

    source = _load(path, model, model_arguments or {}, options.neuron)
    shape, steps = _shape_and_steps(source, options)
    return trace_model(source.module, shape, steps, options.layout), source.network


def _shape_and_steps(source: _Source, options: CompileOptions) -> tuple[tuple[int, ...], int]:
    shape = options.input_shape or source.input_shape
    if shape is None:
        raise SnnccError(
            "SNN001",
            "the image's shape is not known",
            why="only a recognised checkpoint says what it takes",
            help="give --input-shape C,H,W",
        )
    steps = options.steps or source.steps or DEFAULT_STEPS
    if source.steps_are_fixed and steps != source.steps:
        raise SnnccError(
            "SNN001",
            f"--steps {steps}, but the network was trained for {source.steps} time steps",
            why="its BatchNorms have a scale of their own for every step",
            help=f"leave --steps out, or give {source.steps}",
        )
    return shape, steps


def spiking_passes(options: CompileOptions) -> tuple[Pass, ...]:
    """The passes from what the model says to populations and projections without BatchNorm."""
    means, stds = options.normalize or ((0.0,), (1.0,))
    passes: tuple[Pass, ...] = (
        ConvertModulesIntoPopulations(means, stds, options.encoding),
        PushProjectionsToSpikes(),
        FoldBatchnormIntoWeights(),
        MoveOffsetsIntoPopulations(),
        FoldBatchnormIntoThresholds(),
    )
    if options.decay == "by-step":
        passes = (*passes, MeasureDecaysByStep())
    return (*passes, UnshareWeightsUnderGains()) if options.gain == "unshared" else passes


def _check(options: CompileOptions) -> None:
    if options.weight_bits not in WEIGHT_BITS:
        raise SnnccError(
            "SNN001", f"weights of {options.weight_bits} bits", help="--weight-bits 2 to 24"
        )
    for what, value, allowed in (
        ("gain", options.gain, ("shift-add", "unshared")),
        ("encoding", options.encoding, ("bit-planes", "host")),
        ("profile", options.profile, ("exact",)),
        ("layout", options.layout, ("auto", "sequence", "frame")),
        ("decay", options.decay, ("approximate", "by-step")),
    ):
        if value not in allowed:
            raise SnnccError(
                "SNN001",
                f"--{what} {value} is not supported",
                help=f"one of: {', '.join(allowed)}",
            )


def _require_torch() -> None:
    try:
        importlib.import_module("torch")
    except ModuleNotFoundError as error:
        raise SnnccError(
            "SNN050",
            "compiling needs torch, which is not installed",
            why="programs run without it, but a checkpoint is a torch network",
            help="pip install -c constraints.txt '.[compile]' (or torch itself)",
        ) from error


def _check_calibration(images: NDArray[np.uint8] | None, shape: tuple[int, ...]) -> None:
    if images is None:
        return
    if images.dtype != np.uint8 or images.shape[1:] != shape or len(images) == 0:
        raise SnnccError(
            "SNN016",
            f"calibration images are {images.dtype} {list(images.shape)}, the network takes "
            f"uint8 [n, {', '.join(map(str, shape))}]",
            help="give 8-bit images of the network's size, at least one",
        )


def _load(
    path: Path | None,
    model: str | None,
    arguments: Mapping[str, str],
    neuron: Mapping[str, str] | None,
) -> _Source:
    from snncc.frontends.checkpoint import load_checkpoint
    from snncc.frontends.factory import load_factory, load_state
    from snncc.frontends.mixer_snn import load_mixer, neuron_options, recognise, steps_of

    if model is not None and model != "mixer-snn":
        if neuron:
            raise SnnccError(
                "SNN001",
                f"--neuron does not go with --model {model}",
                why="a module of your own holds its neurons' parameters",
                help="set them in the factory",
            )
        module = load_factory(model, arguments)
        source = _Source(module, model)
        if path is not None:
            checkpoint = load_checkpoint(path)
            load_state(module, checkpoint.state, path)
            source.facts["checkpoint"] = path.name
        return source
    if path is None:
        raise SnnccError("SNN001", "neither a checkpoint nor --model pkg.module:factory is given")
    checkpoint = load_checkpoint(path)
    if model is None and not recognise(checkpoint.state):
        raise SnnccError(
            "SNN013",
            f"{path.name} is not of a network that is recognised",
            why="its tensors are not named as those of a Mixer-SNN",
            help="give --model pkg.module:factory to compile a network of your own",
        )
    module, config, notes = load_mixer(checkpoint, neuron_options(neuron))
    facts = {
        "variant": config.variant,
        "dim": config.dim,
        "depths": list(config.depths),
        "alpha": config.alpha,
        "patch_size": config.patch_size,
        "image_size": config.image_size,
        "classes": config.num_classes,
        "checkpoint": path.name,
    }
    shape = (config.in_channels, config.image_size, config.image_size)
    steps = config.scale_steps or steps_of(checkpoint)
    return _Source(module, "mixer-snn", facts, shape, steps, notes, bool(config.scale_steps))


def _report(
    source: _Source,
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
    means, stds = options.normalize or ((0.0,), (1.0,))
    return {
        "snncc": __version__,
        "network": source.network,
        **source.facts,
        "input_shape": list(shape),
        "steps": steps,
        "normalize": {"mean": list(means), "std": list(stds)},
        "weight_bits": options.weight_bits,
        "gain": options.gain,
        "encoding": options.encoding,
        "profile": options.profile,
        "parameters": sum(p.numel() for p in source.module.parameters()),
        "traced_nodes": len(traced.nodes),
        "nodes": len(integer.nodes),
        "folds": folds,
        "fired": dict(sorted(fired.items())),
    }
