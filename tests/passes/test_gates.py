"""Spikes that let currents pass: norms before and behind a gate, at any axis."""

import numpy as np
import pytest
import torch
from spikingjelly.activation_based import functional, layer, neuron
from torch import nn

import snncc
from snncc.diagnostics import SnnccError

STEPS, SHAPE = 4, (2, 6, 5)


class Gated(nn.Module):
    """Currents of one path, with a norm, gated by spikes of another."""

    def __init__(self, *, gate_channels: int, inverted: bool, behind: bool, pad: int) -> None:
        super().__init__()
        self.inverted = inverted
        self.gate = nn.Sequential(
            layer.Conv2d(2, gate_channels, 3, padding=1), neuron.IFNode(v_threshold=0.7)
        )
        self.stem = nn.Sequential(layer.Conv2d(2, 3, 3, padding=1), neuron.IFNode(v_threshold=0.6))
        self.path = nn.Sequential(layer.Conv2d(3, 4, 3, padding=pad), layer.BatchNorm2d(4))
        self.behind = layer.BatchNorm2d(4) if behind else nn.Identity()
        self.last, self.head = neuron.LIFNode(v_threshold=0.2231), nn.Linear(4, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        gate = self.gate(x)
        gate = 1.0 - gate if self.inverted else gate
        return self.head(self.last(self.behind(gate * self.path(self.stem(x)))).mean((3, 4)))


def made(**options: object) -> Gated:
    torch.manual_seed(8)
    model = Gated(**options)  # type: ignore[arg-type]
    functional.set_step_mode(model, "m")
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            for value, low, high in (
                (module.running_mean, -0.4, 0.4), (module.running_var, 0.3, 1.0),
                (module.weight.data, -1.0, 2.0), (module.bias.data, -0.3, 0.9),
            ):  # fmt: skip
                assert value is not None
                value.uniform_(low, high)
        elif isinstance(module, nn.Conv2d):
            module.weight.data.mul_(2)
    return model.eval()


@pytest.mark.parametrize("inverted", [False, True])
@pytest.mark.parametrize("behind", [False, True])
def test_a_norm_before_a_gate_is_no_bias_of_closed_ones(behind: bool, inverted: bool) -> None:
    """The offset of what passes is 0 where the gate is closed."""
    model = made(gate_channels=4, inverted=inverted, behind=behind, pad=1)
    images = np.random.default_rng(3).integers(0, 256, (6, *SHAPE)).astype(np.uint8)
    program = snncc.compile(model, input_shape=SHAPE, steps=STEPS, weight_bits=24)
    result = program.run(images)
    functional.reset_net(model)
    given = torch.tensor(images, dtype=torch.float64) / 255
    with torch.no_grad():
        wanted = model.double()(given[None].repeat(STEPS, 1, 1, 1, 1)).mean(0).numpy()
    assert np.abs(result.logits - wanted).max() < 1e-4
    assert all(0.02 < rate < 0.98 for rate in result.spike_rates.values())


def test_a_gate_that_is_spread_over_channels_is_refused() -> None:
    model = made(gate_channels=1, inverted=False, behind=False, pad=1)
    with pytest.raises(SnnccError, match="lengths 1 and 4 meet"):
        snncc.compile(model, input_shape=SHAPE, steps=STEPS)


def test_a_gate_of_the_image_is_refused() -> None:
    class OfImage(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.gate = nn.Sequential(layer.Conv2d(2, 2, 3, padding=1), neuron.IFNode())
            self.last = nn.Sequential(layer.Conv2d(2, 3, 1), neuron.IFNode())

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.last(x * self.gate(x)).mean((3, 4))

    model = OfImage()
    functional.set_step_mode(model, "m")
    with pytest.raises(SnnccError, match="spikes gate the image") as caught:
        snncc.compile(model.eval(), input_shape=SHAPE, steps=STEPS)
    assert caught.value.code == "SNN021"


def test_products_of_currents_stay_refused() -> None:
    class OfCurrents(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.a, self.b = layer.Conv2d(2, 2, 1), layer.Conv2d(2, 2, 1)
            self.last = neuron.IFNode()

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.last(self.a(x) * self.b(x)).mean((3, 4))

    model = OfCurrents()
    functional.set_step_mode(model, "m")
    with pytest.raises(SnnccError, match="multiplies data by data"):
        snncc.compile(model.eval(), input_shape=SHAPE, steps=STEPS)
