"""`snncc compile`."""

import hashlib
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from snncc.cli.command import Command, Rule
from snncc.cli.compile.found import fold_proof_of, meaning_of
from snncc.cli.compile.inputs import (
    OF_OPEN_FILES,
    IrDump,
    check_checkpoint,
    images_of,
    is_open,
    labels_of,
)
from snncc.cli.output import print_facts, print_json, say
from snncc.cli.parameters import (
    parse_activation_bits,
    parse_arguments,
    parse_bits,
    parse_domain,
    parse_layer_bits,
    parse_normalize,
    parse_shape,
)
from snncc.cli.path_types import (
    DataPath,
    InputPath,
    KeyOrDataPath,
    ModelName,
    OutputFile,
    OutputFolder,
)
from snncc.cli.progress import progress
from snncc.cli.registered import Registered
from snncc.frontends.file_conventions import CONVENTIONS
from snncc.targets.registry import PROFILES, unknown

if TYPE_CHECKING:
    from snncc.mfi import Verdict

DEFAULT_AGREEMENT = 0.99
PROGRAM_FILE = OutputFile("a program", ".snncc")


RULES = (
    Rule(
        ("labels",),
        lambda given: given["evaluate"] is not None or given["calibrate"] is not None,
        "labels are of the images of --evaluate or --calibrate",
        "give one of them too",
    ),
    Rule(
        OF_OPEN_FILES,
        lambda given: is_open(given["checkpoint"]),
        "it says how a .nir or .net file is run, and this is none",
    ),
)


@click.command("compile", cls=Command, rules=RULES)
@click.argument("checkpoint", required=False, type=InputPath())
@click.option("-o", "--output", required=True, type=PROGRAM_FILE, help="Program.")
@click.option(
    "--model", type=ModelName(), help="mixer-snn, or pkg.module:factory (this runs that code)."
)
@click.option(
    "--arg",
    "model_arguments",
    multiple=True,
    callback=parse_arguments,
    help="KEY=VALUE for --model.",
)
@click.option(
    "--weights",
    metavar="ema|plain|KEY",
    help="Which of a checkpoint's sets of weights.  [default: plain]",
)
@click.option("--input-shape", callback=parse_shape, metavar="C,H,W", help="Shape of one image.")
@click.option(
    "--normalize",
    callback=parse_normalize,
    metavar="MEAN,STD",
    help="Of pixels/255; per channel a/b/c.",
)
@click.option(
    "--preprocess",
    type=click.Choice(["imagenet224", "cifar224"]),
    help="Normalisation and geometry by name, in place of --normalize.",
)
@click.option("--steps", type=click.IntRange(min=1), metavar="T", help="Time steps.")
@click.option(
    "--weight-bits",
    callback=parse_bits,
    default="8",
    show_default=True,
    metavar="2..24|auto",
    help="auto: the fewest that keep --agreement.",
)
@click.option(
    "--layer-bits",
    multiple=True,
    callback=parse_layer_bits,
    metavar="PATTERN=BITS",
    help="Of the maps whose names fit, e.g. 'token_mix.*=6'.",
)
@click.option(
    "--activation-bits",
    multiple=True,
    callback=parse_activation_bits,
    metavar="1..8|PATTERN=BITS",
    help="Of ReLUs and clamps, which become counts: in steps that --calibrate chooses.",
)
@click.option(
    "--agreement",
    type=click.FloatRange(0, 1),
    metavar="SHARE",
    help="For --weight-bits auto: of images answered as by the network.  [default: 0.99]",
)
@click.option(
    "--tune",
    is_flag=True,
    help="Learn the units of channels from the images of --calibrate (2 and 3 bits).",
)
@click.option(
    "--calibrate",
    type=DataPath(),
    metavar="NPZ[:KEY]|FOLDER",
    help="Images, or recordings, that rounding may look at.",
)
@click.option(
    "--evaluate",
    type=DataPath(),
    metavar="NPZ[:KEY]|FOLDER",
    help="Images that the program is judged by.",
)
@click.option(
    "--labels",
    type=KeyOrDataPath("evaluate", "calibrate"),
    metavar="KEY|NPZ:KEY|folders",
    help="Of the images that the program is judged by, for the accuracy before and after.",
)
@click.option(
    "--profile",
    type=Registered(lambda: tuple(PROFILES), checked=False),
    default="exact",
    show_default=True,
    help="Integer semantics: exact, or loihi-lava for Lava's own processes.",
)
@click.option(
    "--gain",
    type=click.Choice(["shift-add", "unshared"]),
    help="Of a BatchNorm that cannot be folded.  [default: shift-add; loihi-lava: unshared]",
)
@click.option(
    "--encoding", type=click.Choice(["bit-planes", "host"]), default="bit-planes", show_default=True
)
@click.option(
    "--layout", type=click.Choice(["auto", "sequence", "frame"]), default="auto", show_default=True
)
@click.option(
    "--frames",
    callback=parse_domain,
    metavar="LOW..HIGH",
    help="Every step gets a frame of its own: whole numbers of this domain, as they are.",
)
@click.option(
    "--answer",
    metavar="KEY",
    help="Key, or number from 0 on, of the answer, where the model returns a dict or a tuple.",
)
@click.option(
    "--decay",
    type=click.Choice(["approximate", "by-step"]),
    default="approximate",
    show_default=True,
    help="Of membranes, where it is no 1/m.",
)
@click.option(
    "--neuron",
    multiple=True,
    callback=parse_arguments,
    metavar="KEY=VALUE",
    help="tau, v_threshold, v_reset (or none), decay_input, compare of a recognised network.",
)
@click.option(
    "--convention",
    type=Registered(lambda: CONVENTIONS, checked=False),
    help="How a .nir or .net file is run: the framework that wrote it.",
)
@click.option("--dt", type=float, metavar="S", help="Seconds of a time step of a .nir file.")
@click.option("--dump-ir", type=OutputFolder(), metavar="DIR", help="The graph after every pass.")
@click.option("--time-passes", is_flag=True, help="Seconds of every pass, on stderr.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout.")
def command(
    checkpoint: Path | None,
    output: Path,
    model: str | None,
    model_arguments: dict[str, str],
    weights: str | None,
    input_shape: tuple[int, ...] | None,
    normalize: Any,
    preprocess: str | None,
    steps: int | None,
    weight_bits: int | None,
    layer_bits: tuple[tuple[str, int], ...],
    activation_bits: tuple[tuple[str, int], ...],
    agreement: float | None,
    tune: bool,
    calibrate: str | None,
    evaluate: str | None,
    labels: str | None,
    profile: str,
    gain: str | None,
    encoding: str,
    layout: str,
    frames: tuple[int, int] | None,
    answer: str | None,
    decay: str,
    neuron: dict[str, str],
    convention: str | None,
    dt: float | None,
    dump_ir: Path | None,
    time_passes: bool,
    as_json: bool,
) -> None:
    """Compile a trained network to an integer program.

    CHECKPOINT is a state_dict (.pth, .pt, .safetensors), bare or as the public Mixer-SNN training
    script writes it. A Mixer-SNN is recognised; for a network of your own give --model. Or it is a
    .nir or .net file, with --convention.
    """
    from snncc.artifact.writing import check_writable

    start = time.perf_counter()
    check_writable(output)
    if profile not in PROFILES:
        raise unknown("profile", profile, tuple(PROFILES))
    check_checkpoint(checkpoint)
    # What follows needs NumPy.
    from snncc.artifact import computation_digest, save_program
    from snncc.compiler.given_frames import one_framing
    from snncc.compiler.options import CompileOptions, check_options
    from snncc.compiler.sources import check_source

    if weight_bits is None and agreement is None:
        agreement = DEFAULT_AGREEMENT
    options = CompileOptions(
        input_shape,
        normalize,
        steps,
        weight_bits,
        gain,
        encoding,
        profile,
        layout,
        decay,
        neuron,
        layer_bits,
        agreement,
        preprocess,
        weights,
        convention,
        dt,
        activation_bits,
        answer,
        frames,
        tune,
    )
    check_options(options)
    there = calibrate is not None or evaluate is not None
    check_source(checkpoint, model, model_arguments, options, images=there)
    images, framing = images_of(calibrate, options, "--calibrate")
    judged, other = images_of(evaluate, options, "--evaluate")
    framing = one_framing(framing, other)
    truth = labels_of(labels, (evaluate, judged), (calibrate, images))
    # What follows needs torch, and what precedes it does not.
    from snncc.compiler.driver import compile_checkpoint
    from snncc.compiler.given import STAGES, Given
    from snncc.ir.populations import population_nodes
    from snncc.mfi import Policy, prove

    dump = IrDump(dump_ir, time_passes)
    with progress("compile", as_json, STAGES) as advance:
        called = calibrate or "", evaluate or ""
        given = Given(images, judged, truth, framing, called, dump.observe, advance, advance.stage)
        compiled = compile_checkpoint(
            checkpoint, options, given, model=model, model_arguments=model_arguments
        )
    sha = save_program(output, compiled.program)
    verdict = prove(compiled.program.graph)
    judgement = Policy().judge(verdict)  # what `snncc verify` says of the program
    seconds = time.perf_counter() - start
    size = output.stat().st_size
    report: dict[str, Any] = {
        "schema": 1,
        **compiled.report,
        "notes": list(compiled.notes),
        "level": judgement.level.label,
        "program_level": verdict.level.label,
        "input_level": verdict.encoding_level.label,
        "file": str(output),
        "bytes": size,
        "digest": computation_digest(compiled.program),
        "sha256": sha,
        "file_sha256": hashlib.sha256(output.read_bytes()).hexdigest(),
        "seconds": seconds,
    }
    if as_json:
        print_json(report)
        return
    for note in compiled.notes:
        say(note if note.startswith("warning: ") else f"note: {note}", err=True)
    fired = compiled.report["fired"]
    graph = compiled.program.graph
    populations = population_nodes(graph)
    preset = options.preset
    print_facts(
        [
            ("network", compiled.report["network"]),
            *([("image files", preset)] if preset is not None else []),
            ("parameters", f"{compiled.report['parameters']:,}"),
            (
                "populations",
                f"{len(populations)} with {sum(p.type.neurons for p in populations):,} neurons",
            ),
            ("time steps", compiled.report["steps"]),
            ("weights", _bits(compiled.report)),
            ("BatchNorm", _folds(fired, graph)),
            ("fold proof", fold_proof_of(compiled.report["fold_proof"])),
            ("verdict", f"{judgement.level.label}  ({meaning_of(judgement.level.label)})"),
            ("input", _input(verdict)),
            ("fidelity", _fidelity(compiled.report.get("fidelity"))),
            *_accuracy(compiled.report.get("fidelity")),
            ("program", f"{output}  {size:,} bytes  file sha256 {report['file_sha256'][:16]}…"),
            ("digest", f"{report['digest'][:16]}…  (of nodes and constants: what it computes)"),
            ("time", f"{seconds:.1f} s"),
        ]
    )


def _input(verdict: "Verdict") -> str:
    """One line: how the image enters, and what stands beside it where the host multiplies."""
    way = verdict.encoding.split(",")[0]
    if way != "host":
        return way
    level = verdict.level.label
    return f"host: the first layer is left to the host, which multiplies; the rest is {level}"


def _bits(report: Any) -> str:
    """One line: how many bits, and of how many maps."""
    widths: dict[str, int] = report["layer_bits"]
    counts = Counter(widths.values())
    text = ", ".join(f"{counts[n]} maps with {n}" for n in sorted(counts, reverse=True))
    text = f"{text} bits" if text else f"{report['weight_bits']} bits"
    search = report.get("bit_search")
    return text if search is None else f"{text}, the fewest of {len(search['trials'])} tried"


def _fidelity(found: dict[str, Any] | None) -> str:
    """One line: how far the program is from the network that it was rounded from."""
    if found is None:
        return "not measured"
    worst = max(found["populations"], key=lambda p: p["flips"])
    return (
        f"{found['agreement']:.2%} of {found['images']} {found['by']} images answered as by the "
        f"network, {found['flips']:.2%} of spike decisions differ, most in {worst['name']} "
        f"({worst['flips']:.2%})"
    )


def _accuracy(found: dict[str, Any] | None) -> list[tuple[str, str]]:
    """One line, where there are labels: right answers before and after."""
    if found is None or "accuracy" not in found:
        return []
    before, after = found["reference_accuracy"], found["accuracy"]
    text = f"{before:.2%} of {found['images']} {found['by']} images, the program {after:.2%}"
    return [("accuracy", f"the network {text}")]


def _folds(fired: dict[str, int], graph: Any) -> str:
    from snncc.mfi.rules import digits_of

    every = [graph.constants[n.op.mantissa.name] for n in graph.nodes if n.op.mnemonic == "gain"]
    shifts = sum(int(digits_of(each).max(initial=0)) <= 1 for each in every)
    parts = [
        (fired.get("fold_batchnorm_into_weights", 0), "into weights"),
        (fired.get("fold_batchnorm_into_thresholds", 0), "into thresholds"),
        (fired.get("unshare_weights_under_gains", 0), "into unshared weights"),
        (shifts, "as shifts"),
        (len(every) - shifts, "as shift-add gains"),
    ]
    return ", ".join(f"{count} {what}" for count, what in parts if count) or "none"
