"""Tiny and huge numbers of --normalize: an error that comes of them names them."""

import numpy as np
import pytest
from spikingjelly.activation_based import layer, neuron
from torch import nn

import snncc

SHAPE = (1, 5, 5)
IMAGES = np.random.default_rng(0).integers(0, 256, (4, *SHAPE)).astype(np.uint8)


def network() -> nn.Module:
    net = nn.Sequential(
        *(layer.Conv2d(1, 3, 3, padding=1), neuron.IFNode()),
        *(layer.Flatten(), layer.Linear(75, 2)),
    )
    for module in net.modules():
        if hasattr(module, "step_mode"):
            module.step_mode = "m"
    return net.eval()


@pytest.mark.parametrize("encoding", ["bit-planes", "host"])
@pytest.mark.parametrize("images", [None, IMAGES])
@pytest.mark.parametrize(
    ("mean", "std"),
    [
        *((0.0, 5e-324), (0.0, 1e-300), (0.0, 1e300), (1e300, 1.0), (-1.7e308, 0.5)),
        *((1e30, 1.0), (1e15, 1.0), (1e10, 1.0), (0.5, 1e-300), (1e60, 1e-60)),
    ],
)
def test_what_comes_of_the_normalisation_names_it(
    mean: float, std: float, images: np.ndarray | None, encoding: str
) -> None:
    with pytest.raises(snncc.SnnccError) as caught:
        snncc.compile(
            network(),
            input_shape=SHAPE,
            steps=2,
            normalize=(mean, std),
            calibrate=images,
            encoding=encoding,
        )
    assert caught.value.code == "SNN001"
    assert caught.value.findings[0].message.startswith("normalize ")
    assert "mean and standard deviation of pixels / 255" in caught.value.findings[0].help


@pytest.mark.parametrize("std", [1e-30, 1e-8, 1.0, 1e8, 1e30])
def test_what_can_be_computed_is(std: float) -> None:
    program = snncc.compile(network(), input_shape=SHAPE, steps=2, normalize=(0.0, std))
    assert program.run(IMAGES).logits.shape == (4, 2)


def test_constants_of_the_model_are_not_blamed_on_it() -> None:
    net = network()
    net[0].bias.data.fill_(1e30)  # type: ignore[union-attr]
    with pytest.raises(snncc.SnnccError) as caught:
        snncc.compile(net, input_shape=SHAPE, steps=2, normalize=(0.3, 0.3))
    assert caught.value.code == "SNN033"
    assert "normalize" not in str(caught.value)
