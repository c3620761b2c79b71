"""Spiking transformers of SpikingJelly's own code equal torch: every answer, at 24 bits."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from spikingjelly.activation_based import functional, layer, neuron
from spikingjelly.activation_based.layer.attention import QKAttention
from spikingjelly.activation_based.model.spike_driven_transformer import SpikeDrivenTransformer
from spikingjelly.activation_based.model.spikformer import Spikformer
from torch import nn

import snncc
from snncc.ir import Kind
from snncc.ir.dialects.gates import Gate
from snncc.ir.dialects.integer import IntegerPopulation
from snncc.ir.dialects.products import Product
from snncc.ir.dialects.sums import SumAlong
from snncc.mfi import Level, prove
from snncc.runtime import interpret
from snncc.runtime.simulator import Simulator

STEPS = 4


class AttendsToTokens(nn.Module):
    """QKFormer's attention, of tokens or of channels, between two layers."""

    def __init__(self, kind: str) -> None:
        super().__init__()
        self.stem = nn.Sequential(
            layer.Conv2d(3, 8, 3, stride=4), layer.BatchNorm2d(8), neuron.LIFNode()
        )
        self.attention = QKAttention(8, 2, kind)
        self.head = nn.Linear(8, 5)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.stem(x).flatten(3)
        return self.head((x + self.attention(x)).mean(3)).mean(0)


MODELS: dict[str, Callable[[], nn.Module]] = {
    "spikformer": lambda: Spikformer(
        T=STEPS, img_size_h=16, img_size_w=16, patch_size=4, num_classes=5, embed_dims=32,
        num_heads=2, depths=2,
    ),
    "spike-driven": lambda: SpikeDrivenTransformer(
        num_classes=5, embed_dims=16, num_heads=2, depths=1
    ),
    "tokens": lambda: AttendsToTokens("token"),
    "channels": lambda: AttendsToTokens("channel"),
}  # fmt: skip


def prepared(make: Callable[[], nn.Module], shape: tuple[int, int, int]) -> nn.Module:
    """Random weights, gains of both signs, and the norms that random images give."""
    torch.manual_seed(0)
    model = make()
    functional.set_step_mode(model, "m")
    norms = [m for m in model.modules() if isinstance(m, nn.BatchNorm1d | nn.BatchNorm2d)]
    for norm in norms:
        norm.momentum = 1.0
        norm.weight.data.uniform_(0.5, 2.0)
        norm.weight.data[::7] *= -1
        norm.bias.data.uniform_(0.0, 1.0)
    with torch.no_grad():
        model.train()(torch.rand(8, *shape).unsqueeze(0).repeat(STEPS, 1, 1, 1, 1))
    functional.reset_net(model)
    return model.eval()


@pytest.mark.parametrize("name", MODELS)
def test_the_programs_answers_are_torchs(name: str) -> None:
    size = 32 if name == "spike-driven" else 16
    shape = (3, size, size)
    model = prepared(MODELS[name], shape)
    program = snncc.compile(model, weight_bits=24, input_shape=shape, steps=STEPS)
    images = np.random.default_rng(3).integers(0, 256, (6, *shape), dtype=np.uint8)
    double = model.double()
    functional.reset_net(double)
    given = torch.from_numpy(images).double() / 255
    with torch.no_grad():
        wanted = double(given.unsqueeze(0).repeat(STEPS, 1, 1, 1, 1)).numpy()
    wanted = wanted.mean(0) if wanted.ndim == 3 else wanted
    run, whole = program.run(images), Simulator(program.graph).run(images)
    for node in program.graph.select(IntegerPopulation):
        assert whole.spike_counts[node.name] > 0, node.name
    assert np.ptp(wanted, axis=0).max() > 0.005  # the answers depend on the images
    assert np.allclose(run.logits, wanted, atol=1e-6), np.abs(run.logits - wanted).max()
    assert np.array_equal(interpret(program.graph, images[:2]).logits, run.logits[:2])
    assert prove(program.graph).level is Level.STRICT
    products = program.graph.select(Product)
    assert len(products) == (4 if name == "spikformer" else 0)
    assert all(node.type.kind is Kind.COUNT for node in products)
    if name == "spike-driven":
        assert program.graph.select(SumAlong)
    if name != "spikformer":
        assert program.graph.select(Gate)
