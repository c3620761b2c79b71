"""From recorded steps to a traced graph: dimensions get names, and what has none is reported."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from snncc.diagnostics import Finding
from snncc.frontends.torch_recorder.axis_solver import AxisError, Dim, NotOneAxis
from snncc.frontends.torch_recorder.calls.time_windows import SOME, SOME_HELP, window_of
from snncc.frontends.torch_recorder.recorder import Recorder
from snncc.frontends.torch_recorder.steps import Naming, Step, Value
from snncc.ir import (
    TIME,
    Graph,
    GraphBuilder,
    Kind,
    Loc,
    Op,
    TypeRuleError,
    VerifyError,
    verify,
)
from snncc.ir.dialects.traced import Foreign, Input, Rearrange, Total
from snncc.passes.finite_constants import non_finite
from snncc.passes.report_foreign_ops import UNNAMED, foreign_findings

_WHY_NOT = (
    "write it with one axis for each meaning: do not merge channels with each other or with "
    "pixels before a layer reads them"
)

_CUT = (
    "leave channels in one axis: a fixed order of channels (a channel shuffle) can be given to the "
    "weights of the next layer instead, weight[:, order]"
)


@dataclass(frozen=True)
class Built:
    """A graph as far as its axes have names.

    Attributes:
        graph: verified; None where not even the rest of it can be put together.
        findings: one for every step whose axes cannot be named, SNN029; constants that are not
            finite, SNN034.
    """

    graph: Graph | None
    findings: tuple[Finding, ...]


def build_graph(
    recorder: Recorder, dims: tuple[Dim, ...], result: Value, steps: int, *, frames: bool = False
) -> Built:
    """The graph with named axes.

    Args:
        recorder: after its run.
        dims: of the input.
        result: what the model answers.
        steps: T.
        frames: whether every step of the input is a frame of its own.
    """
    return _Builder(recorder, steps, dims, frames).run(dims, result)


class _Builder:
    def __init__(self, recorder: Recorder, steps: int, dims: tuple[Dim, ...], frames: bool) -> None:
        self.recorder = recorder
        self.steps, self.frames = steps, frames
        self.builder = GraphBuilder("traced", steps)
        recorder.twins.settle([dims, *(step.dims for step in recorder.steps)])
        self.names = recorder.solver.names()
        self.findings: list[Finding] = []
        self.unnamed: set[str] = set()

    def run(self, dims: tuple[Dim, ...], result: Value) -> Built:
        start = self.naming("input")
        enters = Input(start.axes(*dims), start.shape(*dims), self.frames)
        self.builder.add(enters, name="input")
        for step in self.recorder.steps:
            lost = self.unnamed | self.recorder.beyond
            follows = any(name in lost for name in step.inputs)
            try:
                self.add(step)
            except (AxisError, TypeRuleError) as error:
                self.unnamed.add(step.name)
                if not follows:  # what reads an unnamed value is no fault of its own
                    self.note(step, error)
                self.stand_in(step)
        for delay, source in self.recorder.closes.items():
            if self.builder[delay].op.looks_back:  # else it has no names, and that is found
                self.builder.close(delay, source)
        some = self.some_steps(result)
        if some is not None:
            self.findings.append(some)
        try:
            graph = self.builder.finish(self.answer(result))
            unusable = non_finite(graph)
            if unusable:
                foreign = foreign_findings(graph, self.recorder.consequences)
                return Built(None, (*self.findings, *foreign, *unusable))
            verify(graph)
        except (TypeRuleError, VerifyError) as error:
            self.findings.append(
                Finding(
                    "SNN029",
                    "axes of the model cannot be followed",
                    self.recorder.steps[-1].loc if self.recorder.steps else None,
                    str(error),
                    _WHY_NOT,
                )
            )
            return Built(None, tuple(self.findings))
        return Built(graph, tuple(self.findings))

    def some_steps(self, result: Value) -> Finding | None:
        """SNN021 where a model answers with some of its time steps, each by itself."""
        if window_of(self.recorder.solver, result.dims) is None:
            return None
        loc = next((s.loc for s in self.recorder.steps if s.name == result.step), None)
        return Finding(
            "SNN021", "the model answers with some of the time steps", loc, SOME, SOME_HELP
        )

    def answer(self, result: Value) -> str:
        """What the model answers, without axes of length 1 that are not the classes.

        An answer is one number for each class, [classes], whether the model shows such axes or
        not: a squeeze, a view or a grey image leaves them behind.
        """
        node = self.builder[result.step]
        rest = [axis for axis in node.type.axes if axis.name != TIME]
        ones = tuple(axis.name for axis in rest if axis.size == 1)
        unseen = ones[:-1] if len(ones) == len(rest) else ones
        if not unseen:
            return result.step
        return self.builder.add(Total(unseen), [result.step], node.locs, "answer")

    def naming(self, stem: str) -> Naming:
        return Naming(self.recorder.solver, self.names, self.builder, stem)

    def add(self, step: Step) -> None:
        """Raises AxisError or TypeRuleError: dimensions were followed wrongly or have no name."""
        bound = self.naming(step.name)
        op = step.build(bound)
        if isinstance(op, Rearrange):
            time = self.builder[step.inputs[0]].type.temporal
            op = Rearrange(bound.ordered(step.dims, time))
        if isinstance(op, Foreign):
            op = self.with_time(op, step.inputs)
        self.check(step, op, bound)
        self.builder.add(op, step.inputs, (step.loc,), step.name)

    def with_time(self, op: Foreign, inputs: Sequence[str]) -> Foreign:
        temporal = any(self.builder[i].type.temporal for i in inputs)
        if not temporal or TIME in op.axes:
            return op
        return replace(op, axes=(TIME, *op.axes), shape=(self.steps, *op.shape))

    def check(self, step: Step, op: Op, bound: Naming) -> None:
        """Raises AxisError when the op's result is not what the recorded tensor shows."""
        sources = tuple(self.builder[name].type for name in step.inputs)
        found = op.infer(sources, self.builder.context)
        if len(set(found.names)) != len(found.names):
            raise AxisError(
                f"two dimensions are the same axis: {found}",
                "an add or a concat brings the two together: do not join values whose dimensions "
                "are exchanged",
            )
        wanted = bound.ordered(step.dims, found.temporal)
        if set(found.names) != set(wanted):
            raise AxisError(f"it has axes {found.names}, the tensor shows {wanted}")
        if found.names != wanted and found.kind in (Kind.REAL, Kind.SPIKE, Kind.COUNT):
            raise AxisError(f"axes {found.names} stand as {wanted} in the tensor")

    def note(self, step: Step, error: AxisError | TypeRuleError) -> None:
        """Takes down why a step has no form; where an axis was cut in two, that place once."""
        dims = {s.name: s.dims for s in self.recorder.steps}
        around = [*step.dims, *(d for name in step.inputs for d in dims.get(name, ()))]
        place = self.recorder.solver.cut_at(around)
        if isinstance(error, NotOneAxis) and isinstance(place, Loc):
            finding = Finding(
                "SNN029",
                "an axis is cut into pieces here, and a layer needs it whole",
                place,
                f"{step.loc.call or step.name} reads or makes it as one axis",
                _CUT,
            )
        else:
            help_ = error.help if isinstance(error, AxisError) and error.help else _WHY_NOT
            message = "the axes of a value cannot be followed here"
            finding = Finding("SNN029", message, step.loc, str(error), help_)
        if finding.loc not in [f.loc for f in self.findings]:
            self.findings.append(finding)

    def stand_in(self, step: Step) -> None:
        """A value in place of one without names, so that the rest can be looked at."""
        bound = self.naming(step.name)
        names, shape = bound.axes(*step.dims), bound.shape(*step.dims)
        distinct = tuple(n if n not in names[:i] else f"{n}_{i}" for i, n in enumerate(names))
        op = self.with_time(Foreign(UNNAMED, distinct, shape), step.inputs)
        self.builder.add(op, step.inputs, (step.loc,), step.name)
