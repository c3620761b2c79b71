"""Max pooling in models: answers are those of the model in float64, or it is refused by name."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from spikingjelly.activation_based import functional, layer, neuron
from torch import nn

import snncc
from snncc.diagnostics import SnnccError

STEPS, SHAPE = 4, (2, 14, 13)
IF, LIF = neuron.IFNode, neuron.LIFNode


def conv(have: int, made: int, norm: bool = True) -> list[nn.Module]:
    parts: list[nn.Module] = [layer.Conv2d(have, made, 3, padding=1, bias=not norm)]
    return [*parts, layer.BatchNorm2d(made)] if norm else parts


def head(features: int) -> list[nn.Module]:
    return [layer.Flatten(), layer.Linear(features, 7)]


class Middle(nn.Module):
    """Pools in plain functions, over a batch of all steps at once."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.last = nn.Sequential(*conv(2, 6), LIF()), nn.Linear(6, 7)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        spikes = self.first(x)
        pooled = nn.functional.adaptive_max_pool2d(spikes.flatten(0, 1), (7, 13))
        whole = nn.functional.max_pool2d(pooled, (7, 13), ceil_mode=True)
        return self.last(whole.flatten(1).unflatten(0, x.shape[:2]))


MODELS: dict[str, Callable[[], nn.Module]] = {
    "spikes": lambda: nn.Sequential(
        *conv(2, 6), IF(), layer.MaxPool2d(2), *conv(6, 5), LIF(),
        layer.MaxPool2d(3, 2, 1, ceil_mode=True), *head(5 * 4 * 4),
    ),
    "currents": lambda: nn.Sequential(
        *conv(2, 6), layer.MaxPool2d(2), IF(), *conv(6, 5), layer.MaxPool2d(3, 2, 1), LIF(),
        *head(5 * 4 * 3),
    ),
    "before the norm": lambda: nn.Sequential(
        *conv(2, 6, False), layer.MaxPool2d(3, 1, 1), layer.BatchNorm2d(6), IF(),
        *conv(6, 4, False), layer.MaxPool2d((2, 1)), layer.BatchNorm2d(4), IF(), *head(4 * 7 * 13),
    ),
    "two after each other": lambda: nn.Sequential(
        *conv(2, 6), layer.MaxPool2d(2), layer.MaxPool2d(3, 1, 1), IF(), layer.MaxPool2d(2, 1),
        layer.MaxPool2d((1, 2), dilation=(1, 2)), *head(6 * 6 * 2),
    ),
    "functions": Middle,
    "sums of spikes": lambda: OfSums(),
}  # fmt: skip


def made(name: str, seed: int) -> nn.Module:
    """A model with norms of both signs, loud enough to spike."""
    torch.manual_seed(seed)
    model = MODELS[name]()
    functional.set_step_mode(model, "m")
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            for value, low, high in (
                (module.running_mean, -0.2, 0.2), (module.running_var, 0.3, 1.0),
                (module.weight.data, -0.5, 2.0), (module.bias.data, -0.1, 0.5),
            ):  # fmt: skip
                assert value is not None
                value.uniform_(low, high)
        elif isinstance(module, nn.Conv2d | nn.Linear):
            module.weight.data.mul_(2)
    return model.eval()


@pytest.mark.parametrize("normal", [(0.0, 1.0), (0.3, 0.4)], ids=["plain", "normalised"])
@pytest.mark.parametrize("name", MODELS)
def test_answers_are_those_of_the_model(name: str, normal: tuple[float, float]) -> None:
    model, (mean, std) = made(name, 5), normal
    images = np.random.default_rng(3).integers(0, 256, (6, *SHAPE)).astype(np.uint8)
    program = snncc.compile(
        model, input_shape=SHAPE, steps=STEPS, weight_bits=24, normalize=((mean,), (std,))
    )
    result = program.run(images)
    functional.reset_net(model)
    given = (torch.tensor(images, dtype=torch.float64) / 255 - mean) / std
    with torch.no_grad():
        wanted = model.double()(given[None].repeat(STEPS, 1, 1, 1, 1)).mean(0).numpy()
    assert np.abs(result.logits - wanted).max() < 1e-4
    assert all(0.01 < rate < 0.95 for rate in result.spike_rates.values())
    assert wanted.std(axis=0).max() > 1e-3


class OnTheImage(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.rest = nn.Sequential(*conv(2, 4), IF(), *head(4 * 7 * 6))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.rest(nn.functional.max_pool2d(x.flatten(0, 1), 2).unflatten(0, x.shape[:2]))


class OfSums(nn.Module):
    """Spikes are added, the largest sum is taken, a convolution reads it."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.b = nn.Sequential(*conv(2, 4), IF()), nn.Sequential(*conv(2, 4), IF())
        self.rest = nn.Sequential(layer.MaxPool2d(2), *conv(4, 4), IF(), *head(4 * 7 * 6))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.rest(self.a(x) + self.b(x))


class WithPlaces(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first, self.last = nn.Sequential(*conv(2, 4), IF()), nn.Linear(4 * 7 * 6, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y, _ = nn.functional.max_pool2d(self.first(x).flatten(0, 1), 2, return_indices=True)
        return self.last(y.flatten(1).unflatten(0, x.shape[:2]))


@pytest.mark.parametrize(
    ("model", "code", "said"),
    [
        (OnTheImage, "SNN021", "a maximum reads the image, before any layer"),
        (WithPlaces, "SNN021", "max_pool2d"),
    ],
)
def test_what_has_no_form_is_refused_by_name(
    model: Callable[[], nn.Module], code: str, said: str
) -> None:
    network = model()
    functional.set_step_mode(network, "m")
    with pytest.raises(SnnccError, match=said) as caught:
        snncc.compile(network.eval(), input_shape=SHAPE, steps=STEPS)
    assert caught.value.code == code
