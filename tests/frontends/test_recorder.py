"""The recorder: networks as users write them are traced exactly, or refused with reasons."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from spikingjelly.activation_based import functional, neuron
from torch import nn
from zoo import ZOO, Refused, SingleStep, lively, seeded

from snncc.compiler.folding import spiking_passes
from snncc.compiler.options import CompileOptions
from snncc.diagnostics import SnnccError
from snncc.frontends.mixer_snn.neuron import LIF
from snncc.frontends.torch_recorder import trace_model
from snncc.frontends.torch_recorder.axis_solver import AxisError, AxisSolver
from snncc.ir.dialects.traced import Lif
from snncc.passes.pipeline import run_passes
from snncc.quantize.calibration import round_plainly
from snncc.quantize.lower_to_integers import LowerToIntegers
from snncc.runtime import ALL, interpret
from snncc.runtime.simulator import Simulator
from snncc.semantics.spiking import run_spiking
from snncc.semantics.traced import run_traced

SHAPE = (2, 8, 8)
STEPS = 4


def answer(net: nn.Module, name: str, images: np.ndarray) -> np.ndarray:
    """The model's own answer, mean over time, in float64."""
    net = net.double()
    x = torch.from_numpy(images)
    with torch.no_grad():
        functional.reset_net(net)
        if name == "single_step":
            y = torch.stack([net(x) for _ in range(STEPS)]).mean(0)
        elif name == "repeats_inside":
            y = net(x)
        else:
            y = net(x.unsqueeze(0).repeat(STEPS, 1, 1, 1, 1))
            y = y.mean(0) if y.dim() == 3 else y
        functional.reset_net(net)
    return y.numpy()


@pytest.mark.parametrize("name", ZOO)
def test_zoo_through_the_whole_chain(name: str) -> None:
    """Traced, folded and lowered, each network answers as it did; both executors agree."""
    net = ZOO[name]()
    trace = trace_model(net, SHAPE, STEPS)
    assert trace.findings == ()
    images = np.random.default_rng(1).integers(0, 256, (3, *SHAPE)).astype(np.uint8)
    wanted = answer(net, name, images / 255.0)
    spiking = run_passes(trace.graph, spiking_passes(CompileOptions()))
    values = run_spiking(spiking, images)
    np.testing.assert_allclose(values[spiking.output], wanted, rtol=0, atol=1e-9)
    rates = [values[node.name].mean() for node in trace.graph.select(Lif)]
    assert min(rates) > 0.01, rates
    program = run_passes(spiking, [LowerToIntegers(round_plainly(spiking, 16), 16)])
    slow, fast = interpret(program, images, ALL), Simulator(program).run(images, ALL)
    assert np.array_equal(slow.readout, fast.readout)
    for population, membranes in slow.membranes.items():
        assert np.array_equal(membranes, fast.membranes[population])
    np.testing.assert_allclose(slow.logits, wanted, rtol=0, atol=0.35)


def test_axes_of_equal_length_are_told_apart() -> None:
    """Tokens, channels and hidden units are all 16: the token norm must stay a token norm."""
    graph = trace_model(ZOO["einops"](), SHAPE, STEPS).graph
    norm = next(
        node for node in graph.nodes if node.op.mnemonic == "batchnorm" and "channels" in node.name
    )
    channel = next(
        node for node in graph.nodes if node.op.mnemonic == "linear" and "channels" in node.name
    )
    assert norm.op.mean.axes[0] not in channel.op.out  # type: ignore[attr-defined]
    stem = next(
        node for node in graph.nodes if node.op.mnemonic == "batchnorm" and "embed" in node.name
    )
    assert stem.op.mean.axes == (graph[stem.inputs[0]].op.out_channel,)  # type: ignore[attr-defined]


@pytest.mark.parametrize("name", ["jelly_conv", "einops", "skips"])
def test_corrupting_any_constant_changes_a_value(name: str) -> None:
    graph = trace_model(ZOO[name](), SHAPE, STEPS).graph
    inputs = np.random.default_rng(2).standard_normal((2, *graph["input"].type.shape))
    right = run_traced(graph, inputs)
    for constant, array in graph.constants.items():
        wrong = replace(graph, constants={**graph.constants, constant: array + 0.5})
        values = run_traced(wrong, inputs)
        assert any(not np.array_equal(values[n], right[n]) for n in right), constant


def test_every_neuron_parameter_arrives() -> None:
    ops = {n.name: n.op for n in trace_model(ZOO["jelly_conv"](), SHAPE, STEPS).graph.select(Lif)}
    assert ops["features.2"] == Lif(tau=None)
    assert ops["features.5"] == Lif(tau=4.0, decay_input=False)
    learned = ops["head.1"]
    assert isinstance(learned, Lif)
    assert learned.tau == pytest.approx(3.0)
    assert learned.v_reset is None


def test_a_changed_neuron_is_not_taken_for_its_base() -> None:
    """A subclass with dynamics of its own is descended into, never assumed."""

    class Odd(neuron.LIFNode):
        def neuronal_fire(self) -> torch.Tensor:
            return super().neuronal_fire() * 0.0

    class Same(neuron.LIFNode):
        pass

    from snncc.frontends.torch_recorder.neurons.known import handler_for

    assert handler_for(Odd()) is None
    assert handler_for(Same()) is not None
    assert handler_for(LIF()) is not None


def test_all_refusals_come_in_one_go_with_places() -> None:
    torch.manual_seed(0)
    findings = trace_model(lively(Refused()), SHAPE, STEPS).findings
    text = "\n".join(map(str, findings))
    assert {f.code for f in findings} == {"SNN020", "SNN021", "SNN022", "SNN023"}
    assert "--> norm   LayerNorm((4,)" in text
    assert "softmax needs exponentials" in text
    assert "if y.sum() > 0:" in text
    assert "zoo.py:" in text
    assert "train with BatchNorm" in text
    assert "/tests/" not in text


def test_a_neuron_that_is_called_twice_a_step_is_refused_with_help() -> None:
    class Twice(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.net = seeded(SingleStep)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.net(x) + self.net(2.0 * x)

    findings = trace_model(Twice(), SHAPE, STEPS).findings
    assert any("called more than once" in f.message and "set_step_mode" in f.help for f in findings)


def test_a_model_that_raises_is_named() -> None:
    class Broken(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = nn.Linear(3, 3)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.inner(x)

    with pytest.raises(SnnccError) as caught:
        trace_model(Broken(), SHAPE, STEPS)
    finding = caught.value.findings[0]
    assert finding.code == "SNN028"
    assert finding.loc is not None
    assert finding.loc.module_path == "inner"
    assert "RuntimeError" in finding.message


def test_tensors_from_nowhere_are_refused() -> None:
    hidden = torch.ones(4, dtype=torch.float64)

    class Closure(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x.mean((2, 3)).sum(1, keepdim=True) + hidden

    findings = trace_model(Closure(), SHAPE, STEPS).findings
    assert "SNN024" in {f.code for f in findings}


def test_state_that_a_user_left_behind_is_reset_or_refused() -> None:
    net = ZOO["single_step"]()
    with torch.no_grad():
        net(torch.rand(5, *SHAPE))
    assert trace_model(net, SHAPE, STEPS).findings == ()
    functional.reset_net(net)
    net(torch.rand(5, *SHAPE))
    with pytest.raises(SnnccError) as caught:
        trace_model(net, SHAPE, STEPS)
    assert caught.value.code == "SNN025"
    assert "reset_net" in caught.value.findings[0].help


def test_the_model_is_not_changed() -> None:
    net = ZOO["jelly_conv"]().train()
    before = {k: v.clone() for k, v in net.state_dict().items()}
    trace_model(net, SHAPE, STEPS)
    assert net.training
    assert all(torch.equal(v, before[k]) for k, v in net.state_dict().items())
    assert next(net.parameters()).dtype == torch.float32


def test_the_default_type_of_torch_is_restored() -> None:
    trace_model(ZOO["skips"](), SHAPE, STEPS)
    assert torch.get_default_dtype() == torch.float32


def test_reshapes_cut_and_join_axes() -> None:
    solver = AxisSolver()
    a, b, one = solver.atom("a", 6), solver.atom("b", 4), solver.atom("h", 1)
    merged = solver.reshape([(a,), (b,)], (24,))
    assert solver.roots(merged[0]) == (a, b)
    cut = solver.reshape([(a,), (b,)], (2, 3, 4))
    assert [solver.length(solver.roots(d)) for d in cut] == [2, 3, 4]
    assert solver.roots((a,)) == (*cut[0], *cut[1])
    kept = solver.reshape([(b,), (one,)], (4, 1))
    assert kept == ((b,), (one,))
    with pytest.raises(AxisError):
        solver.reshape([(a,), (b,)], (5, 5))
    with pytest.raises(AxisError):
        solver.unify((a,), (b,))
    c, d = solver.atom("c", 24), solver.atom("d", 4)
    solver.unify((a, b), (c,))
    assert solver.roots((c,)) == solver.roots((a, b))
    solver.unify((b,), (d,))
    assert solver.roots((d,)) == solver.roots((b,))


def test_hidden_state_is_found_by_the_replay() -> None:
    class Counts(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.calls = 0
            self.head = nn.Linear(2, 3)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            self.calls += 1
            return self.head(x.mean((2, 3)) * float(self.calls))

    with pytest.raises(SnnccError) as caught:
        trace_model(Counts(), SHAPE, STEPS)
    assert caught.value.code == "SNN027"
