"""What neurons hold: thresholds by channel, starts, and numbers that make no neuron."""

import math
from typing import Any

import pytest
import torch
from exact_models import conv, same_spikes, sequence
from spikingjelly.activation_based import functional, layer, neuron, surrogate
from torch import nn

from snncc.diagnostics import Finding, SnnccError
from snncc.frontends.torch_recorder import trace_model
from snncc.ir import TIME
from snncc.ir.dialects.traced import Lif

SHAPE = (2, 6, 6)
INF, NAN = math.inf, math.nan


def network(*neurons: nn.Module) -> nn.Module:
    """Two convolutions with neurons and a readout."""
    first, second = neurons if len(neurons) == 2 else (neurons[0], neuron.IFNode(v_threshold=4.0))
    parts = (conv(2, 4, padding=1), first, conv(4, 4, stride=2), second)
    return sequence(*parts, layer.Flatten(), layer.Linear(16, 5))


def with_attributes(module: nn.Module, **values: Any) -> nn.Module:
    for name, value in values.items():
        if isinstance(value, nn.Parameter):
            delattr(module, name)
        setattr(module, name, value)
    return module


def only_finding(net: nn.Module) -> Finding:
    findings = trace_model(net, SHAPE, 4).findings
    assert len(findings) == 1, "\n".join(map(str, findings))
    return findings[0]


KINDS = {
    "if": lambda: neuron.IFNode(v_threshold=2.0),
    "if_soft": lambda: neuron.IFNode(v_threshold=2.0, v_reset=None),
    "lif": lambda: neuron.LIFNode(tau=2.0, v_threshold=2.0),
    "lif_soft": lambda: neuron.LIFNode(tau=2.0, v_threshold=2.0, v_reset=None),
    "lif_rest": lambda: neuron.LIFNode(tau=4.0, v_threshold=2.0, v_reset=-0.5),
    "lif_no_decay": lambda: neuron.LIFNode(tau=2.0, v_threshold=4.0, decay_input=False),
    "plif": lambda: neuron.ParametricLIFNode(init_tau=2.0, v_threshold=2.0),
}


# Thresholds.

THRESHOLDS = {
    "channels": torch.tensor([0.5, 1.0, 3.0, 6.0]).view(4, 1, 1),
    "batched": torch.tensor([0.5, 1.0, 3.0, 6.0]).view(1, 4, 1, 1),
    "neurons": (torch.arange(144) % 7 + 1.0).view(4, 6, 6),
    "rows": torch.tensor([0.5, 1.0, 2.0, 3.0, 4.0, 5.0]).view(6, 1),
    "equal": torch.full((4, 1, 1), 2.0),
    "of_one": torch.tensor([[2.0]]),
    "zero_and_below": torch.tensor([0.0, -1.0, 1.0, 2.0]).view(4, 1, 1),
}


@pytest.mark.parametrize(
    ("kind", "form"),
    [*((kind, "channels") for kind in KINDS), *(("lif_soft", form) for form in THRESHOLDS)],
)
def test_thresholds_of_their_own_are_modelled_to_the_spike(kind: str, form: str) -> None:
    held = THRESHOLDS[form].clone()
    module = KINDS[kind]()
    with_attributes(module, v_threshold=nn.Parameter(held) if kind != "lif_rest" else held)
    same_spikes(network(module), SHAPE)


def test_a_threshold_by_feature_after_a_linear_map() -> None:
    held = nn.Parameter(torch.tensor([1.0, 2.0, 3.0, 4.0, 9.0]))
    last = with_attributes(neuron.IFNode(), v_threshold=held)
    head = (layer.Flatten(), layer.Linear(144, 5), last)
    net = sequence(conv(2, 4, padding=1), neuron.IFNode(v_threshold=4.0), *head)
    same_spikes(net, SHAPE)


def test_thresholds_meet_a_batchnorm_by_channel() -> None:
    """Polarity and scale of a norm go into thresholds that differ already."""
    norm = layer.BatchNorm2d(4, eps=0.0, affine=True)
    norm.weight.data = torch.tensor([1.0, -0.5, 2.0, 0.5])
    norm.bias.data = torch.tensor([0.25, 0.5, 0.0, -0.25])
    norm.running_var = torch.tensor([1.0, 4.0, 0.25, 1.0])
    held = nn.Parameter(THRESHOLDS["channels"].clone())
    first = with_attributes(neuron.LIFNode(tau=2.0), v_threshold=held)
    parts = (conv(2, 4, padding=1, bias=False), norm, first, layer.Flatten(), layer.Linear(144, 5))
    same_spikes(sequence(*parts), SHAPE)


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"v_threshold": INF}, "v_threshold of LIFNode is inf"),
        ({"v_threshold": -INF}, "v_threshold of LIFNode is -inf"),
        ({"v_threshold": NAN}, "v_threshold of LIFNode is nan"),
        ({"v_threshold": nn.Parameter(torch.tensor([1.0, NAN, 1.0, 1.0]).view(4, 1, 1))}, "nan"),
        ({"v_threshold": nn.Parameter(torch.tensor([1.0, INF, 1.0, 1.0]).view(4, 1, 1))}, "inf"),
        ({"v_reset": NAN}, "v_reset of LIFNode is nan"),
        ({"v_reset": INF}, "v_reset of LIFNode is inf"),
        ({"tau": INF}, "tau of LIFNode is inf"),
        ({"tau": NAN}, "tau of LIFNode is nan"),
        ({"tau": 0.5}, "tau of LIFNode is 0.5"),
        ({"tau": -1.0}, "tau of LIFNode is -1"),
        ({"tau": torch.tensor([2.0, 3.0, 4.0, 5.0]).view(4, 1, 1)}, "tau of LIFNode differs"),
        (
            {"v_reset": torch.tensor([0.0, 0.1, 0.2, 0.3]).view(4, 1, 1)},
            "v_reset of LIFNode differs",
        ),
    ],
)
@pytest.mark.parametrize("place", [0, 1])
def test_what_makes_no_neuron_is_named_with_its_layer(
    place: int, values: dict[str, Any], said: str
) -> None:
    neurons = [neuron.IFNode(v_threshold=4.0), neuron.IFNode(v_threshold=4.0)]
    neurons[place] = with_attributes(neuron.LIFNode(tau=2.0, v_threshold=2.0), **values)
    try:
        found = trace_model(network(*neurons), SHAPE, 4).findings
    except SnnccError as error:  # torch's own refusal of a shape: it stands at the neuron, too
        found = error.findings
    assert found
    if found[0].code != "SNN028":
        assert found[0].code == "SNN100"
        assert said in found[0].message
    assert found[0].loc is not None
    assert found[0].loc.module_path == ("1", "3")[place]
    assert found[0].why
    assert found[0].help


@pytest.mark.parametrize("w", [-INF, NAN, -800.0])
def test_a_learned_tau_without_end_is_named(w: float) -> None:
    module = neuron.ParametricLIFNode()
    module.w.data = torch.tensor(w)
    found = only_finding(network(module))
    assert (found.code, found.loc and found.loc.module_path) == ("SNN100", "1")
    assert "tau of ParametricLIFNode" in found.message


def test_a_membrane_that_keeps_everything_is_an_if_neuron() -> None:
    same_spikes(
        network(with_attributes(neuron.LIFNode(decay_input=False, v_threshold=4.0), tau=INF)), SHAPE
    )


@pytest.mark.parametrize("level", [0.0, -0.5])
@pytest.mark.parametrize("reset", [0.0, None])
def test_thresholds_that_fire_without_input_are_modelled(level: float, reset: float | None) -> None:
    module = neuron.LIFNode(tau=2.0, v_threshold=level, v_reset=reset)
    same_spikes(network(module), SHAPE, silent=("1",))


# Where membranes start.


@pytest.mark.parametrize(
    ("kind", "start"),
    [*((kind, 1.75) for kind in KINDS), *(("lif", start) for start in (0.5, -1.5, 1))],
)
def test_a_start_is_modelled_to_the_spike(kind: str, start: float) -> None:
    """`module.v = 0.5 * v_threshold`, as recipes for converted networks have it."""
    program = same_spikes(network(with_attributes(KINDS[kind](), v=start)), SHAPE)
    bias = getattr(program["1"].op, "bias", None)
    assert bias is not None
    assert TIME in bias.axes


class StartsHigher(neuron.IFNode):
    """Resets to half its threshold."""

    def reset(self) -> None:
        super().reset()
        self.v = 0.5 * self.v_threshold


class SetsItself(nn.Module):
    """A model that starts its own neurons in forward."""

    def __init__(self) -> None:
        super().__init__()
        self.net = network(neuron.IFNode(v_threshold=4.0))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        functional.reset_net(self.net)
        self.net[1].v = 2.0
        return self.net(x)


def test_a_reset_of_its_own_is_a_start() -> None:
    net = network(StartsHigher(v_threshold=4.0))
    functional.reset_net(net)
    program = same_spikes(net, SHAPE)
    assert TIME in program["1"].op.bias.axes  # type: ignore[attr-defined]


def test_a_reset_value_is_a_start() -> None:
    module = neuron.IFNode(v_threshold=4.0)
    module.set_reset_value("v", 2.0)
    net = network(module)
    functional.reset_net(net)
    same_spikes(net, SHAPE)


def test_a_start_set_in_forward_is_a_start() -> None:
    same_spikes(SetsItself().double().eval(), SHAPE)


def test_a_start_at_rest_changes_nothing() -> None:
    module = with_attributes(neuron.LIFNode(v_threshold=2.0, v_reset=-0.5), v=-0.5)
    graph = trace_model(network(module), SHAPE, 4).graph
    assert all(getattr(node.op, "start", None) is None for node in graph.nodes)


@pytest.mark.parametrize(
    "start",
    [
        torch.tensor(0.5),
        torch.full((4, 1, 1), 0.5),
        torch.full((1, 4, 6, 6), 0.5),
        torch.rand(1, 4, 6, 6),
        torch.rand(4, 6, 6).expand(3, 4, 6, 6),
        "half",
        NAN,
        INF,
    ],
)
def test_a_start_that_is_no_number_is_refused_by_name(start: object) -> None:
    net = network(with_attributes(neuron.IFNode(v_threshold=4.0), v=start))
    try:
        found = trace_model(net, SHAPE, 4).findings[0]
    except SnnccError as error:
        found = error.findings[0]
    assert found.code == ("SNN028" if start == "half" else "SNN100")
    assert found.loc is not None
    assert found.loc.module_path == "1"
    if found.code == "SNN100":
        assert "membrane v of IFNode" in found.message
        assert "reset_net" in found.help


def test_membranes_left_from_a_batch_go_with_the_reset() -> None:
    net = network(neuron.LIFNode(v_threshold=2.0))
    with torch.no_grad():
        net(torch.rand(4, 3, *SHAPE, dtype=torch.float64))
    graph = trace_model(net, SHAPE, 4).graph
    assert all(getattr(node.op, "start", None) is None for node in graph.nodes)


def test_the_start_of_the_users_model_is_left_alone() -> None:
    module = with_attributes(neuron.IFNode(v_threshold=4.0), v=2.0)
    trace_model(network(module), SHAPE, 4)
    assert module.v == 2.0


# What a surrogate function does at zero.


class Above(surrogate.Sigmoid):
    """A step that is 0 at zero: it fires above the threshold only."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return (x > 0).to(x)


def test_a_step_above_zero_fires_above_the_threshold() -> None:
    module = neuron.IFNode(v_threshold=2.0, surrogate_function=Above())
    same_spikes(network(module), SHAPE)
    op = trace_model(network(module), SHAPE, 4).graph["1"].op
    assert isinstance(op, Lif)
    assert op.compare == "gt"


@pytest.mark.parametrize(
    "function",
    [surrogate.Sigmoid(spiking=False), lambda x: (x > 0.5).to(x), lambda x: 2.0 * (x >= 0).to(x)],
)
def test_a_surrogate_that_is_no_step_is_named(function: Any) -> None:
    found = only_finding(network(neuron.IFNode(v_threshold=2.0, surrogate_function=function)))
    assert found.code == "SNN100"
    assert "is no step" in found.message
    assert ("spiking=False" in found.why) == isinstance(function, surrogate.Sigmoid)
