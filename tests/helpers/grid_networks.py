"""Networks whose weights lie on a grid, as training with quantised weights leaves them.

Every number is dyadic and small, so that torch in float64 rounds nothing: its spikes are the true
ones, those of membranes that meet their threshold exactly included.
"""

from collections.abc import Callable

import numpy as np
import torch
from spikingjelly.activation_based import functional, layer, neuron
from torch import nn

from snncc.compiler.folding import spiking_passes
from snncc.compiler.options import CompileOptions
from snncc.frontends.torch_recorder import trace_model
from snncc.ir import Graph
from snncc.passes.pipeline import run_passes

RAW = ((0.0,), (1.0 / 255.0,))
"""Pixels enter as the integers that they are."""
SHAPE = (2, 5, 5)


def on_grid(rng: np.random.Generator, shape: tuple[int, ...], most: int) -> torch.Tensor:
    """Whole multiples, at most so many, of one step for all rows, or of one step a row."""
    multiples = rng.integers(-most, most + 1, shape)
    multiples.reshape(-1)[rng.integers(multiples.size)] = rng.choice([-most, most])
    if rng.random() < 0.3:
        multiples[rng.integers(shape[0])] = 0
    rows = shape[0] if rng.random() < 0.4 else 1
    steps = rng.choice([1.0, 3.0, 5.0], rows) * 2.0 ** rng.integers(-5, 0, rows)
    grid = steps.reshape(-1, *[1] * (len(shape) - 1))
    return torch.from_numpy(multiples * grid)


def norm(rng: np.random.Generator, size: int) -> nn.BatchNorm2d:
    """Of gains of both signs and 0."""
    found = layer.BatchNorm2d(size, eps=0.0)
    found.weight.data = torch.from_numpy(rng.choice([0.5, 1.0, 2.0, -1.0, -0.5, 0.0], size))
    found.bias.data = torch.from_numpy(rng.integers(-1, 4, size) * 0.25)
    found.running_mean = torch.from_numpy(rng.integers(-2, 3, size) * 0.5)
    found.running_var = torch.from_numpy(rng.choice([0.25, 1.0, 4.0], size))
    return found


def neurons(rng: np.random.Generator, soft: bool) -> nn.Module:
    threshold = float(rng.choice([0.5, 0.75, 1.0, 2.0, 3.0]))
    reset = None if soft and rng.random() < 0.5 else 0.0
    if rng.random() < 0.5:
        return neuron.IFNode(threshold, reset)
    return neuron.LIFNode(2.0, bool(rng.random() < 0.5), threshold, reset)


class GridNetwork(nn.Module):
    """Two convolutions that meet in one population, a convolution of spikes, two linear maps."""

    def __init__(self, seed: int, most: int, soft: bool = True, plain: bool = False) -> None:
        super().__init__()
        rng = np.random.default_rng(seed)
        bias = bool(rng.random() < 0.5)

        def conv(inputs: int, size: int) -> nn.Module:
            own = layer.Conv2d(inputs, 3, size, padding=size // 2, bias=bias)
            own.weight.data = on_grid(rng, tuple(own.weight.shape), most)
            if bias:
                own.bias.data = torch.from_numpy(rng.integers(-2, 3, 3) * 0.25)
            return own if plain or rng.random() < 0.5 else nn.Sequential(own, norm(rng, 3))

        def linear(inputs: int, outputs: int) -> nn.Module:
            own = layer.Linear(inputs, outputs, bias=bias)
            own.weight.data = on_grid(rng, (outputs, inputs), most)
            if bias:
                own.bias.data = torch.from_numpy(rng.integers(-2, 3, outputs) * 0.25)
            return own

        self.first, self.fire1 = conv(2, 3), neurons(rng, soft)
        self.second, self.skip, self.fire2 = conv(3, 3), conv(3, 1), neurons(rng, soft)
        self.third, self.fire3 = linear(75, 6), neurons(rng, soft)
        self.head = linear(6, 4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.fire1(self.first(x))
        x = self.fire2(self.second(x) + self.skip(x))
        return self.head(self.fire3(self.third(x.flatten(2)))).mean(0)


def network(seed: int, most: int, soft: bool = True, plain: bool = False) -> nn.Module:
    net = GridNetwork(seed, most, soft, plain).double().eval()
    functional.set_step_mode(net, "m")
    return net


def images_for(seed: int, count: int = 6) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 5, (count, *SHAPE)).astype(np.uint8)


def spiking_of(net: nn.Module, steps: int, options: CompileOptions, shape=SHAPE) -> Graph:  # type: ignore[no-untyped-def]
    trace = trace_model(net, shape, steps)
    assert trace.findings == ()
    return run_passes(trace.graph, spiking_passes(options))


def torch_spikes(
    net: nn.Module, images: np.ndarray, steps: int, scale: Callable[[torch.Tensor], torch.Tensor]
) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Spikes of every neuron module, [n, t, ...] in torch's order of axes, and the answer."""
    found: dict[str, np.ndarray] = {}
    hooks = [
        module.register_forward_hook(
            lambda _m, _i, out, name=name: found.update({name: out.transpose(0, 1).numpy()})
        )
        for name, module in net.named_modules()
        if isinstance(module, neuron.BaseNode)
    ]
    functional.reset_net(net)
    with torch.no_grad():
        x = scale(torch.from_numpy(images).double())
        answer = net(x.unsqueeze(0).repeat(steps, 1, 1, 1, 1)).numpy()
    functional.reset_net(net)
    for hook in hooks:
        hook.remove()
    return found, answer


def in_torch_order(graph: Graph, name: str, spikes: np.ndarray) -> np.ndarray:
    """Spikes of a population as [n, t, c, h, w] or [n, t, f]."""
    names = graph[name].type.names
    order = sorted(range(len(names)), key=lambda i: "tcfhw".index(names[i][0]))
    return spikes.transpose([0, *(1 + i for i in order)])
