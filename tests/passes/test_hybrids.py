"""Hybrids from torch: quantised activations exactly, ReLUs in few bits, and what is refused."""

from collections.abc import Callable
from copy import deepcopy

import numpy as np
import pytest
import torch
from exact_models import on_grid
from torch import Tensor, nn

import snncc
from snncc.diagnostics import SnnccError
from snncc.ir.dialects.thresholds import MultiThreshold

Function = Callable[[Tensor, Tensor], Tensor]
RAW = ((0.0,), (1.0 / 255.0,))
IMAGES = np.random.default_rng(4).integers(0, 8, (12, 2, 6, 6)).astype(np.uint8)


class Floor(torch.autograd.Function):
    @staticmethod
    def forward(_ctx: object, x: Tensor) -> Tensor:
        return x.floor()


def ste(x: Tensor) -> Tensor:
    """As training code writes rounding."""
    return x + (x.round() - x).detach()


WRITTEN: dict[str, Function] = {
    "qcfs": lambda x, _s: Floor.apply(torch.clamp(x / 4.0, 0, 1) * 8 + 0.5) / 8 * 4.0,
    "brevitas": lambda x, _s: torch.clamp(torch.round(x / 0.5), 0, 15) * 0.5,
    "signed": lambda x, _s: torch.clamp(torch.round(x / 0.25), -8, 7) * 0.25,
    "lsq": lambda x, s: ste(torch.clamp(x / s, 0, 7)) * s,
    "pact": lambda x, s: ste(torch.minimum(torch.relu(x), 3.0 * s) / s) * s,
    "fake quantise": lambda x, _s: torch.fake_quantize_per_tensor_affine(x, 0.5, 3, 0, 15),
    "falling": lambda x, _s: 3.0 - torch.ceil(torch.clamp(-x, min=-5.0, max=0.0)),
    "one bit": lambda x, _s: torch.floor(torch.clamp(x, 0, 1)),
    "relu behind": lambda x, _s: torch.relu(torch.relu(torch.clamp(torch.trunc(x), -2, 4)) * 2.0),
}


class Hybrid(nn.Module):
    """A convolution, a norm with gains of both signs, the activation, maxima, a second layer."""

    def __init__(self, function: Function, pooled: bool = True) -> None:
        super().__init__()
        self.conv, self.norm = nn.Conv2d(2, 4, 3, padding=1), nn.BatchNorm2d(4, eps=0.0)
        self.narrow, self.pool = nn.Conv2d(4, 3, 3), nn.MaxPool2d(2 if pooled else 1)
        self.norm.weight.data = torch.tensor([1.0, -0.5, 0.0, 2.0])
        self.norm.bias.data = torch.tensor([0.25, 3.0, 1.5, -0.5])
        self.norm.running_mean = torch.tensor([0.5, -1.0, 0.0, 0.25])
        self.function = function
        self.register_buffer("steps", torch.tensor([0.5, 1.0, 2.0, 4.0]).reshape(-1, 1, 1))
        self.head = nn.Linear(3 * (1 if pooled else 16), 5)

    def forward(self, x: Tensor) -> Tensor:
        y = self.pool(self.function(self.norm(self.conv(x)), self.steps))
        return self.head(self.function_of_three(self.narrow(y)).flatten(1))

    @staticmethod
    def function_of_three(x: Tensor) -> Tensor:
        return torch.clamp(torch.round(x), 0, 3)


@pytest.mark.parametrize("name", WRITTEN)
def test_a_quantised_activation_is_taken_exactly(name: str) -> None:
    """Counts and answers of every image are the model's, in float64, ties among them."""
    net = on_grid(Hybrid(WRITTEN[name]))
    program = snncc.compile(net, input_shape=(2, 6, 6), steps=1, normalize=RAW, weight_bits=16)
    stairs = program.graph.select(MultiThreshold)
    assert len(stairs) == 2
    run = program.run(IMAGES)
    with torch.no_grad():
        wanted = net(torch.from_numpy(IMAGES.astype(np.float64))).numpy()
    np.testing.assert_allclose(run.logits, wanted, rtol=0, atol=1e-9)
    assert np.abs(wanted).max() > 0
    assert program.verify().level == "strict"


class Branches(nn.Module):
    """Two frames of a 3x3, a 1x1 and the value itself, each with a norm, then a ReLU."""

    def __init__(self, activation: nn.Module) -> None:
        super().__init__()
        self.wide, self.narrow = nn.Conv2d(2, 2, 3, padding=1), nn.Conv2d(2, 2, 1)
        self.norms = nn.ModuleList(nn.BatchNorm2d(2) for _ in range(3))
        self.entry, self.first, self.last = nn.Conv2d(2, 2, 1), activation, deepcopy(activation)
        self.head = nn.Linear(2 * 36, 3)

    def forward(self, x: Tensor) -> Tensor:
        x = self.first(self.entry(x))
        parts = zip((self.wide(x), self.narrow(x), x), self.norms, strict=True)
        return self.head(self.last(sum(norm(part) for part, norm in parts)).flatten(1))  # type: ignore[arg-type]


@pytest.mark.parametrize("activation", [nn.ReLU(), nn.ReLU6(), nn.Hardtanh(-2.0, 3.0)])
def test_real_activations_become_counts_when_asked_for(activation: nn.Module) -> None:
    net = Branches(activation).double().eval()
    given = {"input_shape": (2, 6, 6), "steps": 1, "normalize": RAW, "weight_bits": 16}
    with pytest.raises(SnnccError) as caught:
        snncc.compile(net, **given)  # type: ignore[arg-type]
    assert {finding.code for finding in caught.value.findings} == {"SNN021"}
    assert all("activation_bits" in (finding.help or "") for finding in caught.value.findings)
    with pytest.raises(SnnccError, match="needs images"):
        snncc.compile(net, **given, activation_bits=8)  # type: ignore[arg-type]
    with pytest.raises(SnnccError, match="SNN021") as caught:
        snncc.compile(net, **given, activation_bits={"first": 8}, calibrate=IMAGES)  # type: ignore[arg-type]
    assert len(caught.value.findings) == 1
    program = snncc.compile(net, **given, activation_bits={"*": 8, "first": 7}, calibrate=IMAGES)  # type: ignore[arg-type]
    levels = sorted((n.type.range or (0, 0)) for n in program.graph.select(MultiThreshold))
    assert sorted(high - low for low, high in levels)[0] in (126, 127)
    assert program.report["activation_bits"] == {"first": 7, "last": 8}
    assert any("ReLUs and clamps as counts" in note for note in program.notes)
    with torch.no_grad():
        wanted = net(torch.from_numpy(IMAGES.astype(np.float64))).numpy()
    found = program.run(IMAGES).logits
    assert np.abs(found - wanted).max() < 0.03 * np.abs(wanted).max()


def test_a_pattern_that_fits_nothing_is_refused() -> None:
    net = Branches(nn.ReLU()).double().eval()
    with pytest.raises(SnnccError, match="no activation of real numbers is called 'x'"):
        snncc.compile(
            net, input_shape=(2, 6, 6), steps=1, activation_bits={"x": 4}, calibrate=IMAGES
        )
    for bits in (0, 9):
        with pytest.raises(SnnccError, match=f"activations of {bits} bits"):
            snncc.compile(net, input_shape=(2, 6, 6), steps=1, activation_bits=bits)
