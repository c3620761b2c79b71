"""Weights on a grid stay on it: the step is the unit, nothing is rounded, ties stay ties."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from grid_networks import (
    RAW,
    images_for,
    in_torch_order,
    network,
    spiking_of,
    torch_spikes,
)
from spikingjelly.activation_based import functional, layer, neuron
from torch import nn

from snncc.backends.lava_nc import registers
from snncc.backends.lava_nc.loihi.limits import loihi_findings
from snncc.backends.lava_nc.loihi.lowering import LowerToLoihi
from snncc.backends.lava_nc.loihi.units import choose_loihi_units
from snncc.compiler.options import CompileOptions
from snncc.ir import Graph
from snncc.ir.dialects.projections import Contract, Convolve
from snncc.ir.dialects.spiking import Population
from snncc.passes.pipeline import run_passes
from snncc.quantize.calibration import Rounded, round_plainly, round_with_images
from snncc.quantize.grids import (
    Numbers,
    common_step,
    far_apart,
    multiples_of,
    sample,
    simplest_between,
)
from snncc.quantize.lower_to_integers import LowerToIntegers
from snncc.quantize.rounding import lie_on
from snncc.runtime import ALL, interpret

NONE = np.zeros(0)


def step_of(
    weights: object, largest: int = 127, biases: object = (), thresholds: object = ()
) -> float | None:
    parts = (np.asarray(each, np.float64).reshape(-1) for each in (weights, biases, thresholds))
    return common_step(Numbers.of(*parts), largest)


@pytest.mark.parametrize("step", [1.0, 0.25, 0.1, 1 / 3, 0.0078431372, 1e-9, 3e7])
@pytest.mark.parametrize("largest", [1, 3, 7, 127, 2047])
@pytest.mark.parametrize("kind", [np.float64, np.float32])
def test_a_step_is_found_as_float32_holds_its_multiples(
    step: float, largest: int, kind: type
) -> None:
    rng = np.random.default_rng(largest)
    multiples = rng.integers(-largest, largest + 1, 200)
    multiples[:2] = largest, largest - 1 if largest > 1 else 1
    stored = (multiples.astype(kind) * kind(step)).astype(np.float64)
    found = step_of(stored, largest)
    assert found is not None
    assert found == pytest.approx(step, rel=2.0**-22)
    assert np.array_equal(multiples_of(found, stored), multiples)


def test_the_largest_step_is_taken() -> None:
    assert step_of([0.75, -0.75, 0.0]) == 0.75
    assert step_of([1.5, -1.0]) == 0.5
    assert step_of([1.5, -1.0], largest=2) is None
    assert step_of([1.5, -1.0], largest=3) == 0.5


def test_what_the_unit_counts_besides_narrows_the_step() -> None:
    assert step_of([0.75, -0.75], thresholds=[1.0]) == 0.25
    assert step_of([0.75, -0.75], biases=[0.5]) == 0.25
    assert step_of([0.75], largest=2, biases=[0.5]) is None


@pytest.mark.parametrize("bits", [2, 8, 12, 16, 20, 24, 28])
def test_real_weights_have_no_step(bits: int) -> None:
    rng = np.random.default_rng(bits)
    for _ in range(50):
        weights = rng.normal(size=50).astype(np.float32)
        assert step_of(weights, 2 ** (bits - 1) - 1) is None


def test_one_weight_off_the_grid_is_seen_among_many() -> None:
    weights = np.arange(1, 5000) % 128 * 0.25
    assert step_of(weights) == 0.25
    for place in (0, 1234, 4998):
        off = weights.copy()
        off[place] = 0.25 * (1.0 + 2.0**-20)
        assert step_of(off) is None


def test_a_threshold_must_fit_exactly_and_decides_among_float32_steps() -> None:
    """Of a step that float32 could not hold, a threshold of ten steps says what was meant."""
    stored = (np.arange(1, 8).astype(np.float32) * np.float32(0.1)).astype(np.float64)
    found = step_of(stored, thresholds=[1.0])
    assert found == 0.1
    assert step_of(stored, thresholds=[1.0, 0.5]) == pytest.approx(0.1, rel=2.0**-50)
    assert step_of(stored, thresholds=[1.0, 0.5 * (1.0 + 2.0**-30)]) is None


def test_what_float64_leaves_of_a_zero_is_one() -> None:
    assert step_of([0.75, 1e-17, -0.5]) == 0.25
    assert step_of([0.75, 1e-9, -0.5]) is None
    assert step_of([0.0, 0.0]) is None
    assert step_of([]) is None


@pytest.mark.parametrize("value", [1 / 3, 0.3, 355 / 113, 2.0, 7.000001, 1e-3])
def test_the_simplest_fraction_is_found(value: float) -> None:
    low, high = value * (1 - 1e-7), value * (1 + 1e-7)
    p, q = simplest_between(low, high)
    assert low <= p / q <= high
    for smaller in range(1, min(q, 2000)):
        assert math.floor(high * smaller) < low * smaller


def test_rows_that_lie_on_their_steps_are_taken_as_they_are() -> None:
    grid = np.array([[0.25], [0.25], [0.1], [0.25]])
    rows = np.array([[0.5, -0.75], [0.5, -0.7], [0.30000001192, 0.1], [40.0, 0.25]])
    assert lie_on(rows, grid, 127).tolist() == [True, False, True, False]


# Networks against torch in float64.


def lowered(spiking: Graph, bits: int | dict[str, int], rounded: Rounded) -> Graph:
    most = bits if isinstance(bits, int) else max(bits.values())
    return run_passes(spiking, [LowerToIntegers(rounded, most)])


def assert_same_spikes(program: Graph, net: nn.Module, images: np.ndarray, steps: int) -> int:
    """Every spike is torch's; how many there are."""
    wanted, _ = torch_spikes(net, images, steps, lambda x: x)
    found = interpret(program, images, ALL)
    for name, spikes in wanted.items():
        got = in_torch_order(program, name, found.spikes[name])
        assert np.array_equal(got != 0, spikes != 0), name
    return sum(int(spikes.sum()) for spikes in wanted.values())


def off_grid(spiking: Graph, rounded: Rounded) -> list[str]:
    """Populations whose current is rounded."""
    nodes = spiking.select(Population)
    return [n.name for n in nodes if n.inputs[0] not in rounded.units.on_grid]


@pytest.mark.parametrize("first", range(0, 40, 5))
def test_programs_spike_as_torch_does(first: int) -> None:
    """IF and LIF, hard and soft reset, two maps into one population, BatchNorm, steps by row."""
    kept = 0
    for seed in range(first, first + 5):
        rng = np.random.default_rng(seed)
        steps, bits = int(rng.integers(2, 6)), int(rng.choice([12, 16, 24]))
        net, images = network(seed, 3), images_for(seed, 4)
        spiking = spiking_of(net, steps, CompileOptions(normalize=RAW))
        rounded = (
            round_with_images(spiking, bits, images) if seed % 2 else round_plainly(spiking, bits)
        )
        if off_grid(spiking, rounded):
            continue
        kept += 1
        assert_same_spikes(lowered(spiking, bits, rounded), net, images, steps)
    assert kept >= 3


class Quantised(nn.Module):
    """As in the report of this fault: +-3 steps of 0.25, threshold 1."""

    def __init__(self, fire: nn.Module, kernel: int) -> None:
        super().__init__()
        rng = np.random.default_rng(0)

        def some(module: nn.Module) -> nn.Module:
            shape = tuple(module.weight.shape)
            module.weight.data = torch.from_numpy(rng.integers(-3, 4, shape) * 0.25)
            return module

        own = layer.Conv2d(2, 4, kernel, bias=False) if kernel else layer.Linear(50, 8, bias=False)
        self.flat = kernel == 0
        self.first, self.fire = some(own), fire
        size = 4 * (6 - kernel) ** 2 if kernel else 8
        self.second, self.fire2 = some(layer.Linear(size, 12, bias=False)), neuron.IFNode()
        self.head = some(layer.Linear(12, 5, bias=False))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.fire(self.first(x.flatten(2) if self.flat else x))
        return self.head(self.fire2(self.second(x.flatten(2)))).mean(0)


NEURONS = {
    "IF hard": lambda: neuron.IFNode(),
    "IF soft": lambda: neuron.IFNode(v_reset=None),
    "LIF hard": lambda: neuron.LIFNode(),
    "LIF soft": lambda: neuron.LIFNode(v_reset=None),
    "LIF of three quarters": lambda: neuron.LIFNode(tau=4.0, decay_input=False),
}


@pytest.mark.parametrize("kernel", [0, 3])
@pytest.mark.parametrize("name", NEURONS)
def test_small_integers_are_exact_at_every_width(name: str, kernel: int) -> None:
    net = Quantised(NEURONS[name](), kernel).double().eval()
    functional.set_step_mode(net, "m")
    images = images_for(1, 8)
    spiking = spiking_of(net, 4, CompileOptions(normalize=RAW))
    maps = [node.name for node in spiking.select(Contract, Convolve)]
    mixed = {each: 3 + 2 * i for i, each in enumerate(maps)}
    for bits in (3, 4, 7, 8, 24, mixed):
        for rounded in (
            round_plainly(spiking, bits),
            round_with_images(spiking, bits, images),
        ):
            assert off_grid(spiking, rounded) == []
            program = lowered(spiking, bits, rounded)
            assert assert_same_spikes(program, net, images, 4) > 100
            for each in maps:
                op = spiking[each].op
                assert isinstance(op, Contract | Convolve)
                real, whole = spiking.constants[op.weight.name], rounded.integers[each]
                assert np.array_equal(whole * rounded.units.grid(each).array, real)


@pytest.mark.parametrize(("name", "kernel"), [("IF hard", 0), ("IF hard", 3), ("LIF hard", 3)])
def test_small_integers_are_exact_on_loihi(name: str, kernel: int) -> None:
    """Where 24 bits hold every input and the bits that a leak shifts out."""
    net = Quantised(NEURONS[name](), kernel).double().eval()
    functional.set_step_mode(net, "m")
    images = images_for(1, 8)
    options = CompileOptions(normalize=RAW, profile=registers.PROFILE, encoding="host")
    spiking = spiking_of(net, 4, options)
    for rounded in (
        round_plainly(spiking, 8, choose_loihi_units),
        round_with_images(spiking, 8, images, choose=choose_loihi_units),
    ):
        program = run_passes(spiking, [LowerToLoihi(rounded)])
        assert_same_spikes(program, net, images, 4)
        assert loihi_findings(program) == ()


@pytest.mark.parametrize("weights", [[1.0, -1.0, 0.0, 1.0], [0.3, 0.3, -0.3, 0.3], [4, -2, 1, 8.0]])
@pytest.mark.parametrize("bits", [2, 5, 8, 24])
def test_one_magnitude_and_powers_of_two_stay_exact(weights: list[float], bits: int) -> None:
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.map, self.fire = layer.Linear(4, 3, bias=False), neuron.IFNode()
            self.map.weight.data = torch.tensor([weights, weights[::-1], [0.0] * 4])

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.fire(self.map(x.flatten(2))).mean(0)

    net = Net().eval()
    functional.set_step_mode(net, "m")
    spiking = spiking_of(net, 3, CompileOptions(normalize=RAW), (1, 2, 2))
    rounded = round_plainly(spiking, bits)
    spread = max(map(abs, weights)) / min(abs(w) for w in weights if w)
    (name,) = [n.name for n in spiking.select(Contract) if n.name.startswith("map")]
    if spread <= 2 ** (bits - 1) - 1:
        real = np.float32(weights).astype(np.float64)
        grid = rounded.units.grid(name).over(spiking[name].op.out)  # type: ignore[attr-defined]
        whole = rounded.integers[name][0].reshape(-1) * np.reshape(grid, -1)[0]
        np.testing.assert_allclose(whole, real, rtol=2.0**-22, atol=0)


def test_a_tie_of_a_step_that_float32_cannot_hold_is_met() -> None:
    """Steps of 0.1 and a threshold of 1: seven, two and one of them meet it."""
    b = replace(spiking_of(_tenths(), 2, CompileOptions(normalize=RAW), (1, 1, 4)))
    program = lowered(b, 8, round_plainly(b, 8))
    images = np.array([[7, 0, 0, 1], [0, 2, 0, 3], [9, 0, 0, 0], [10, 0, 0, 0], [0, 3, 1, 0]])
    spikes = interpret(program, images.reshape(-1, 1, 1, 4).astype(np.uint8), ALL).spikes["fire"]
    assert spikes[:, :1].reshape(-1).tolist() == [1, 1, 0, 1, 1]


def _tenths() -> nn.Module:
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.map, self.fire = layer.Linear(4, 1, bias=False), neuron.IFNode()
            self.map.weight.data = torch.tensor([[0.1, 0.2, 0.4, 0.3]])
            self.head = layer.Linear(1, 2)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.head(self.fire(self.map(x.flatten(2)))).mean(0)

    net = Net().eval()
    functional.set_step_mode(net, "m")
    return net


def test_rows_that_are_told_at_once_have_no_step() -> None:
    """What is said of many rows together is what is said of each."""
    rng = np.random.default_rng(5)
    told = 0
    for largest in (1, 7, 127):
        for width in (1, 5, 64, 130):
            rows = rng.normal(size=(40, width))
            rows[::3] = rng.integers(-largest, largest + 1, (14, width)) * 0.1
            rows[1::9] = 0.0
            rows[2, 0] = 1e-30
            apart = far_apart(rows, largest)
            told += int(apart.sum())
            for row, found in zip(rows, apart, strict=True):
                some = Numbers.of(sample(row), np.zeros(0), np.zeros(0))
                none = some.weights.size > 0 and common_step(some, largest) is None
                assert none or not found
    assert told > 100
