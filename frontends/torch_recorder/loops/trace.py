"""Models whose loop over time is Python: two runs, one step, the graph of a model without the loop.

A model is run at T and at T + 1 steps. Where the number of steps cannot be changed, as the code
itself says it, what runs T times is taken for the loop; T is fixed then. In either case all steps
are shown to be alike, and the graph is held against the model on fresh input.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass

import numpy as np
from torch import nn

from snncc.diagnostics import Finding
from snncc.frontends.raised import is_ours
from snncc.frontends.torch_recorder.answers import CHOSEN
from snncc.frontends.torch_recorder.example import Takes, example_of
from snncc.frontends.torch_recorder.graph_of_steps import build_graph
from snncc.frontends.torch_recorder.loops.findings import NotFollowed, not_followed
from snncc.frontends.torch_recorder.loops.forms import NO_FORM, Counted, forms_of, leaves
from snncc.frontends.torch_recorder.loops.lift_delays import LiftWithDelays
from snncc.frontends.torch_recorder.loops.roll import Rolled, require_alike, rolled
from snncc.frontends.torch_recorder.loops.tape import NEURON, LoopTape, NotRolled, Tape
from snncc.frontends.torch_recorder.loops.timing import times_of
from snncc.frontends.torch_recorder.neurons.parameters import NeuronRefused
from snncc.frontends.torch_recorder.neurons.state import Starts
from snncc.frontends.torch_recorder.neurons.unknown import COMPARISONS
from snncc.frontends.torch_recorder.precision import in_double
from snncc.frontends.torch_recorder.replay import replay
from snncc.frontends.torch_recorder.steps import Value
from snncc.ir.dialects.neurons import TracedNeuron
from snncc.ir.dialects.traced import Lif
from snncc.ir.graph import Graph
from snncc.passes.finite_constants import unusable_norms
from snncc.passes.report_foreign_ops import foreign_findings

INSIDE = (
    "the loop in the model's code is taken for its {} time steps: the model is called once for an "
    "image"
)
CALLED = (
    "the model is called once for each of its {} time steps; what its neurons keep goes on from "
    "call to call"
)
FIXED = (
    "the loop over time has its number of steps in its code, so it was held against the model with "
    "{} steps only"
)
WAYS: tuple[Mapping[str, bool], ...] = ({}, {"apart": True}, {"by_layer": True})
"""How calls may be told apart by step, see `times_of`."""
SILENT = (
    "when the loop over time was held against the model, {} never fired: what reads these neurons "
    "is right by the loop's form alone"
)
GAINS = (1.0, 4.0, 16.0, 64.0, 256.0)
SAMPLES = 4
"""Of each gain and sign: a reset is seen in what neurons do after their first spike, ends of
states where input is large for long."""
"""Of the images with which a loop is held against its model, until all neurons fire."""


@dataclass(frozen=True)
class Loop:
    """A model whose loop was followed.

    Attributes:
        graphs: of T + 1 steps where there is one, and of T steps, last.
        findings: what cannot be compiled.
        lengthen: makes the model's own number of steps another one while it is open.
        notes: for the user.
    """

    graphs: tuple[Graph, ...]
    findings: tuple[Finding, ...]
    lengthen: "Lengthen"
    notes: tuple[str, ...]


Lengthen = Callable[[int], AbstractContextManager[None]]


def follow(
    model: nn.Module,
    input_shape: tuple[int, ...],
    steps: int,
    sequence: Takes,
    starts: Starts,
    *,
    by_call: bool = False,
) -> Loop | NotFollowed | None:
    """Follows a model's loop over time.

    Args:
        model: in float64.
        input_shape: of one image or frame.
        steps: T.
        sequence: what it takes.
        starts: of its neuron modules.
        by_call: whether the loop is not the model's: it is called once for every step.

    Returns:
        The loop; why it has no form; or None where there is no loop to speak of.
    """
    first: NotRolled | None = None
    with in_double():
        try:
            runs = _runs(model, input_shape, steps, sequence, starts)
            if by_call:
                runs = _runs_by_call(model, input_shape, steps, starts)
            for run in runs:
                for how in WAYS:
                    try:
                        return _followed(run, input_shape, steps, sequence, how)
                    except NotRolled as error:
                        # What merely runs T times need not be a loop: it is one if it rolls up.
                        if run.longer is not None or error.message == NO_FORM:
                            first = _telling(first, error)
        except NotRolled as error:  # of a run itself
            first = first or error
    return None if first is None or not first.message else not_followed(model, first)


def _telling(first: NotRolled | None, error: NotRolled) -> NotRolled:
    """That of two failures which says more: a state without a form is behind a loop that rolls."""
    if first is None or not first.message or (error.message == NO_FORM != first.message):
        return error
    return first


@dataclass(frozen=True)
class _Runs:
    """One or two runs of a model, and how it was made to run longer."""

    model: nn.Module
    tape: Tape
    longer: Tape | None
    lengthen: Lengthen
    starts: Starts
    started: Mapping[int, float | NeuronRefused]
    by_call: bool = False


def _runs(
    model: nn.Module, input_shape: tuple[int, ...], steps: int, sequence: Takes, starts: Starts
) -> Iterator[_Runs]:
    """Ways in which the number of steps can be changed, and at last none."""
    own = _tape(model, input_shape, steps, sequence, starts)
    if own is None or steps < 2:
        return
    tape, started = own
    same = not sequence
    for names in [[]] if sequence else _lengths(model, steps):
        lengthen = _lengthener(names, steps)
        with lengthen(steps + 1):
            longer = _tape(model, input_shape, steps + 1, sequence, starts)
        same = same or longer is None or len(longer[0].entries) == len(tape.entries)
        if longer is not None and len(longer[0].entries) > len(tape.entries):
            yield _Runs(model, tape, longer[0], lengthen, starts, started)
    if same:  # the code says itself how many steps there are, given a sequence or not
        yield _Runs(model, tape, None, _lengthener([], steps), starts, started)


def _runs_by_call(
    model: nn.Module, input_shape: tuple[int, ...], steps: int, starts: Starts
) -> Iterator[_Runs]:
    """A model that is called once for every step may be called once more."""
    takes, lengths = Takes.FRAME, (steps, steps + 1)
    both = [_tape(model, input_shape, n, takes, starts, by_call=True) for n in lengths]
    if both[0] is not None and both[1] is not None and steps > 1:
        (tape, started), (longer, _) = both[0], both[1]
        yield _Runs(model, tape, longer, _lengthener([], steps), starts, started, by_call=True)


def _tape(
    model: nn.Module,
    input_shape: tuple[int, ...],
    steps: int,
    sequence: Takes,
    starts: Starts,
    *,
    by_call: bool = False,
) -> tuple[Tape, Mapping[int, float | NeuronRefused]] | None:
    """A tape of one run, or None where the model fails.

    Raises:
        NotRolled: it cannot be followed.
    """
    recorder = LoopTape(starts)
    starts.reset(model)
    try:
        given = example_of(input_shape, steps, sequence=sequence).tensor
        tape = recorder.run(model, given, steps if by_call else None)
    except NotRolled:
        raise
    except (Exception, SystemExit) as error:  # the user's code may raise anything with another T
        if error is not recorder.raised and is_ours(error):
            raise
        return None
    finally:
        starts.reset(model)
    return tape, recorder.started


def _lengths(model: nn.Module, steps: int) -> Iterator[list[tuple[nn.Module, str]]]:
    """Attributes that may be the model's own number of steps: all together, then one by one."""
    found = [
        (module, name)
        for module in model.modules()
        if not type(module).__module__.startswith(("torch.", "spikingjelly."))
        for name, value in vars(module).items()
        if type(value) is int and value == steps and not name.startswith("_")
    ]
    if found:
        yield found
    if len(found) > 1:
        yield from ([one] for one in found)


def _lengthener(names: list[tuple[nn.Module, str]], steps: int) -> Lengthen:
    @contextmanager
    def lengthened(length: int) -> Iterator[None]:
        try:
            for module, name in names:
                setattr(module, name, length)
            yield
        finally:
            for module, name in names:
                setattr(module, name, steps)

    return lengthened


def _followed(
    run: _Runs, input_shape: tuple[int, ...], steps: int, sequence: Takes, how: Mapping[str, bool]
) -> Loop:
    pairs = [(run.tape, steps, run.longer, steps + 1)]
    if run.longer is not None:
        pairs.insert(0, (run.longer, steps + 1, run.tape, steps))
    found: list[Rolled] = []
    for tape, length, other, others in pairs:
        times = times_of(tape, other, length, others, **how)
        found.append(rolled(forms_of(tape, times, length), length, tape))
    if len(found) > 1:
        require_alike(*found)
    if not sequence and not _has_neurons(found[-1]):
        raise NotRolled()
    if sequence and run.longer is None and not _takes_steps(found[-1]):
        raise NotRolled()  # it runs as often as there are steps, such as once for every layer
    graphs: list[Graph] = []
    findings: tuple[Finding, ...] = ()
    for loop, (_tape, length, _other, _others) in zip(found, pairs, strict=True):
        graph, findings = _lifted(run, loop, input_shape, length, sequence)
        if graph is None or findings:
            return Loop(() if graph is None else (graph,), findings, run.lengthen, ())
        graphs.append(graph)
    notes = [] if sequence else [(CALLED if run.by_call else INSIDE).format(steps)]
    notes += [] if run.longer is not None else [FIXED.format(steps)]
    notes += [CHOSEN.format(run.tape.returned)] if run.tape.returned else []
    return Loop(tuple(graphs), findings, run.lengthen, tuple(notes))


def _has_neurons(loop: Rolled) -> bool:
    """Whether anything in a step fires; else what runs T times has nothing to do with time."""
    return any(call.entry.name in (NEURON, *COMPARISONS) for call in loop.body.values())


def _takes_steps(loop: Rolled) -> bool:
    """Whether a step takes, or writes, what is its own of a value of all steps."""
    found = (leaf for call in loop.body.values() for leaf in leaves(call.form))
    return any(isinstance(f, Counted) or isinstance(getattr(f, "out", 0), Counted) for f in found)


def _lifted(
    run: _Runs, loop: Rolled, input_shape: tuple[int, ...], steps: int, sequence: Takes
) -> tuple[Graph | None, tuple[Finding, ...]]:
    example = example_of(input_shape, steps, sequence=sequence)
    lift = LiftWithDelays(run.model, example.solver, example.time, example.batch, run.starts)
    lift.begin(run.started, loop, Value("input", example.dims), sequence=bool(sequence))
    answer = lift.lifted(every_step=run.by_call)
    built = build_graph(lift, example.dims, answer, steps, frames=sequence is Takes.FRAMES)
    rest: tuple[Finding, ...] = ()
    if built.graph is not None:
        rest = (*foreign_findings(built.graph, lift.consequences), *unusable_norms(built.graph))
    return built.graph, lift.unknown.grouped((*lift.findings, *built.findings, *rest))


def confirmed(
    model: nn.Module,
    loop: Loop,
    input_shape: tuple[int, ...],
    sequence: Takes,
    seed: int,
    starts: Starts,
) -> tuple[str, ...]:
    """Holds the graphs of a loop against the model, on input so large that all neurons fire.

    Returns:
        Notes for the user, silent layers among them.

    Raises:
        SnnccError: as `replay`.
    """
    notes = list(loop.notes)
    for graph in loop.graphs:
        fired: set[str] = set()
        neurons = [node.name for node in graph.select(Lif)]
        neurons += [n.name for n in graph.nodes if isinstance(n.op, TracedNeuron) and n.op.fires]
        with loop.lengthen(graph.steps), in_double(), np.errstate(all="ignore"):
            for place, gain in enumerate(GAINS):
                drawn = np.random.default_rng((seed, place)).standard_normal
                shape = sequence.sample(input_shape, graph.steps)
                some = drawn((2 * SAMPLES, *shape)) * gain
                some[:SAMPLES] = np.abs(some[:SAMPLES])
                notes += replay(model, graph, input_shape, sequence, seed, starts, some, fired)
        silent = [name for name in neurons if name not in fired]
        if silent:
            notes.append(SILENT.format(", ".join(silent)))
    return tuple(dict.fromkeys(notes))
