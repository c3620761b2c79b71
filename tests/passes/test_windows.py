"""Padding as a word, pooling, and maps without a neuron between: each spike is torch's."""

from itertools import product

import numpy as np
import pytest
import torch
from exact_models import conv, on_grid, same_spikes, sequence
from spikingjelly.activation_based import functional, layer, neuron
from torch import nn

from snncc.compiler.folding import spiking_passes
from snncc.compiler.options import CompileOptions
from snncc.diagnostics import SnnccError
from snncc.frontends.torch_recorder import trace_model
from snncc.ir.dialects.projections import Contract, Convolve
from snncc.passes.pipeline import run_passes

SIDE = 8
SHAPE = (2, SIDE, SIDE)


def fires(level: float = 3.0) -> nn.Module:
    return neuron.IFNode(v_threshold=level)


def stem(channels: int = 4) -> tuple[nn.Module, nn.Module]:
    return conv(2, channels, padding=1), fires()


def features(*parts: nn.Module) -> nn.Module:
    """A stem, what is tested, and a readout of whatever comes out of it."""
    start = [*stem(), *parts]
    probe = sequence(*start)
    with torch.no_grad():
        out = probe(torch.zeros(4, 1, *SHAPE, dtype=torch.float64))
    functional.reset_net(probe)
    return sequence(*start, layer.Flatten(), layer.Linear(out[0, 0].numel(), 5))


# Padding as a word.


EVEN = pytest.mark.filterwarnings("ignore:Using padding='same':UserWarning")


@EVEN
@pytest.mark.parametrize("padding", ["same", "valid"])
def test_padding_as_a_word(padding: str) -> None:
    for kernel, dilation, groups in product((1, 2, 3, 4, (2, 3)), (1, 2), (1, 2)):
        options = {"padding": padding, "dilation": dilation, "groups": groups}
        same_spikes(features(conv(4, 4, kernel, **options), fires()), SHAPE)


@EVEN
def test_padding_as_a_word_with_an_odd_sum_and_dilation() -> None:
    """Two taps three apart: three pixels of padding, two of them behind."""
    same_spikes(features(conv(4, 4, (2, 3), padding="same", dilation=(3, 1)), fires()), SHAPE)


class Rows(nn.Module):
    """One-dimensional convolutions with kernels of one element."""

    def __init__(self, **options: object) -> None:
        super().__init__()
        self.first = layer.Conv1d(2, 4, 1, **options)  # type: ignore[arg-type]
        self.neurons = neuron.LIFNode(tau=2.0, v_threshold=0.125)
        self.head = layer.Linear(4 * SIDE, 5)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.neurons(self.first(x)).flatten(2))


@pytest.mark.parametrize("padding", [0, "same", "valid"])
@pytest.mark.parametrize("groups", [1, 2])
def test_one_dimensional_kernels_of_one_element(padding: str | int, groups: int) -> None:
    same_spikes(on_grid(Rows(padding=padding, groups=groups)), (2, SIDE))


@pytest.mark.parametrize("padding", [1, "same", "valid"])
def test_longer_one_dimensional_kernels_are_refused_by_what_they_are(padding: str | int) -> None:
    net = sequence(layer.Conv1d(2, 4, 3, padding=padding), fires())
    (finding,) = trace_model(net, (2, SIDE), 4).findings
    assert "kernel of length 3" in finding.why
    assert "Conv2d" in finding.help


# Pooling.

POOLS = {
    "2": lambda: layer.AvgPool2d(2),
    "4": lambda: layer.AvgPool2d(4),
    "wide": lambda: layer.AvgPool2d((1, 2)),
    "ceil_that_changes_nothing": lambda: layer.AvgPool2d(2, ceil_mode=True),
    "adaptive": lambda: layer.AdaptiveAvgPool2d(4),
    "adaptive_rows": lambda: layer.AdaptiveAvgPool2d((2, 4)),
    "twice": lambda: nn.Sequential(layer.AvgPool2d(2), layer.AvgPool2d(2)),
}
OUTER = {
    "3x3": lambda: conv(4, 4, padding=1),
    "3x3 stride": lambda: conv(4, 4, padding=1, stride=2),
    "1x1": lambda: conv(4, 6, 1),
    "1x1 stride": lambda: conv(4, 6, 1, stride=2),
    "grouped": lambda: conv(4, 4, 2, groups=2),
    "depthwise": lambda: conv(4, 4, 2, groups=4),
    "same": lambda: conv(4, 4, 2, padding="same"),
}


@EVEN
@pytest.mark.parametrize("outer", OUTER)
def test_average_pooling_before_a_convolution(outer: str) -> None:
    for pool in POOLS.values():
        same_spikes(features(pool(), OUTER[outer](), fires(1.0)), SHAPE)


@pytest.mark.parametrize("pool", POOLS)
def test_average_pooling_elsewhere(pool: str) -> None:
    """Before neurons, before a linear map, after a convolution, and at the end."""
    same_spikes(features(POOLS[pool](), neuron.IFNode(v_threshold=0.75)), SHAPE)
    same_spikes(features(POOLS[pool]()), SHAPE)
    same_spikes(features(conv(4, 4, padding=1), POOLS[pool](), fires(1.0)), SHAPE, whole=False)


def test_a_norm_between_pooling_and_convolution() -> None:
    norm = layer.BatchNorm2d(4)
    norm.running_mean = torch.tensor([0.25, 0.5, 0.0, 0.125])
    norm.weight.data = torch.tensor([1.0, -0.5, 2.0, 0.5])
    for outer in (conv(4, 4, padding=1), conv(4, 4, 1)):
        parts = (layer.AvgPool2d(2), norm, outer, fires(1.0))
        same_spikes(features(*parts), SHAPE, whole=False)


def test_overlapping_windows_where_nothing_is_padded() -> None:
    for pool, outer in product(
        (layer.AvgPool2d(4, 2, 1), layer.AvgPool2d(2, 1)), (conv(4, 4, 2), conv(4, 4, 1))
    ):
        same_spikes(features(pool, outer, fires(1.0)), SHAPE, whole=False)


@pytest.mark.parametrize(
    ("parts", "why"),
    [
        ((layer.AvgPool2d(3), conv(4, 4, padding=1)), "the pooling AvgPool2d("),
        ((layer.AvgPool2d(3, 2, 1), conv(4, 4, padding=1)), "the pooling AvgPool2d("),
        ((conv(4, 4, padding=1), conv(4, 4, padding=1)), "the convolution Conv2d("),
    ],
)
def test_what_is_no_single_convolution_is_refused_by_what_it_is(
    parts: tuple[nn.Module, ...], why: str
) -> None:
    graph = trace_model(features(*parts, fires()), SHAPE, 4).graph
    with pytest.raises(SnnccError) as caught:
        run_passes(graph, spiking_passes(CompileOptions()))
    (finding,) = caught.value.findings
    assert finding.code == "SNN030"
    assert why in finding.why
    assert "at the border of the height" in finding.why
    assert finding.loc is not None
    assert finding.loc.module_path == "3"


# Maps without a neuron between.

PAIRS = {
    "depthwise, pointwise": (lambda: conv(4, 4, padding=1, groups=4), lambda: conv(4, 6, 1)),
    "pointwise, padded": (lambda: conv(4, 6, 1), lambda: conv(6, 4, padding=1)),
    "pointwise, grouped": (lambda: conv(4, 4, 1), lambda: conv(4, 4, padding=1, groups=2)),
    "two unpadded": (lambda: conv(4, 3, 3, padding=1), lambda: conv(3, 4, 2)),
    "strided": (lambda: conv(4, 4, 2, stride=2), lambda: conv(4, 4, 2, stride=2)),
    "dilated": (lambda: conv(4, 4, 2, dilation=2), lambda: conv(4, 4, 2, dilation=3)),
    "dilated, pointwise": (lambda: conv(4, 4, 3, dilation=2), lambda: conv(4, 4, 1)),
    "groups of two and four": (
        lambda: conv(4, 8, 2, groups=2),
        lambda: conv(8, 4, 2, groups=4),
    ),
    "without biases": (lambda: conv(4, 4, 2, bias=False), lambda: conv(4, 4, 2, bias=False)),
}


@pytest.mark.parametrize("pair", PAIRS)
def test_two_convolutions_without_a_neuron(pair: str) -> None:
    inner, outer = (make() for make in PAIRS[pair])
    same_spikes(features(inner, outer, fires(6.0)), SHAPE, whole=False)


@pytest.mark.parametrize("inner", [3, {"groups": 4}, {"stride": 2, "padding": 1}])
def test_a_convolution_before_a_linear_map_and_before_the_mean(inner: object) -> None:
    options = inner if isinstance(inner, dict) else {}
    head = (layer.AdaptiveAvgPool2d(1), layer.Flatten(), layer.Linear(4, 5))
    same_spikes(features(conv(4, 4, **options)), SHAPE, whole=False)
    same_spikes(sequence(*stem(), conv(4, 4, **options), *head), SHAPE, whole=False)
    norm = layer.BatchNorm2d(4)
    norm.weight.data = torch.tensor([1.0, -0.5, 2.0, 0.5])
    same_spikes(sequence(*stem(), conv(4, 4, **options), norm, *head), SHAPE, whole=False)


def test_a_convolutional_head_with_the_mean_behind_it() -> None:
    class Head(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.net = sequence(*stem(), conv(4, 5, padding=1))

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.net(x).mean((3, 4))

    same_spikes(Head(), SHAPE, whole=False)


@pytest.mark.parametrize("width", [8, 9, 33, 100])
def test_two_linear_maps_of_any_width(width: int) -> None:
    """The composed map has fewer weights than its parts; the axis between is summed away."""
    parts = (layer.Linear(width, width), layer.Linear(width, 7), neuron.IFNode(v_threshold=1.0))
    net = sequence(layer.Flatten(), layer.Linear(128, width), fires(), *parts)
    same_spikes(net, SHAPE, whole=False)


def test_linear_maps_that_grow_when_composed_are_refused() -> None:
    parts = (layer.Linear(144, 2), layer.Linear(2, 144), fires())
    net = sequence(layer.Flatten(), layer.Linear(128, 144), fires(), *parts)
    with pytest.raises(SnnccError) as caught:
        run_passes(trace_model(net, SHAPE, 4).graph, spiking_passes(CompileOptions()))
    assert "20736 weights" in caught.value.findings[0].why


def test_a_composition_stays_a_convolution() -> None:
    graph = trace_model(features(layer.AvgPool2d(2), conv(4, 4, padding=1), fires()), SHAPE, 4)
    spiking = run_passes(graph.graph, spiking_passes(CompileOptions()))
    ops = [node.op for node in spiking.select(Contract, Convolve)]
    second = ops[1]
    assert isinstance(second, Convolve)
    assert (second.stride, second.padding) == ((2, 2), (2, 2))
    assert np.asarray(spiking.constants[second.weight.name]).shape == (4, 4, 6, 6)


# One pixel, voices, and functions that leave spikes as they are.


def test_a_convolution_of_one_pixel() -> None:
    """A global average before a 3x3 convolution: one tap of it meets the pixel."""
    for outer in (conv(4, 4, padding=1), conv(4, 4, padding=1, groups=2), conv(4, 4, 5, padding=2)):
        same_spikes(features(layer.AdaptiveAvgPool2d(1), outer, fires(0.5)), SHAPE)


def test_a_vote_of_neurons() -> None:
    net = sequence(*stem(), layer.Flatten(), layer.Linear(256, 20), fires(), layer.VotingLayer(4))
    same_spikes(net, SHAPE)


def test_a_relu_of_spikes_leaves_them() -> None:
    same_spikes(features(nn.ReLU(), conv(4, 4, padding=1), fires()), SHAPE)
    same_spikes(features(nn.ReLU6(), layer.AvgPool2d(2), fires(0.5)), SHAPE)


def test_windows_that_sum_instead_of_averaging() -> None:
    same_spikes(features(layer.AvgPool2d(2, divisor_override=1), conv(4, 4), fires()), SHAPE)


@pytest.mark.parametrize(
    "pool",
    [
        layer.AvgPool2d(3, ceil_mode=True),
        layer.AvgPool2d(3, 2, 1, count_include_pad=False),
        layer.AdaptiveAvgPool2d(3),
    ],
    ids=str,
)
def test_pooling_with_shares_that_differ(pool: nn.Module) -> None:
    same_spikes(features(pool, fires(0.37)), SHAPE, whole=False)


def test_pooling_into_too_many_windows_of_several_sizes_says_so() -> None:
    net = sequence(conv(2, 3), fires(), layer.AdaptiveAvgPool2d(61))
    (finding,) = trace_model(net, (2, 62, 62), 2).findings
    assert "windows of several sizes" in finding.why
    assert finding.help
