"""From a PyTorch module to a traced graph: record one run, name the axes, replay."""

from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import nn

from snncc.diagnostics import Finding, SnnccError
from snncc.frontends.torch_recorder.axis_solver import AxisError, AxisSolver, Dim
from snncc.frontends.torch_recorder.neurons import handler_for, is_multi_step
from snncc.frontends.torch_recorder.precision import in_double
from snncc.frontends.torch_recorder.recorder import Recorder, reset_state
from snncc.frontends.torch_recorder.replay import replay
from snncc.frontends.torch_recorder.steps import BATCH, Naming, Value
from snncc.frontends.weights.reparametrised import copy_plain
from snncc.ir import (
    TIME,
    Graph,
    GraphBuilder,
    Kind,
    TypeRuleError,
    ValueType,
    VerifyError,
    verify,
)
from snncc.ir.loc import Loc
from snncc.ir.traced_ops import Foreign, Input, Rearrange, Total
from snncc.passes.finite_constants import check_finite, unusable_norms
from snncc.passes.report_foreign_ops import foreign_findings

EXAMPLE_BATCH = 2


@dataclass(frozen=True)
class Trace:
    """What one recorded run gave.

    Attributes:
        graph: in the traced dialect, verified; with `Foreign` nodes for what is not known.
        findings: everything that cannot be compiled, foreign operations included.
    """

    graph: Graph
    findings: tuple[Finding, ...]


def trace_model(
    model: nn.Module,
    input_shape: tuple[int, ...],
    steps: int,
    layout: str = "auto",
    seed: int = 0,
) -> Trace:
    """Records one run of a copy of the model, in float64 and evaluation mode.

    Args:
        model: any module; it is not changed.
        input_shape: of one image, e.g. (3, 32, 32).
        steps: T, the number of time steps.
        layout: "sequence" when the model takes [T, B, *input_shape]; "frame" when it takes
            [B, *input_shape] and is called once per step or repeats the frame inside; "auto".
        seed: of the example.

    Raises:
        SnnccError: the model fails on the example (SNN028), cannot be copied (SNN025), its axes
            cannot be named (SNN029), or the graph does not reproduce it (SNN027).
    """
    try:
        model = copy_plain(model).eval()
    except Exception as error:  # a module may copy itself by code of its own
        raise SnnccError(
            "SNN025",
            "the model cannot be copied",
            why=str(error).partition("\n")[0],
            help="reset its neurons (functional.reset_net(model)): a membrane left from training "
            "belongs to that run",
        ) from error
    failures: list[SnnccError] = []
    for choice in _layouts(model, layout):
        try:
            return _trace(model, input_shape, steps, choice == "sequence", seed)
        except SnnccError as error:
            if error.code != "SNN028":
                raise
            failures.append(error)
    raise failures[0]


def _layouts(model: nn.Module, layout: str) -> tuple[str, ...]:
    if layout != "auto":
        return (layout,)
    neurons = [m for m in model.modules() if handler_for(m) is not None]
    if any(is_multi_step(m) for m in neurons):
        return ("sequence", "frame")
    return ("frame", "sequence")


def _trace(
    model: nn.Module, input_shape: tuple[int, ...], steps: int, sequence: bool, seed: int
) -> Trace:
    solver = AxisSolver()
    time, batch = solver.atom(TIME, steps), solver.atom(BATCH, EXAMPLE_BATCH)
    axes = tuple(
        solver.atom(stem, size) for stem, size in zip(_stems(input_shape), input_shape, strict=True)
    )
    lead: tuple[int, ...] = (time, batch) if sequence else (batch,)
    dims: tuple[Dim, ...] = tuple((a,) for a in (*lead, *axes))
    generator = torch.Generator().manual_seed(seed)
    image = torch.randn(EXAMPLE_BATCH, *input_shape, dtype=torch.float64, generator=generator)
    example = torch.stack([image] * steps) if sequence else image
    recorder = Recorder(model, solver, time, batch)
    recorder.bind(example, Value("input", dims))
    reset_state(model)
    with in_double():
        try:
            output = recorder.run(model, example)
        except Exception as error:  # the user's code may raise anything
            failure = _model_failed(recorder, error, tuple(example.shape))
            raise SnnccError.of([*recorder.findings, *failure.findings][::-1]) from error
        finally:
            reset_state(model)
    result = recorder.value_of(output)
    if result is None:
        raise SnnccError.of(
            [
                *recorder.findings,
                Finding(
                    "SNN024",
                    "the model's answer is not a tensor that depends on the input",
                    help="return one tensor from forward",
                ),
            ]
        )
    try:
        graph = _build(recorder, solver, dims, result, steps)
    except (AxisError, TypeRuleError, VerifyError) as error:
        raise SnnccError.of(
            [
                *recorder.findings,
                Finding("SNN029", f"axes of the model cannot be followed: {error}"),
            ]
        ) from error
    findings = (*recorder.findings, *foreign_findings(graph), *unusable_norms(graph))
    if not findings:
        with in_double(), np.errstate(all="ignore"):
            replay(model, graph, input_shape, sequence, seed + 1)
    return Trace(graph, findings)


def _stems(shape: tuple[int, ...]) -> tuple[str, ...]:
    named = {1: ("f",), 2: ("n", "f"), 3: ("c", "h", "w")}
    return named.get(len(shape), tuple(f"i{i}_" for i in range(len(shape))))


def _model_failed(recorder: Recorder, error: Exception, shape: tuple[int, ...]) -> SnnccError:
    text = str(error).strip().split("\n")[0]
    return SnnccError(
        "SNN028",
        f"the model raises {type(error).__name__} on an example of shape {shape}",
        Loc(recorder.failed_at or recorder.path()),
        why=text,
        help="check --input-shape, --steps and --layout (sequence: [T, B, ...], frame: [B, ...])",
    )


def _build(
    recorder: Recorder, solver: AxisSolver, dims: tuple[Dim, ...], result: Value, steps: int
) -> Graph:
    """The graph with named axes.

    Raises:
        AxisError, TypeRuleError, VerifyError: dimensions were followed wrongly or cannot be named.
    """
    builder = GraphBuilder("traced", steps)
    names = solver.names()

    def naming(stem: str) -> Naming:
        return Naming(solver, names, builder, stem)

    start = naming("input")
    builder.add(Input(start.axes(*dims), start.shape(*dims)), name="input")
    for step in recorder.steps:
        bound = naming(step.name)
        op = step.build(bound)
        if isinstance(op, Rearrange):
            time = builder[step.inputs[0]].type.temporal
            op = Rearrange(bound.ordered(step.dims, time))
        if isinstance(op, Foreign) and any(builder[i].type.temporal for i in step.inputs):
            shape = bound.shape(*step.dims)
            axes = bound.axes(*step.dims)
            if TIME not in axes:
                op = replace(op, axes=(TIME, *axes), shape=(steps, *shape))
        name = builder.add(op, step.inputs, (step.loc,), step.name)
        found = builder[name].type
        if len(set(found.names)) != len(found.names):
            raise AxisError(f"{step.name}: two dimensions are the same axis: {found}")
        wanted = bound.ordered(step.dims, found.temporal)
        if set(found.names) != set(wanted):
            raise AxisError(f"{step.name}: has axes {found.names}, the tensor shows {wanted}")
        if found.names != wanted and found.kind in (Kind.REAL, Kind.SPIKE):
            raise AxisError(f"{step.name}: axes {found.names} stand as {wanted} in the tensor")
    output = result.step
    unseen = _axes_of_length_one(builder[output].type)
    if unseen:
        output = builder.add(Total(unseen), [output], builder[output].locs, "answer")
    graph = builder.finish(output)
    check_finite(graph)
    verify(graph)
    return graph


def _axes_of_length_one(answer: ValueType) -> tuple[str, ...]:
    """Those that are not the classes: a squeeze, a view or a grey image leaves them behind.

    An answer is one number for each class, [classes], whether the model shows such axes or not.
    """
    rest = [axis for axis in answer.axes if axis.name != TIME]
    ones = tuple(axis.name for axis in rest if axis.size == 1)
    return ones[:-1] if len(ones) == len(rest) else ones
