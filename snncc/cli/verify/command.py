"""`snncc verify`."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from snncc.cli.command import Command, Given, Rule
from snncc.cli.compile.inputs import OF_OPEN_FILES, OPEN_FILES, check_checkpoint, is_open
from snncc.cli.output import print_json, say
from snncc.cli.parameters import parse_arguments, parse_normalize, parse_shape
from snncc.cli.path_types import DataPath, InputPath, ModelName, OutputFile
from snncc.cli.registered import Registered
from snncc.frontends.file_conventions import CONVENTIONS

if TYPE_CHECKING:
    from snncc.artifact import Program
    from snncc.compiler.options import CompileOptions
    from snncc.diagnostics import Finding
    from snncc.mfi import Verdict

LEVELS = ["strict", "shift-add", "bit-serial"]
ALLOWANCES = ["encoding=host"]
CHECKPOINTS = (".pth", ".pt", ".safetensors", *OPEN_FILES)


def judges_model(given: Given) -> bool:
    """Whether a model is judged, and not a compiled program."""
    program = given["program"]
    return given["model"] is not None or (
        program is not None and program.suffix.lower() in CHECKPOINTS
    )


OF_MODELS = (
    *("model_arguments", "weights", "input_shape", "normalize", "steps", "layout", "answer"),
)
OF_PROGRAMS = ("data", "kernels", "widths", "certificate")
RULES = (
    Rule(
        ("level", "allow", "model", *OF_MODELS, *OF_OPEN_FILES, *OF_PROGRAMS, "limit", "explain"),
        lambda given: given["checked"] is None,
        "--check only lets the checker compare a certificate with the program",
    ),
    Rule(
        OF_MODELS,
        judges_model,
        "a compiled program knows its input",
        "leave it out; it goes with --model, or with a checkpoint",
    ),
    Rule(
        OF_OPEN_FILES,
        lambda given: is_open(given["program"]),
        "it says how a .nir or .net file is run, and this is none",
    ),
    Rule(
        OF_PROGRAMS,
        lambda given: not judges_model(given),
        "it needs a compiled program, and this is a model",
        "compile it first",
    ),
    Rule(("limit",), lambda given: given["data"] is not None, "it is of the images of --run"),
    Rule(("explain",), lambda given: not given["as_json"], "--json has no prose, and has it all"),
)


@click.command("verify", cls=Command, rules=RULES)
@click.argument("program", required=False, type=InputPath(piped=True))
@click.option(
    "--level", type=click.Choice(LEVELS), default="shift-add", show_default=True, help="Wanted."
)
@click.option(
    "--allow", type=click.Choice(ALLOWANCES), multiple=True, help="What may be left to others."
)
@click.option(
    "--model",
    type=ModelName(),
    help="Judge a model: mixer-snn, or pkg.module:factory (runs that code).",
)
@click.option(
    "--arg", "model_arguments", multiple=True, callback=parse_arguments, help="KEY=VALUE for it."
)
@click.option(
    "--weights",
    metavar="ema|plain|KEY",
    help="Which of a checkpoint's sets of weights.  [default: plain]",
)
@click.option("--input-shape", callback=parse_shape, metavar="C,H,W", help="Shape of one image.")
@click.option(
    "--normalize", callback=parse_normalize, metavar="MEAN,STD", help="Of pixels/255, for ranges."
)
@click.option("--steps", type=click.IntRange(min=1), metavar="T", help="Time steps.")
@click.option(
    "--layout",
    type=click.Choice(["auto", "sequence", "frame", "frames"]),
    default="auto",
    show_default=True,
)
@click.option(
    "--answer",
    metavar="KEY",
    help="Key, or number from 0 on, of the answer, where the model returns a dict or a tuple.",
)
@click.option(
    "--convention",
    type=Registered(lambda: CONVENTIONS, checked=False),
    help="How a .nir or .net file is run: the framework that wrote it.",
)
@click.option("--dt", type=float, metavar="S", help="Seconds of a time step of a .nir file.")
@click.option(
    "--run",
    "data",
    type=DataPath(),
    metavar="DATA.npz[:KEY]",
    help="Also run it on these images, on arrays that refuse to multiply; count what is done.",
)
@click.option(
    "--limit",
    type=click.IntRange(min=1),
    default=16,
    show_default=True,
    metavar="N",
    help="Images for --run.",
)
@click.option("--kernels", is_flag=True, help="Also inspect the simulator's compiled code.")
@click.option(
    "--widths", is_flag=True, help="Also every number's interval, and whether it is reached."
)
@click.option(
    "--certificate",
    type=OutputFile("a certificate", ".json"),
    metavar="JSON",
    help="Also write the proof, for others to check.",
)
@click.option(
    "--check",
    "checked",
    type=InputPath(),
    metavar="JSON",
    help="Only check that a certificate holds for the program.",
)
@click.option("--explain", is_flag=True, help="In prose.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout.")
def command(
    program: Path | None,
    level: str,
    allow: tuple[str, ...],
    model: str | None,
    model_arguments: dict[str, str],
    weights: str | None,
    input_shape: tuple[int, ...] | None,
    normalize: Any,
    steps: int | None,
    layout: str,
    answer: str | None,
    convention: str | None,
    dt: float | None,
    data: str | None,
    limit: int,
    kernels: bool,
    widths: bool,
    certificate: Path | None,
    checked: Path | None,
    explain: bool,
    as_json: bool,
) -> int:
    """Say whether a program, or a model before compiling, is multiplication-free.

    PROGRAM is what `snncc compile` wrote, or a checkpoint: of a Mixer-SNN, which is recognised, or
    of the network that --model makes; then it may be left out. Or a .nir file.
    Exit code 0 when every operation stays within --level, 1 when one does not. Levels: strict <
    shift-add < bit-serial < none; up to bit-serial no multiplier is needed.
    """
    from snncc.artifact import check_writable
    from snncc.artifact.program_file import require_program_file

    models = judges_model({"model": model, "program": program})
    if certificate is not None:
        check_writable(certificate)
    if models:
        check_checkpoint(program)
    elif program is not None:
        require_program_file(program)
    from snncc.cli.verify.certificates import certificate_record
    from snncc.cli.verify.evidence import gather_evidence, print_evidence
    from snncc.cli.verify.report import print_verdict, record_of
    from snncc.compiler.options import CompileOptions
    from snncc.mfi import Level, Policy

    if checked is not None:
        return _check(checked, program, as_json)
    findings: Sequence[Finding] = ()
    evidence: dict[str, Any] = {}
    if models:
        options = CompileOptions(
            input_shape,
            normalize,
            steps,
            layout=layout,
            weights=weights,
            convention=convention,
            dt=dt,
            answer=answer,
        )
        subject, verdict, findings = _judge_model(program, model, model_arguments, options)
    else:
        path, loaded = _load(program)
        subject, verdict = _judge_program(path, loaded)
        evidence = gather_evidence(loaded.graph, data, limit, kernels, widths)
        if certificate is not None:
            evidence["certificate"] = certificate_record(certificate, path, loaded)
    policy = Policy(Level.parse(level), frozenset(allow))
    judgement = policy.judge(verdict)
    holds = judgement.holds and all(part["holds"] for part in evidence.values())
    if as_json:
        told = record_of(verdict, judgement, policy, findings)
        print_json({"schema": 1, **subject, **told, **evidence, "holds": holds})
    else:
        print_verdict(verdict, judgement, policy, findings, explain=explain)
        print_evidence(evidence)
    return 0 if holds else 1


def _check(certificate: Path, program: Path | None, as_json: bool) -> int:
    from snncc.cli.verify.certificates import check_certificate

    if program is None:
        raise click.UsageError("--check needs the program that the certificate is of")
    return check_certificate(certificate, program, as_json)


def _load(program: Path | None) -> "tuple[Path, Program]":
    from snncc.artifact import load_program

    if program is None:
        raise click.UsageError("give a program, or --model pkg.module:factory")
    return program, load_program(program)


def _judge_program(path: Path, loaded: "Program") -> "tuple[dict[str, Any], Verdict]":
    from snncc.artifact import program_digest
    from snncc.mfi import prove

    return {"program": str(path), "sha256": program_digest(loaded)}, prove(loaded.graph)


def _judge_model(
    checkpoint: Path | None,
    model: str | None,
    arguments: dict[str, str],
    options: "CompileOptions",
) -> "tuple[dict[str, Any], Verdict, Sequence[Finding]]":
    from snncc.compiler.options import check_options
    from snncc.compiler.sources import check_source

    check_options(options)
    check_source(checkpoint, model, arguments, options, images=True)
    # What follows needs torch, and what precedes it does not.
    from snncc.compiler.driver import trace_checkpoint
    from snncc.compiler.model_verdict import judge_model

    trace, network = trace_checkpoint(
        checkpoint,
        options,
        model=model,
        model_arguments=arguments,
        tell=lambda note: say(f"note: {note}", err=True),
    )
    subject = {"model": network, "checkpoint": str(checkpoint) if checkpoint else None}
    if trace.graph.dialect == "integer":
        from snncc.mfi import prove

        return subject, prove(trace.graph), trace.findings
    judged = judge_model(trace.graph, trace.findings, options)
    return subject, judged.verdict, judged.refusals
