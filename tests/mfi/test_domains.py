"""The domains that verdicts rest on: what a value can be, and what a product of two costs."""

import numpy as np
import pytest
import torch
from random_networks import random_images, random_network
from test_verdicts import compiled, traced
from verdict_zoo import ZOO, make

from snncc.frontends.torch_recorder.recorder import Recorder
from snncc.frontends.torch_recorder.steps import Value
from snncc.ir.dialects.traced import Foreign
from snncc.mfi import Domain, Level, Values, domains_of
from snncc.mfi.models.domains import BIT, affine, current, integers, mapped, product, real
from snncc.mfi.models.foreign_functions import FUNCTIONS, judge
from snncc.mfi.models.foreign_products import Operands
from snncc.semantics.spiking import run_spiking
from snncc.semantics.traced import run_traced

STRICT, _, BIT_SERIAL, NONE = Level


def inside(values: np.ndarray, domain: Domain, tolerance: float = 1e-9) -> bool:
    slack = tolerance * max(1.0, float(np.abs(values).max(initial=0.0)))
    within = values.min() >= domain.low - slack and values.max() <= domain.high + slack
    if not domain.discrete:
        return bool(within)
    steps = values / domain.step
    return bool(within and np.abs(steps - np.round(steps)).max() < 1e-6)


@pytest.mark.parametrize("seed", range(25))
def test_values_of_random_networks_lie_within_their_domains(seed: int) -> None:
    graph = random_network(seed)
    images = random_images(graph, seed, 6)
    inputs = np.repeat(images[:, None] / 255.0, graph.steps, axis=1)
    domains = domains_of(graph)
    for name, values in run_traced(graph, inputs).items():
        assert inside(values, domains[name]), (name, domains[name])
    spiking, integer = compiled(graph)
    domains = domains_of(spiking)
    for name, values in run_spiking(spiking, images).items():
        assert inside(values, domains[name]), (name, domains[name])
    for name, domain in domains_of(integer).items():
        bounds = integer[name].type.range
        assert bounds is None or domain.values is Values.BIT or bounds == (domain.low, domain.high)


@pytest.mark.parametrize("name", ZOO)
def test_every_recorded_tensor_lies_within_its_domain(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also those of functions that no pass lowers: what torch computed is held against them."""
    recorded: list[tuple[str, torch.Tensor]] = []
    bind = Recorder.bind

    def spy(self: Recorder, tensor: torch.Tensor, value: Value) -> None:
        recorded.append((value.step, tensor.detach().double().clone()))
        bind(self, tensor, value)

    monkeypatch.setattr(Recorder, "bind", spy)
    graph = traced(make(name)).graph
    domains = domains_of(graph, (-8.0, 8.0))
    checked = 0
    for step, tensor in recorded:
        if step in domains:
            assert inside(tensor.numpy(), domains[step]), (step, domains[step])
            checked += 1
    assert checked > 15
    assert any(domain.values is not Values.REAL for domain in domains.values())


def test_padding_and_normalisation_count_in_intervals() -> None:
    rows, none = np.array([[1.0, 1.0], [2.0, -1.0]]), np.zeros(1)
    inner = mapped(current(1.0, 2.0), rows, none)
    assert (inner.low, inner.high) == (0.0, 4.0)
    border = mapped(current(1.0, 2.0), rows, none, padded=True)
    assert (border.low, border.high) == (-2.0, 4.0)
    assert mapped(BIT, np.full((3, 4), 0.25), none) == integers(0, 1, 0.25)
    assert mapped(BIT, np.full((3, 4), 0.25), np.ones(1)).values is Values.CURRENT
    assert mapped(real(0, 1), rows, none).values is Values.REAL


def operands(function: str, *domains: Domain, terms: int = 1) -> Operands:
    return Operands(Foreign(function, (), (), terms), domains, (False,) * len(domains))


COUNT, CURRENT, REAL = integers(0, 3), current(-2.5, 4.0), real(-1.0, 1.0)


@pytest.mark.parametrize(
    ("left", "right", "level"),
    [
        (BIT, BIT, STRICT),
        (BIT, COUNT, STRICT),
        (integers(-1, 1), CURRENT, STRICT),
        (BIT, REAL, STRICT),
        (COUNT, COUNT, BIT_SERIAL),
        (COUNT, CURRENT, BIT_SERIAL),
        (COUNT, integers(-4, 4, 0.25), BIT_SERIAL),
        (CURRENT, CURRENT, NONE),
        (REAL, CURRENT, NONE),
        (REAL, REAL, NONE),
    ],
)
def test_a_product_is_as_dear_as_its_operands(left: Domain, right: Domain, level: Level) -> None:
    for function, terms in (("mul: of two", 1), ("matmul", 6)):
        for pair in ((left, right), (right, left)):
            result, need = judge(operands(function, *pair, terms=terms))
            assert need.level is level
            assert result == product(*pair, terms)
            assert ("multiply" in need.arithmetic) is (level is NONE)


ELEMENTWISE = {
    **{n: (1, CURRENT) for n in ("relu", "sigmoid", "tanh", "gelu", "silu", "softplus", "exp")},
    **{n: (1, COUNT) for n in ("relu", "abs", "round", "sign", "zeros_like", "square")},
    **{n: (2, CURRENT) for n in ("mul", "sub", "maximum", "minimum", "ge", "lt", "add")},
    **{f"{n} ": (2, BIT) for n in ("mul", "sub", "maximum", "minimum", "ge", "logical_and", "eq")},
    **{f"{n} ": (1, integers(-3, 2)) for n in ("relu", "abs", "square", "sign", "floor")},
}


@pytest.mark.parametrize("name", ELEMENTWISE)
def test_functions_stay_within_their_domains(name: str) -> None:
    number, domain = ELEMENTWISE[name]
    name = name.strip()
    rng = np.random.default_rng(0)
    draws = [rng.uniform(domain.low, domain.high, 500) for _ in range(number)]
    if domain.discrete:
        draws = [np.round(x / domain.step) * domain.step for x in draws]
    function = getattr(torch, name, None) or getattr(torch.nn.functional, name)
    result, _ = judge(operands(name, *[domain] * number))
    values = function(*map(torch.from_numpy, draws)).double().numpy()
    assert inside(values, result), (name, result, values.min(), values.max())


def test_an_unknown_function_is_none() -> None:
    result, need = judge(operands("something_new", BIT))
    assert need.level is NONE
    assert need.arithmetic == ("unknown",)
    assert result.values is Values.REAL
    assert "something_new" not in FUNCTIONS


def test_affine_images_of_bits_keep_their_names() -> None:
    def image(scale: float, offset: float) -> Domain:
        return affine(BIT, np.array([scale]), np.array([offset]))

    assert image(-1.0, 1.0) == BIT
    assert str(image(2.0, -1.0)) == "ternary"
    assert str(image(-1.0, 0.0)) == "ternary"
    assert str(image(0.5, 0.0)) == "count 0..1 x 0.5"
    assert image(0.5, 0.0).binary
    assert image(0.3, 0.2).values is Values.CURRENT
    assert affine(BIT, np.array([0.5, 0.25]), np.zeros(1)).values is Values.CURRENT
