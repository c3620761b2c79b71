"""Joined currents keep their grids, and a bias that rounds to nothing is no part of a program."""

import numpy as np
import pytest
import torch
from exact_models import conv, on_grid, same_spikes
from spikingjelly.activation_based import functional, layer, neuron
from torch import nn

import snncc


class Joined(nn.Module):
    """Two convolutions with a grid of their own in every channel, side by side along an axis."""

    def __init__(self, axis: int) -> None:
        super().__init__()
        self.axis = axis
        self.first = conv(2, 4, padding=1)
        self.fire = neuron.IFNode(v_threshold=3.0, v_reset=None)
        self.parts = nn.ModuleList([conv(4, 4, padding=1) for _ in range(2)])
        self.joined = neuron.IFNode(v_threshold=7.0, v_reset=None)
        on_grid(self)
        scales = torch.tensor([0.25, 1.0, 2.0, 4.0], dtype=torch.float64)
        for part in self.parts:
            part.weight.data *= scales[:, None, None, None]  # type: ignore[operator]
            part.bias.data *= scales  # type: ignore[operator]

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.fire(self.first(x))
        return self.joined(torch.cat([part(x) for part in self.parts], self.axis)).mean((3, 4))


@pytest.mark.parametrize("axis", [2, 3, 4])
def test_every_channel_keeps_its_grid_whatever_is_joined(axis: int) -> None:
    same_spikes(Joined(axis), (2, 6, 5))


@pytest.mark.parametrize("size", [1e-2, 1e-4, 1e-9])
def test_a_bias_of_channels_that_rounds_to_nothing_is_left_out(size: float) -> None:
    torch.manual_seed(0)
    first = layer.Conv2d(1, 4, 3, padding=1)
    first.weight.data = torch.sign(first.weight.data) * 0.25
    first.bias.data *= size  # type: ignore[operator]
    fire = neuron.LIFNode(tau=2.0)
    fire.v = 0.5
    net = nn.Sequential(first, fire, layer.Flatten(), layer.Linear(4 * 36, 3))
    functional.set_step_mode(net, "m")
    program = snncc.compile(net, input_shape=(1, 6, 6), steps=4, normalize=(0.0, 1 / 255))
    assert sum(part["wrong"] for part in program.report["fold_proof"].values()) == 0
    images = np.random.default_rng(0).integers(0, 256, (4, 1, 6, 6), dtype=np.uint8)
    same = program.run(images, executor="interpreter").readout == program.run(images).readout
    assert same.all()
