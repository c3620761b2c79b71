"""Spiking attention as models write it, against torch: every grouping, scale and order."""

import math
from collections.abc import Callable

import numpy as np
import pytest
import torch
from spikingjelly.activation_based import functional, layer, neuron
from torch import nn

import snncc
from snncc.compiler.model_verdict import judge_model
from snncc.diagnostics import SnnccError
from snncc.frontends.torch_recorder import trace_model
from snncc.ir import Graph, Kind
from snncc.ir.dialects.integer import IntegerPopulation
from snncc.ir.dialects.moves import Take
from snncc.ir.dialects.products import Product
from snncc.ir.dialects.projections import Contract
from snncc.mfi import Level, prove
from snncc.runtime.simulator import Simulator

Form = Callable[[torch.Tensor, torch.Tensor, torch.Tensor], torch.Tensor]
STEPS, SHAPE = 4, (2, 8, 8)


class Attends(nn.Module):
    """Tokens of a small image attend to each other; q, k, v are [T, N, heads, tokens, width]."""

    def __init__(
        self, form: Form, tau: float = 2.0, width: int = 4, residual: bool = False
    ) -> None:
        super().__init__()
        self.form, self.heads, self.width, self.residual = form, 2, width, residual
        channels = self.heads * width
        self.stem = nn.Sequential(
            layer.Conv2d(2, channels, 3, stride=2, padding=1), neuron.LIFNode(v_threshold=0.3)
        )
        self.maps = nn.ModuleList(nn.Linear(channels, channels) for _ in range(3))
        self.lifs = nn.ModuleList(neuron.LIFNode(v_threshold=0.2) for _ in range(3))
        self.attn = neuron.LIFNode(tau=tau, v_threshold=0.125)
        self.proj, self.last = nn.Linear(channels, channels), neuron.LIFNode(v_threshold=0.2)
        self.head = nn.Linear(channels, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.stem(x).flatten(3).transpose(-1, -2)
        t, n, tokens, channels = x.shape
        q, k, v = (
            lif(each(x)).reshape(t, n, tokens, self.heads, self.width).transpose(2, 3)
            for each, lif in zip(self.maps, self.lifs, strict=True)
        )
        made = self.attn(self.form(q, k, v)).transpose(2, 3).reshape(t, n, tokens, channels)
        made = self.last(self.proj(made))
        return self.head((x + made if self.residual else made).mean(2)).mean(0)


def made(form: Form, kind: type[Attends] = Attends, **options: object) -> Attends:
    torch.manual_seed(5)
    model = kind(form, **options)  # type: ignore[arg-type]
    functional.set_step_mode(model, "m")
    for module in model.modules():
        if isinstance(module, nn.Linear | nn.Conv2d):
            module.weight.data.mul_(2)
    return model.eval()


def compiled_and_answered(model: nn.Module, bits: int = 24) -> tuple[snncc.Program, np.ndarray]:
    """The program and torch's answers in float64, after both were run on the same images."""
    program = snncc.compile(model, weight_bits=bits, input_shape=SHAPE, steps=STEPS)
    images = np.random.default_rng(3).integers(0, 256, (12, *SHAPE), dtype=np.uint8)
    double = model.double()
    functional.reset_net(double)
    given = torch.from_numpy(images).double() / 255
    with torch.no_grad():
        wanted = double(given.unsqueeze(0).repeat(STEPS, 1, 1, 1, 1)).numpy()
    got = program.run(images).logits
    assert np.ptp(wanted, axis=0).max() > 0.01  # the answers depend on the images
    assert np.allclose(got, wanted, atol=1e-4), np.abs(got - wanted).max()
    run = Simulator(program.graph).run(images)
    updates = len(images) * STEPS
    for node in program.graph.select(IntegerPopulation):
        assert 0.02 < run.spike_counts[node.name] / (updates * node.type.neurons) < 0.98, node.name
    return program, images


FORMS: dict[str, Form] = {
    "scores first": lambda q, k, v: (q @ k.transpose(-2, -1)) @ v * 0.125,
    "scaled scores": lambda q, k, v: ((q @ k.transpose(-2, -1)) * 0.25) @ v,
    "memory first": lambda q, k, v: q @ (k.transpose(-2, -1) @ v) * 0.125,
    "matmul": lambda q, k, v: torch.matmul(q, torch.matmul(k.mT, v)) * 0.125,
    "transposed": lambda q, k, v: ((v.mT @ k) @ q.mT * 0.125).mT,
    "einsum": lambda q, k, v: (
        torch.einsum("tbhnm,tbhmd->tbhnd", torch.einsum("tbhnd,tbhmd->tbhnm", q, k), v) * 0.125
    ),
    "einsum of k and v": lambda q, k, v: (
        torch.einsum("tbhnd,tbhde->tbhne", q, torch.einsum("tbhnd,tbhne->tbhde", k, v)) * 0.125
    ),
    "bmm": lambda q, k, v: (
        torch.bmm(torch.bmm(q.flatten(0, 2), k.flatten(0, 2).mT), v.flatten(0, 2)).reshape(q.shape)
        * 0.125
    ),
    "not keys": lambda q, k, v: q @ ((1.0 - k.mT) @ v) * 0.0625,
    "a current of keys": lambda q, k, v: q @ ((1.0 - k).mT @ v) * 0.0625,
    "sum of products": lambda q, k, v: (k * v).sum(-2, keepdim=True) * 0.25 + q,
    "mask of sums": lambda q, k, v: q.sum(-1, keepdim=True) * 0.25 + 0 * (k + v),
    "scores of themselves": lambda q, k, v: ((q @ q.mT) @ q) * 0.125 + 0 * (k + v),
}


@pytest.mark.parametrize("name", FORMS)
def test_attention_is_torchs(name: str) -> None:
    program, _ = compiled_and_answered(made(FORMS[name]))
    products = program.graph.select(Product)
    assert len(products) == (0 if name in ("sum of products", "mask of sums") else 2)
    counts = all(node.type.kind is Kind.COUNT for node in products)
    assert counts == (name != "a current of keys")
    assert prove(program.graph).level is Level.STRICT


@pytest.mark.parametrize("width", [4, 16])
def test_equal_lengths_and_residuals(width: int) -> None:
    """16 tokens of 16 elements: names alone tell rows from columns."""
    compiled_and_answered(made(FORMS["scores first"], width=width, residual=True))


@pytest.mark.parametrize("scale", [0.3, 1 / math.sqrt(48), 1.0])
@pytest.mark.parametrize("bits", [8, 24])
def test_any_scale_is_a_threshold(scale: float, bits: int) -> None:
    program = snncc.compile(
        made(lambda q, k, v: (q @ k.mT) @ v * scale),
        weight_bits=bits, input_shape=SHAPE, steps=STEPS,
    )  # fmt: skip
    assert prove(program.graph).level is Level.STRICT
    if bits == 24:
        compiled_and_answered(made(lambda q, k, v: (q @ k.mT) @ v * scale))


class Direct(Attends):
    """Attention whose counts a linear layer reads, without a neuron between."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.stem(x).flatten(3).transpose(-1, -2)
        t, n, tokens, channels = x.shape
        q, k, v = (
            lif(each(x)).reshape(t, n, tokens, self.heads, self.width).transpose(2, 3)
            for each, lif in zip(self.maps, self.lifs, strict=True)
        )
        made = self.form(q, k, v).transpose(2, 3).reshape(t, n, tokens, channels)
        return self.head(self.last(self.proj(made)).mean(2)).mean(0)


def test_a_map_reads_counts_bit_by_bit() -> None:
    model = made(FORMS["memory first"], kind=Direct)
    graph = compiled_and_answered(model)[0].graph
    assert not graph.select(Take)  # names of axes that no value needs are given up
    (counts,) = (n for n in graph.select(Contract) if graph[n.inputs[0]].type.kind is Kind.COUNT)
    assert counts.type.size("f3") == 8
    reasons = {op.name: op.need.reason for op in judge_model(traced(model)).verdict.ops}
    assert "counts, each bit of which selects weights" in reasons["proj"]


def traced(model: nn.Module) -> Graph:
    functional.reset_net(model)
    return trace_model(model.float(), SHAPE, STEPS).graph


REFUSED: dict[str, tuple[Form, str]] = {
    "counts by counts": (
        lambda q, k, v: ((q @ k.mT) @ (k @ v.mT)) @ v, "it adds up products of two values of which"
    ),
    "over other steps": (
        lambda q, k, v: torch.einsum("tbhnd,sbhnd->tbhnd", q, k) + 0 * v, "no sum of products"
    ),
    "over steps": (
        lambda q, k, v: torch.einsum("tbhnd,tbhnd->bhnd", q, k) + v, "it mixes time steps"
    ),
    "over images": (
        lambda q, k, v: torch.einsum("tbhnd,tchnd->tbhnd", q, k) + 0 * v, "no sum of products"
    ),
    "from image to image": (
        lambda q, k, v: torch.einsum("tbhnd,tchnd->tbchn", q, k).sum(2)[..., None] * v, "the images"
    ),
    "three values": (
        lambda q, k, v: torch.einsum("tbhnd,tbhne,tbhne->tbhnd", q, k, v), ""
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_no_sum_of_selections_is_refused_with_its_reason(name: str) -> None:
    form, why = REFUSED[name]
    model = made(form)
    with pytest.raises(SnnccError) as error:
        snncc.compile(model, input_shape=SHAPE, steps=STEPS)
    first = error.value.findings[0]
    assert why in first.why
    assert first.why
    assert first.help
    assert first.loc is not None
