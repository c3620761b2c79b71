"""Logic of spikes as people write it, and products of one number each, against the model."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from certificates import certificate_of, file_of
from generators.executors import tried
from spikingjelly.activation_based import neuron
from torch import nn

import snncc
from snncc.checker.certificate import check
from snncc.diagnostics import SnnccError
from snncc.frontends.torch_recorder.precision import in_double
from snncc.ir import Graph, GraphBuilder, verify
from snncc.ir.dialects.integer import IntegerPopulation, IntegerReadout
from snncc.ir.dialects.products import Product
from snncc.ir.dialects.projections import Contract, Frames
from snncc.runtime.simulator import Simulator

STEPS, TOKENS, WIDTH = 5, 3, 4
Rule = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]
LOGIC: dict[str, list[Rule]] = {
    "one of two": [
        lambda a, b: a != b,
        lambda a, b: a.bool() ^ b.bool(),
        lambda a, b: torch.logical_xor(a, b),
        lambda a, b: (a - b).abs(),
        lambda a, b: torch.square(b - a),
        lambda a, b: (a - b) ** 2,
        lambda a, b: a == b,
    ],
    "gates": [
        lambda a, b: a.bool() & ~b.bool(),
        lambda a, b: torch.logical_and(a, b),
        lambda a, b: a.bool() | b.bool(),
        lambda a, b: torch.maximum(a, b),
        lambda a, b: torch.minimum(a, b),
        lambda a, b: torch.where(a.bool(), b, a),
        lambda a, b: torch.where(a != 0, b, 0.0),
        lambda a, b: torch.where(b == 0, a, b),
    ],
    "with a constant": [
        lambda a, b: torch.logical_not(a),
        lambda a, b: (a > 0).to(b.dtype) * b,
        lambda a, b: (a < 1).to(b.dtype) * b,
        lambda a, b: (a >= 0.5).to(b.dtype) + b,
        lambda a, b: (a - b) ** 3,
        lambda a, b: a**2 - b,
    ],
}
OUTER: list[Rule] = [
    lambda a, b: (a.unsqueeze(-1) @ b.unsqueeze(-2)).sum(-1),
    lambda a, b: ((1 - a).unsqueeze(-1) @ b.unsqueeze(-2)).sum(-1),
    lambda a, b: _heads(_heads(a) @ _heads(b).transpose(-1, -2) @ _heads(b)),
    lambda a, b: torch.einsum("tbnci,tbnid->tbncd", a.unsqueeze(-1), b.unsqueeze(-2)).sum(-2),
]


def _heads(x: torch.Tensor) -> torch.Tensor:
    """[T, B, N, C] as C heads of one number each, and back."""
    if x.dim() == 4:
        return x.unsqueeze(-1).permute(0, 1, 3, 2, 4)
    return x.permute(0, 1, 3, 2, 4).squeeze(-1)


class Rules(nn.Module):
    """Two populations, what the rules make of their spikes, and neurons that read all of it."""

    def __init__(self, rules: list[Rule]) -> None:
        super().__init__()
        torch.manual_seed(2)
        self.rules = rules
        width = WIDTH * len(rules)
        self.one, self.two = nn.Linear(WIDTH, WIDTH), nn.Linear(WIDTH, WIDTH)
        self.a, self.b = (neuron.IFNode(step_mode="m") for _ in range(2))
        self.read, self.last = nn.Linear(width, width), neuron.IFNode(step_mode="m")
        self.out = nn.Linear(width, 5)
        for layer in (self.one, self.two, self.read):  # whole sixteenths: nothing is rounded
            layer.weight.data = torch.randint(-8, 16, layer.weight.shape) / 16.0
            layer.bias.data = torch.randint(1, 5, layer.bias.shape) / 16.0

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        a, b = self.a(self.one(x)), self.b(self.two(x))
        made = [rule(a, b).to(a.dtype) for rule in self.rules]
        return self.out(self.last(self.read(torch.cat(made, -1)))).mean(-2)


@pytest.mark.parametrize("name", [*LOGIC, "outer products"])
def test_logic_gives_what_the_model_gives(name: str) -> None:
    model = Rules(OUTER if name == "outer products" else LOGIC[name]).eval()
    program = snncc.compile(model, input_shape=(TOKENS, WIDTH), steps=STEPS, weight_bits=24)
    images = np.random.default_rng(1).integers(0, 256, (8, TOKENS, WIDTH), dtype=np.uint8)
    for module in model.modules():
        if hasattr(module, "reset"):
            module.reset()
    with in_double(), torch.no_grad():
        x = torch.from_numpy(images).double() / 255
        wanted = model.double()(torch.stack([x] * STEPS)).mean(0).numpy()
    found = program.run(images)
    assert np.ptp(wanted) > 0.1
    np.testing.assert_allclose(found.logits, wanted, atol=1e-5)
    assert np.array_equal(found.logits, program.run(images, executor="interpreter").logits)
    assert program.verify().level == "strict"


@pytest.mark.parametrize(
    "rule",
    [
        lambda a, b: a.bool() + b.bool(),
        lambda a, b: (2 * a).bool(),
        lambda a, b: (a + b) != b,
        lambda a, b: torch.where(a + b > 1, a, b),
        lambda a, b: torch.where(a.bool(), b, 2.0),
        lambda a, b: (a + b).abs(),
    ],
)
def test_logic_of_what_is_no_bit_is_refused(rule: Rule) -> None:
    with pytest.raises(SnnccError) as caught:
        snncc.compile(Rules([rule]).eval(), input_shape=(TOKENS, WIDTH), steps=STEPS)
    assert {finding.code for finding in caught.value.findings} <= {"SNN021", "SNN029"}


def outer(inverted: bool) -> Graph:
    """Spikes of one population select numbers of another, of which they share an axis or none."""
    rng = np.random.default_rng(4)
    b = GraphBuilder("integer", STEPS, "exact")
    image = b.add(Frames(("f",), (6,)), name="image")

    def population(name: str, axes: tuple[str, ...], sizes: tuple[int, ...]) -> str:
        weight = b.constant(f"{name}.w", rng.integers(-4, 9, (*sizes, 6)), (*axes, "f"))
        current = b.add(Contract(weight, ("f",), axes), [image], name=f"{name}.current")
        level = b.constant(f"{name}.k", np.array(900))
        op = IntegerPopulation(level, decay=(1, 1))
        reached = op.membrane_range(b[current].type, b.context)
        op = IntegerPopulation(level, decay=(1, 1), membrane=reached)
        return b.add(op, [current], name=name)

    rows, columns = (
        population("rows", ("h", "n"), (2, 3)),
        population("columns", ("h", "m"), (2, 4)),
    )
    bits = b.add(Product((), inverted), [rows, columns], name="bits")
    weight = b.constant("up", rng.integers(-3, 4, (5, 2, 3, 4)), ("k", "h", "n", "m"))
    current = b.add(Contract(weight, ("h", "n", "m"), ("k",)), [bits], name="up")
    chosen = b.add(Product((), inverted), [rows, current], name="chosen")
    graph = b.finish(b.add(IntegerReadout(), [chosen], name="readout"))
    verify(graph)
    return graph


@pytest.mark.parametrize("inverted", [False, True])
def test_outer_products_are_the_same_in_every_executor(inverted: bool, tmp_path: Path) -> None:
    graph = outer(inverted)
    images = np.random.default_rng(5).integers(0, 256, (6, 6), dtype=np.uint8)
    assert tried(graph, images, 1).differences == ()
    program = file_of(graph, tmp_path)
    check(program, certificate_of(graph, program))
    assert np.ptp(Simulator(graph).run(images).readout) > 0
