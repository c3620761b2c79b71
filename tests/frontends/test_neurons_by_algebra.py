"""Neurons written as loops are read off as states of the general neuron, field by field."""

from collections.abc import Callable
from typing import Any

import neuron_loops as nets
import numpy as np
import pytest
import torch
from exact_models import RAW
from loop_networks import FEATURES, STEPS, Looped
from neuron_loops import Step, spikes

from snncc.compiler.folding import spiking_passes
from snncc.diagnostics import SnnccError
from snncc.frontends.torch_recorder import Trace, trace_model
from snncc.frontends.torch_recorder.precision import in_double
from snncc.ir.dialects.neurons import TracedNeuron
from snncc.ir.dialects.traced import Lif
from snncc.passes.pipeline import run_passes
from snncc.quantize.calibration import round_plainly
from snncc.quantize.lower_to_integers import LowerToIntegers
from snncc.runtime import ALL, interpret
from snncc.runtime.simulator import Simulator
from snncc.semantics.traced import run_traced

Body = Callable[[Looped, torch.Tensor], Any]
BODIES: tuple[Body, ...] = (
    *(spikes(step, states) for step, states in (*nets.NEURONS, *nets.READOUTS)),
    *(nets.leaks_of_their_own, nets.pair),
)


def traced(net: torch.nn.Module, steps: int = STEPS) -> Trace:
    trace = trace_model(net, (FEATURES,), steps)
    assert trace.findings == (), "\n".join(map(str, trace.findings))
    return trace


def general(trace: Trace) -> list[TracedNeuron]:
    return [node.op for node in trace.graph.nodes if isinstance(node.op, TracedNeuron)]


def fields(trace: Trace) -> dict[str, Any]:
    """The constants of the only general neuron, as lists."""
    (op,) = general(trace)
    found: dict[str, Any] = {"compare": op.compare} if op.fires else {}
    for name in ("leak", "gain", "form", "threshold", "bias", "reads", "late", "keep", "amount"):
        param = getattr(op, name)
        if param is not None:
            found[name] = trace.graph.constants[param.name].tolist()
    for name in ("takes", "start", "floor", "low"):
        param = getattr(op, name)
        if param is not None:
            found[name] = trace.graph.constants[param.name].tolist()
    if op.swallow:
        found["swallow"] = list(op.swallow)
    return found


FIRES = {"compare": "gt", "threshold": 3.0}
ONE = {"leak": [0.5], "gain": [1.0], "form": [1.0], **FIRES}
SYNAPSE = {"leak": [0.5, 0.5], "gain": [1.0, 0.0], "form": [0.0, 1.0]}
READS_FIRST = {"reads": [[0.0, 0.0], [1.0, 0.0]]}
EXPECTED: dict[Step, dict[str, Any]] = {
    nets.late_subtract: {**ONE, "late": [3.0]},
    nets.late_all: {**ONE, "swallow": [True]},
    nets.no_reset: ONE,
    nets.own_amount: {**ONE, "amount": [2.0]},
    nets.partly_kept: {**ONE, "keep": [0.5]},
    nets.held_above: {**ONE, "amount": [3.0], "low": [-1.0]},
    nets.rectified: {**ONE, "amount": [2.0], "floor": [0.25]},
    nets.synapse: {**SYNAPSE, **READS_FIRST, **FIRES, "late": [0.0, 3.0]},
    nets.synapse_lost: {**SYNAPSE, **READS_FIRST, **FIRES, "swallow": [False, True]},
    nets.jump_first: {
        **SYNAPSE,
        **FIRES,
        "gain": [0.5, 0.0],
        **READS_FIRST,
        "keep": [1.0, 0.0],
    },
    nets.old_synapse: {
        "leak": [0.5, 0.5],
        "gain": [2.0, 0.0],
        "form": [0.0, 1.0],
        "reads": [[0.0, 0.0], [0.5, 0.0]],
        "keep": [1.0, 0.0],
        **FIRES,
    },
    nets.membrane: {"leak": [0.5], "gain": [1.0], "form": [1.0]},
    nets.membrane_of_a_synapse: {
        **SYNAPSE,
        "gain": [0.5, 0.0],
        **READS_FIRST,
        "bias": [0.0, 0.125],
    },
}


@pytest.mark.parametrize("step", EXPECTED, ids=lambda step: step.__name__)
def test_the_fields_are_those_of_the_code(step: Step) -> None:
    states = dict((*nets.NEURONS, *nets.READOUTS))[step]
    assert fields(traced(Looped(spikes(step, states)))) == EXPECTED[step]


def answers(net: torch.nn.Module, trace: Trace, shape: tuple[int, ...]) -> tuple[Any, Any]:
    """What the graph and the model say to the same whole numbers, with time first."""
    images = np.random.default_rng(4).integers(0, 4, (64, *shape)).astype(np.float64)
    with in_double(), torch.no_grad():
        wanted = net(torch.stack([torch.from_numpy(images)] * STEPS)).numpy()
    given = np.repeat(images[:, None], STEPS, axis=1)
    graph = trace.graph
    return np.moveaxis(run_traced(graph, given)[graph.output], 1, 0), wanted


@pytest.mark.parametrize(
    ("step", "states"), [*nets.NEURONS, *nets.READOUTS], ids=lambda x: getattr(x, "__name__", "")
)
def test_every_value_of_the_graph_is_the_models(step: Step, states: int) -> None:
    net = Looped(spikes(step, states))
    found, wanted = answers(net, traced(net), (FEATURES,))
    assert np.array_equal(found, wanted)
    if (step, states) in nets.NEURONS:
        assert 0.02 < wanted.mean() < 0.98


@pytest.mark.parametrize("body", BODIES, ids=lambda body: body.__name__)
def test_the_integers_answer_as_the_model_does(body: Body) -> None:
    net = Looped(body)
    spiking = run_passes(traced(net).graph, spiking_passes(RAW))
    program = run_passes(spiking, [LowerToIntegers(round_plainly(spiking, 8), 8)])
    images = np.random.default_rng(2).integers(0, 4, (64, FEATURES)).astype(np.uint8)
    slow, fast = interpret(program, images, ALL), Simulator(program).run(images, ALL)
    assert np.array_equal(slow.readout, fast.readout)
    with in_double(), torch.no_grad():
        wanted = net(torch.from_numpy(images.astype(np.float64))[None].repeat(STEPS, 1, 1))
    wanted = wanted[0] if isinstance(wanted, tuple) else wanted
    np.testing.assert_allclose(slow.logits, wanted.numpy().mean(0), rtol=0, atol=1e-9)


def test_constants_that_have_a_row_for_every_image_are_those_of_one() -> None:
    def body(self: Looped, x: torch.Tensor) -> Any:
        leaks = torch.tensor([0.5, 0.25, 0.75, 0.5, 1.0, 0.0, 0.25, 0.5], dtype=x.dtype)
        rows = leaks.expand(x.shape[1], -1) * 1.0
        v, out = torch.zeros(x.shape[1], 8, dtype=x.dtype), []
        for frame in x:
            v = rows * v + self.first(frame)
            out.append((v - 3.0 > 0).double())
            v = v - 3.0 * out[-1]
        return torch.stack(out)

    net = Looped(body)
    found, wanted = answers(net, traced(net), (FEATURES,))
    assert np.array_equal(found, wanted)


def test_constants_may_differ_from_neuron_to_neuron() -> None:
    net = Looped(nets.leaks_of_their_own)
    trace = traced(net)
    found, wanted = answers(net, trace, (FEATURES,))
    assert np.array_equal(found, wanted)
    assert all(0 < wanted[..., i].mean() < 1 for i in range(wanted.shape[-1]))
    seen = fields(trace)
    assert seen["leak"] == [[0.5, 0.25, 0.75, 0.5, 1.0, 0.0, 0.25, 0.5]]
    assert seen["threshold"] == [3.0, 2.0, 3.0, 4.0] * 2
    assert seen["late"] == [seen["threshold"]]


def test_constants_may_differ_from_channel_to_channel() -> None:
    net = nets.Channels()
    trace = trace_model(net, (1, 5, 5), STEPS)
    assert trace.findings == (), "\n".join(map(str, trace.findings))
    found, wanted = answers(net, trace, (1, 5, 5))
    assert np.array_equal(found.reshape(wanted.shape), wanted)
    assert 0.02 < wanted.mean() < 0.98
    (op,) = general(trace)
    assert trace.graph.constants[op.leak.name].tolist() == [[0.5, 0.25, 0.75]]


@pytest.mark.parametrize("step", nets.LIFS, ids=lambda step: step.__name__)
def test_what_is_a_lif_stays_one(step: Step) -> None:
    trace = traced(Looped(spikes(step, 1)))
    (op,) = (node.op for node in trace.graph.nodes if isinstance(node.op, Lif))
    assert (op.tau, op.v_reset, op.v_threshold) == (2.0, 0.0, 3.0)
    assert not general(trace)


def test_of_spikes_and_membranes_the_spikes_are_the_answer() -> None:
    trace = traced(Looped(nets.pair))
    assert len(general(trace)) == 2
    assert any("returns a tuple of 2; its first element" in note for note in trace.notes)


def test_a_model_that_is_called_once_a_step_keeps_its_neurons_states() -> None:
    trace = traced(nets.Called())
    assert len(general(trace)) == 2
    assert any("called once for each of its 6 time steps" in note for note in trace.notes)


@pytest.mark.parametrize(
    ("step", "words"), nets.NO_FORM, ids=lambda case: getattr(case, "__name__", "")
)
def test_a_neuron_without_a_form_is_one_finding_that_says_what_has_none(
    step: Step, words: str
) -> None:
    try:
        findings = trace_model(Looped(spikes(step, 1)), (FEATURES,), STEPS, "sequence").findings
    except SnnccError as error:
        findings = error.findings
    (finding,) = findings
    assert finding.code == "SNN121"
    assert words in finding.why
    assert finding.loc is not None
    assert finding.loc.file.endswith("neuron_loops.py")
    assert "snnTorch" in finding.help
