"""From a PyTorch module to a traced graph: record one run, name the axes, replay."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import nn
from torch.utils._pytree import tree_flatten

from snncc.diagnostics import Finding, SnnccError
from snncc.frontends.frontend import FRAMES
from snncc.frontends.raised import reason_of
from snncc.frontends.torch_recorder.answers import answering
from snncc.frontends.torch_recorder.copying import copied
from snncc.frontends.torch_recorder.example import example_of
from snncc.frontends.torch_recorder.frames import with_frames
from snncc.frontends.torch_recorder.graph_of_steps import Built, build_graph
from snncc.frontends.torch_recorder.loops.findings import (
    NOT_OF_LOOPS,
    NotFollowed,
    of_one_step,
    with_loop,
)
from snncc.frontends.torch_recorder.loops.trace import confirmed, follow
from snncc.frontends.torch_recorder.neurons.known import handler_for, is_multi_step
from snncc.frontends.torch_recorder.neurons.state import Starts
from snncc.frontends.torch_recorder.precision import in_double
from snncc.frontends.torch_recorder.recorder import Recorder
from snncc.frontends.torch_recorder.replay import replay
from snncc.frontends.torch_recorder.source_lines import definition_of
from snncc.frontends.torch_recorder.steps import Value
from snncc.ir import Graph
from snncc.ir.loc import Loc
from snncc.passes.finite_constants import unusable_norms
from snncc.passes.report_foreign_ops import foreign_findings

FRESH = 1
"""Seed of what the replay is given; the example's is another."""
MOST_VALUES = 1 << 28
"""Of one image over all time steps."""


@dataclass(frozen=True)
class Trace:
    """What one recorded run gave.

    Attributes:
        graph: in the traced dialect, verified; with `Foreign` nodes for what is not known.
        findings: everything that cannot be compiled, foreign operations included.
        notes: sentences for the user: what the replay saw and took.
    """

    graph: Graph
    findings: tuple[Finding, ...]
    notes: tuple[str, ...] = ()


def trace_model(
    model: nn.Module,
    input_shape: tuple[int, ...],
    steps: int,
    layout: str = "auto",
    answer: str | None = None,
) -> Trace:
    """Records one run of a copy of the model, in float64 and evaluation mode.

    Args:
        model: any module; it is not changed.
        input_shape: of one image, e.g. (3, 32, 32).
        steps: T, the number of time steps.
        layout: "sequence" when the model takes [T, B, *input_shape]; "frame" when it takes
            [B, *input_shape] and is called once per step or repeats the frame inside; "auto";
            "frames" for either with a frame of its own at every step.
        answer: the key, or the number from 0 on, of what is the answer where the model returns
            a dict or a tuple; None for its first element.

    Raises:
        SnnccError: the model fails on the example (SNN028), cannot be copied (SNN025), its axes
            cannot be named (SNN029), the graph does not reproduce it (SNN027), or its example would
            be too large (SNN001).
    """
    _check_size(input_shape, steps)
    model = copied(model)
    if answer is not None:
        answering(model, answer)
    starts = Starts(model)
    perhaps = layout == "auto" and len(input_shape) > 1 and input_shape[0] == steps
    try:
        found = _traced(model, input_shape, steps, layout, starts)
    except SnnccError as error:
        if not perhaps:
            raise
        raise SnnccError.of(_told_of_frames(error.findings)) from error
    if found.findings:
        return replace(found, findings=_told_of_frames(found.findings)) if perhaps else found
    if layout != FRAMES:
        return found
    return replace(found, graph=with_frames(model, found.graph, input_shape, starts, FRESH))


def _told_of_frames(findings: tuple[Finding, ...]) -> tuple[Finding, ...]:
    """Adds what else a shape may mean that begins with T: the first finding says it."""
    hint = "if every step gets a frame of its own, give --frames LOW..HIGH and one frame's shape"
    first, *rest = findings
    told = replace(first, help=f"{first.help}; {hint}" if first.help else hint)
    return (told, *rest)


def _traced(
    model: nn.Module, input_shape: tuple[int, ...], steps: int, layout: str, starts: Starts
) -> Trace:
    layouts = _layouts(model, layout)
    failures: list[SnnccError] = []
    for choice in layouts:
        try:
            first = _trace(model, input_shape, steps, choice == "sequence", starts)
        except SnnccError as error:
            failures.append(error)
            if error.code == "SNN028":
                continue
            if error.code == "SNN027" or isinstance(error.__cause__, SnnccError):
                raise  # the replay's: all calls had a form, so no loop stood in the way
            found = _with_loops(model, input_shape, steps, layouts, starts, error.findings)
            if isinstance(found, Trace):
                return found
            raise SnnccError.of(found) from error
        if not first.findings:
            return first
        found = _with_loops(model, input_shape, steps, layouts, starts, first.findings)
        return found if isinstance(found, Trace) else replace(first, findings=found)
    raise failures[0]


def _with_loops(
    model: nn.Module,
    input_shape: tuple[int, ...],
    steps: int,
    layouts: Sequence[str],
    starts: Starts,
    findings: tuple[Finding, ...],
) -> Trace | tuple[Finding, ...]:
    """A model that was refused as it ran, with its loop over time rolled up; or its findings."""
    if any(finding.code in NOT_OF_LOOPS for finding in findings):
        return findings
    if steps == 1:
        return of_one_step(findings) or findings
    refused: list[tuple[Finding, ...]] = []
    for choice in layouts:
        sequence = choice == "sequence"
        loop = follow(model, input_shape, steps, sequence, starts)
        if loop is None and not sequence and any(f.code == "SNN026" for f in findings):
            loop = follow(model, input_shape, steps, sequence, starts, by_call=True)
        if isinstance(loop, NotFollowed):
            refused.append(with_loop(model, findings, loop.findings, examined=loop.examined))
        elif loop is not None and loop.findings:
            refused.append(with_loop(model, findings, loop.findings, examined=True))
        elif loop is not None:
            notes = confirmed(model, loop, input_shape, sequence, FRESH, starts)
            return Trace(loop.graphs[-1], (), notes)
    return refused[0] if refused else findings


def _check_size(input_shape: tuple[int, ...], steps: int) -> None:
    values = math.prod(input_shape) * steps
    if values > MOST_VALUES:
        shape = ",".join(map(str, input_shape))
        raise SnnccError(
            "SNN001",
            f"--input-shape {shape} with {steps:,} steps is too large",
            why=f"that is {values:,} values an image, and at most {MOST_VALUES:,} are recorded",
            help="give the shape of one image, and fewer steps",
        )


def _layouts(model: nn.Module, layout: str) -> tuple[str, ...]:
    if layout not in ("auto", FRAMES):
        return (layout,)
    neurons = [m for m in model.modules() if handler_for(m) is not None]
    if any(is_multi_step(m) for m in neurons):
        return ("sequence", "frame")
    return ("frame", "sequence")


def _trace(
    model: nn.Module,
    input_shape: tuple[int, ...],
    steps: int,
    sequence: bool,
    starts: Starts,
) -> Trace:
    given = example_of(input_shape, steps, sequence=sequence)
    example, dims = given.tensor, given.dims
    recorder = Recorder(model, given.solver, given.time, given.batch, starts)
    recorder.bind(example, Value("input", dims))
    starts.reset(model)
    with in_double():
        try:
            output = recorder.run(model, example)
        except SnnccError:
            raise
        except (Exception, SystemExit) as error:  # the user's code may raise anything
            failure = _model_failed(recorder, error, tuple(example.shape))
            raise SnnccError.of([*recorder.findings, *failure.findings][::-1]) from error
        finally:
            starts.reset(model)
    result = recorder.value_of(output)
    if result is None:
        found = [*recorder.findings, _no_answer(model, output)]
        first = next((v for o in tree_flatten(output)[0] if (v := recorder.value_of(o))), None)
        if first is not None:
            found = [*_findings(recorder, build_graph(recorder, dims, first, steps)), found[-1]]
        raise SnnccError.of(found)
    built = build_graph(recorder, dims, result, steps)
    findings = _findings(recorder, built)
    if built.graph is None:
        raise SnnccError.of(findings)
    notes: tuple[str, ...] = ()
    if not findings:
        notes = _replay(recorder, model, built.graph, input_shape, sequence)
    return Trace(built.graph, findings, notes)


def _findings(recorder: Recorder, built: Built) -> tuple[Finding, ...]:
    """All that cannot be compiled; what belongs to one unknown neuron class once."""
    graph = built.graph
    rest: tuple[Finding, ...] = ()
    if graph is not None:
        foreign = foreign_findings(graph, recorder.consequences)
        rest = (*foreign, *unusable_norms(graph))
    return recorder.unknown.grouped((*recorder.findings, *built.findings, *rest))


def _replay(
    recorder: Recorder,
    model: nn.Module,
    graph: Graph,
    input_shape: tuple[int, ...],
    sequence: bool,
) -> tuple[str, ...]:
    """Raises SnnccError when the graph is not the model: for what was written in place, if any."""
    try:
        with in_double(), np.errstate(all="ignore"):
            return replay(model, graph, input_shape, sequence, FRESH, recorder.starts)
    except SnnccError as error:
        if not recorder.writes.causes:
            raise
        raise SnnccError.of(recorder.writes.causes) from error


def _no_answer(model: nn.Module, output: object) -> Finding:
    """What a model answers with that is no tensor of its input's."""
    tensors = [o for o in tree_flatten(output)[0] if isinstance(o, torch.Tensor)]
    kind = type(output).__name__
    if isinstance(output, torch.Tensor):
        why = "it is a constant, or was made by code that cannot be seen"
    else:
        why = f"it is a {kind}" + (f" with {len(tensors)} tensors" if tensors else "")
    if isinstance(output, dict):
        why += f"; its keys are {', '.join(map(str, [*output]))}"
    file, line, source = definition_of(model)
    return Finding(
        "SNN024",
        "the model's answer is not one tensor that depends on the input",
        Loc("", file, line, f"{type(model).__name__}()", source),
        why,
        "return one tensor from forward: the logits; or choose it with --answer: the key of a "
        "dict, the number of an element",
    )


def _model_failed(recorder: Recorder, error: BaseException, shape: tuple[int, ...]) -> SnnccError:
    return SnnccError(
        "SNN028",
        f"the model raises {type(error).__name__} on an example of shape {shape}",
        Loc(recorder.failed_at or recorder.path()),
        why=reason_of(error),
        help="check --input-shape, --steps and --layout (sequence: [T, B, ...], frame: [B, ...])",
    )
