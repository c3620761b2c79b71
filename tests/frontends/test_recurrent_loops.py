"""Spikes that are fed back in a loop over time: delays in the graph, the model's answers."""

from typing import Any

import numpy as np
import pytest
import recurrent_networks as nets
import torch
from exact_models import RAW
from loop_networks import FEATURES, STEPS, Body, Looped, running_sums
from looped_answers import compiled_equal, findings_of
from spikingjelly.activation_based import functional, layer, neuron
from torch import nn

import snncc
from snncc.compiler.folding import spiking_passes
from snncc.frontends.torch_recorder import trace_model
from snncc.frontends.torch_recorder.loops import feedback
from snncc.frontends.torch_recorder.loops import trace as loops
from snncc.frontends.torch_recorder.precision import in_double
from snncc.ir.cycles import components
from snncc.ir.dialects.delays import Delay
from snncc.ir.dialects.neurons import TracedNeuron
from snncc.ir.dialects.traced import Lif
from snncc.passes.pipeline import run_passes
from snncc.quantize.calibration import round_plainly
from snncc.quantize.lower_to_integers import LowerToIntegers
from snncc.runtime import interpret
from snncc.runtime.simulator import Simulator
from snncc.semantics.spiking import run_spiking
from snncc.semantics.traced import run_traced

DELAYS = {
    "feedback": [1],
    "delayed": [2],
    "own_spikes": [1],
    "by_hand": [1],
    "back_over_two_layers": [1],
    "three_ago": [3],
    "one_and_two_ago": [1, 2],
    "added_spikes": [1],
    "joined_spikes": [1],
    "late_input": [2, 1],
    "in_two_loops": [1, 1],
    "scaled_by_one": [1],
}
LOOPS = {"delayed": 0, "late_input": 0, "in_two_loops": 2}


@pytest.mark.parametrize("body", nets.COMPILE, ids=lambda body: body.__name__)
def test_fed_back_spikes_give_the_models_answers(body: Body) -> None:
    graph = compiled_equal(body).graph
    delays = [node.op.steps for node in graph.nodes if isinstance(node.op, Delay)]
    assert sorted(delays) == sorted(DELAYS[body.__name__])
    assert sum(part.cyclic for part in components(graph)) == LOOPS.get(body.__name__, 1)


@pytest.mark.parametrize("body", nets.COMPILE, ids=lambda body: body.__name__)
def test_real_numbers_mean_the_same_in_both_dialects(body: Body) -> None:
    """Traced and spiking graphs, whose loops are settled, give torch's spikes."""
    net = Looped(body)
    graph = trace_model(net, (FEATURES,), STEPS).graph
    pixels = np.random.default_rng(6).integers(0, 4, (8, FEATURES)).astype(np.uint8)
    given = pixels.astype(np.float64)
    real = run_traced(graph, np.repeat(given[:, None], STEPS, axis=1))
    spiking = run_passes(graph, spiking_passes(RAW))
    values = run_spiking(spiking, pixels)
    with in_double(), torch.no_grad():
        wanted = net(torch.from_numpy(given)[None].repeat(STEPS, 1, 1)).numpy().mean(0)
    np.testing.assert_allclose(values[spiking.output], wanted, rtol=0, atol=1e-9)
    for node in graph.select(Lif):
        assert np.array_equal(real[node.name], values[node.name]), node.name


REFUSED: tuple[tuple[Body, str, str], ...] = (
    (nets.membrane_fed_back, "SNN121", "membranes or currents are fed back, not spikes"),
    (nets.starts_with_spikes, "SNN120", "the first step leaves a call out"),
    (nets.forgets_at_first, "SNN120", "steps of a loop over time differ"),
    (nets.other_constant_at_first, "SNN120", "the first step leaves a call out"),
    (nets.current_fed_back, "SNN121", "fed back through"),
)


@pytest.mark.parametrize(
    ("body", "code", "words"), REFUSED, ids=lambda case: getattr(case, "__name__", str(case))
)
def test_what_is_no_delay_of_spikes_is_one_finding(
    body: Body, code: str, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By its form alone: the graph is not held against the model here."""
    monkeypatch.setattr(loops, "replay", lambda *_: ())
    (finding,) = findings_of(body)
    assert finding.code == code
    assert words in f"{finding.message} {finding.why}"
    assert finding.loc is not None
    assert finding.loc.file.endswith("recurrent_networks.py")


def test_the_replay_sees_a_delay_that_is_off_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """Were the structure wrong about how far back a step reads, the spikes would tell."""
    right = feedback.Past

    def longer(place: Any, out: int, delay: int, around: bool) -> feedback.Past:
        return right(place, out, delay + 1, around)

    monkeypatch.setattr(feedback, "Past", longer)
    monkeypatch.setattr(feedback, "from_the_start", lambda loop: loop)
    assert {f.code for f in findings_of(nets.joined_spikes)} == {"SNN027"}


class Contained(nn.Module):
    """SpikingJelly's recurrent containers, as they stand."""

    def __init__(self, container: nn.Module) -> None:
        super().__init__()
        self.first, self.rec, self.head = nn.Linear(6, 12), container, nn.Linear(12, 3)
        self.last = neuron.IFNode(v_threshold=2.0)
        generator = torch.Generator().manual_seed(8)
        for parameter in self.parameters():
            whole = torch.randint(-26, 38, parameter.shape, generator=generator)
            parameter.data = whole.double() / 32
        self.double().eval()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.stack([self.last(self.head(self.rec(self.first(f)))) for f in x]).mean(0)


def containers() -> dict[str, nn.Module]:
    fire = neuron.LIFNode(tau=2.0, v_threshold=3.0)
    return {
        "linear": layer.LinearRecurrentContainer(fire, 12, 12),
        "linear with bias": layer.LinearRecurrentContainer(fire, 12, 12, bias=True),
        "element-wise": layer.ElementWiseRecurrentContainer(
            fire, element_wise_function=lambda y, x: x + y
        ),
    }


def equal(net: nn.Module, shape: tuple[int, ...], steps: int) -> None:
    trace = trace_model(net, shape, steps, "sequence")
    assert trace.findings == (), "\n".join(map(str, trace.findings))
    spiking = run_passes(trace.graph, spiking_passes(RAW))
    program = run_passes(spiking, [LowerToIntegers(round_plainly(spiking, 8), 8)])
    pixels = np.random.default_rng(9).integers(0, 4, (32, *shape)).astype(np.uint8)
    functional.reset_net(net)
    x = torch.from_numpy(pixels.astype(np.float64))
    with in_double(), torch.no_grad():
        wanted = net(torch.stack([x] * steps)).numpy()
    assert len(np.unique(wanted)) > 3
    real = run_spiking(spiking, pixels)[spiking.output]
    np.testing.assert_allclose(real, wanted, rtol=0, atol=1e-9)
    # Two maps without a neuron between become one, whose weights 8 bits do not hold.
    answers = interpret(program, pixels)
    assert np.array_equal(answers.readout, Simulator(program).run(pixels).readout)
    assert np.abs(answers.logits - wanted).mean() < 0.02


@pytest.mark.parametrize("kind", ["linear", "linear with bias", "element-wise"])
def test_recurrent_containers_of_spikingjelly(kind: str) -> None:
    equal(Contained(containers()[kind]), (6,), 5)


def test_feature_maps_that_are_fed_back() -> None:
    fires = [neuron.LIFNode(tau=2.0, v_threshold=2.0) for _ in range(2)]
    equal(nets.Grid(*fires), (1, 4, 4), 5)


def test_a_recurrent_network_is_compiled_with_images() -> None:
    """Calibration and its report go through loops: spikes of the rounded network agree."""
    net = Contained(containers()["linear"])
    pixels = np.random.default_rng(1).integers(0, 256, (48, 6)).astype(np.uint8)
    program = snncc.compile(
        net, input_shape=(6,), steps=5, calibrate=pixels, weight_bits=8, layout="sequence"
    )
    assert str(program.verify().level) in ("strict", "Level.STRICT")
    functional.reset_net(net)
    with torch.no_grad():
        x = torch.from_numpy(pixels / 255.0)
        wanted = net(torch.stack([x] * 5)).numpy()
    answers = program.run(pixels).logits
    assert np.abs(answers - wanted).mean() < 0.02


def test_all_running_sums_are_the_answer() -> None:
    """A sum of every step is the membrane of neurons that neither leak nor fire."""
    graph = compiled_equal(running_sums).graph
    (reads,) = graph.select(TracedNeuron)
    assert isinstance(reads.op, TracedNeuron)
    assert not reads.op.fires
