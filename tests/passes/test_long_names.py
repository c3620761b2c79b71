"""Modules with names longer than nodes can have: shortened once, then kept by every pass."""

from typing import Any

import numpy as np
import pytest
from spikingjelly.activation_based import layer, neuron
from torch import nn
from zoo import ZOO, multi_step

import snncc
from snncc.ir.names import LONGEST_NAME, as_name, is_name

SHAPE = (2, 8, 8)


class Within(nn.Module):
    """A network as a module of another with a name of so many characters."""

    def __init__(self, net: nn.Module, length: int) -> None:
        super().__init__()
        self.called = "m" * length
        self.add_module(self.called, net)

    def forward(self, x: Any) -> Any:
        return getattr(self, self.called)(x)


def compiled(name: str, length: int, **options: Any) -> snncc.Program:
    net = ZOO[name]()
    return snncc.compile(
        Within(net, length).eval(), input_shape=SHAPE, steps=4, weight_bits=6, **options
    )


@pytest.mark.parametrize("name", sorted(ZOO))
def test_long_names_change_nothing_that_is_computed(name: str) -> None:
    plain = compiled(name, 1, decay="by-step")
    images = np.random.default_rng(0).integers(0, 256, (2, *SHAPE)).astype(np.uint8)
    wanted = plain.run(images).readout
    for length in (474, 900):
        long = compiled(name, length, decay="by-step")
        assert len(long.graph.nodes) == len(plain.graph.nodes)
        assert all(is_name(node.name) for node in long.graph.nodes)
        assert (long.run(images).readout == wanted).all()


def small() -> nn.Module:
    """What both profiles take."""
    parts = (
        *(layer.Conv2d(2, 3, 3, padding=1), layer.BatchNorm2d(3), neuron.IFNode()),
        *(layer.Conv2d(3, 3, 3, padding=1), layer.BatchNorm2d(3), neuron.LIFNode()),
        *(layer.Flatten(), layer.Linear(192, 4)),
    )
    return multi_step(nn.Sequential(*parts))


@pytest.mark.parametrize("length", [450, 466, 480, 481, 511, 512, 513, 5000])
@pytest.mark.parametrize("profile", ["exact", "loihi-lava"])
def test_every_length_compiles(length: int, profile: str) -> None:
    net = Within(small(), length).eval()
    program = snncc.compile(net, input_shape=SHAPE, steps=2, profile=profile)
    assert max(len(node.name) for node in program.graph.nodes) <= LONGEST_NAME


def test_a_name_is_its_own_nearest_name() -> None:
    for text in ("a" * 480, "a" * 512, "a" * 513, "a[0]", "\n", ""):
        assert as_name(as_name(text)) == as_name(text)
