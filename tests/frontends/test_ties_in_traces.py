"""Membranes that meet their threshold exactly: torch decides by the last bits of its sums."""

import numpy as np
import pytest
import torch
from grid_networks import SHAPE, GridNetwork
from spikingjelly.activation_based import functional, layer, neuron
from torch import nn

from snncc.diagnostics import SnnccError
from snncc.frontends.torch_recorder import trace_model


def on_step(seed: int, step: float) -> GridNetwork:
    """A network whose weights are multiples of a step that no float holds."""
    net = GridNetwork(seed, 3)
    rng = np.random.default_rng(seed)
    for module in net.modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            multiples = rng.integers(-3, 4, tuple(module.weight.shape))
            module.weight.data = torch.from_numpy(multiples * step)
    net = net.double().eval()
    functional.set_step_mode(net, "m")
    return net


@pytest.mark.parametrize("step", [0.1, 1 / 3])
def test_ties_are_no_fault_of_the_graph(step: float) -> None:
    notes = [trace_model(on_step(seed, step), SHAPE, 4).notes for seed in range(12)]
    told = [note for found in notes for note in found]
    assert told
    assert all("met their threshold exactly" in note and "fire" in note for note in told)


def test_a_network_without_ties_has_no_note() -> None:
    net = GridNetwork(3, 3).double().eval()
    functional.set_step_mode(net, "m")
    assert trace_model(net, SHAPE, 4).notes == ()


class TiesAndMemory(nn.Module):
    """Eight times 1/8 against 1; from its second call on it has another gain."""

    def __init__(self, later: float) -> None:
        super().__init__()
        self.calls, self.later = 0, later
        self.first, self.fire1 = layer.Linear(4, 8), neuron.IFNode(1.0, 0.0)
        self.second, self.fire2 = layer.Linear(8, 3, bias=False), neuron.IFNode(1.0, 0.0)
        self.first.weight.data.zero_()
        self.first.bias.data.fill_(2.0)
        self.second.weight.data.fill_(0.125)
        self.head = layer.Linear(3, 2)
        functional.set_step_mode(self, "m")

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.calls += 1
        gain = 1.0 if self.calls == 1 else self.later
        return self.head(self.fire2(self.second(self.fire1(self.first(x))) * gain)).mean(0)


def test_what_differs_beyond_ties_is_refused() -> None:
    assert trace_model(TiesAndMemory(1.0), (4,), 3).notes == ()
    (note,) = trace_model(TiesAndMemory(1.0 - 2.0**-50), (4,), 3).notes
    assert note.startswith("membranes of fire2 met")
    assert "decided 18 such ties" in note
    with pytest.raises(SnnccError) as caught:
        trace_model(TiesAndMemory(1.0 - 1e-6), (4,), 3)
    assert caught.value.code == "SNN027"
    assert caught.value.findings[0].loc is not None
    assert caught.value.findings[0].loc.module_path == "fire2"
