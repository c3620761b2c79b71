"""A spiking state space model at a size that people train, in step form, and its program.

H channels, each with N complex poles (S4D's: real parts of -1/2, imaginary parts of pi n, time
steps from 0.001 to 0.1), blocks of them with spike gates, one number of input a step.
"""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from snncc.compiler.folding import convert_and_fold
from snncc.compiler.options import CompileOptions
from snncc.frontends.torch_modules import source_of
from snncc.ir import Graph, verify
from snncc.passes.pipeline import run_passes
from snncc.quantize.calibration import round_plainly
from snncc.quantize.lower_to_integers import LowerToIntegers

BITS = 12
SEED = 5


class Neurons(nn.Module):
    """v = decay v + x, a spike where v >= 1, then v = 0."""

    decay = 0.25

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        v, found = torch.zeros_like(x[:, 0]), []
        for now in x.unbind(1):
            v = torch.add(now, v, alpha=self.decay)
            spikes = (v >= 1.0).to(v)
            v = v - v * spikes
            found.append(spikes)
        return torch.stack(found, 1)


class StateSpace(nn.Module):
    """x' = A x + u, y = Re(C x) + D u, for every channel."""

    a: torch.Tensor
    c: torch.Tensor
    d: torch.Tensor

    def __init__(self, width: int, states: int) -> None:
        super().__init__()
        dt = torch.exp(math.log(1e-3) + math.log(1e2) * torch.rand(width, 1))
        rates = torch.complex(torch.tensor(-0.5), math.pi * torch.arange(states))
        c = torch.randn(width, states, dtype=torch.complex64)
        self.register_buffer("a", torch.exp(dt * rates))
        self.register_buffer("c", c * dt.sqrt())
        self.register_buffer("d", torch.randn(width))

    def constants(self) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        return self.a, self.c, self.d

    def forward(self, u: torch.Tensor) -> torch.Tensor:
        kind = torch.promote_types(u.dtype, self.a.dtype)  # float64, where all of it is compared
        a, c = self.a.to(kind), self.c.to(kind)
        x, found = torch.zeros(len(u), *a.shape, dtype=kind), []
        for now in u.unbind(1):
            x = torch.addcmul(now[..., None].to(kind), a, x)
            found.append((c * x).sum(-1).real)
        return torch.stack(found, 1) + self.d * u


class Block(nn.Module):
    def __init__(self, width: int, states: int) -> None:
        super().__init__()
        self.norm, self.ssm, self.neuron = nn.Identity(), StateSpace(width, states), Neurons()
        self.ln_vth = nn.Parameter(torch.full((width,), 0.5))
        self.linear, self.gate = nn.Linear(width, 2 * width), "spike"

    def forward(self, r: torch.Tensor) -> torch.Tensor:
        spikes = self.neuron(self.ssm(self.norm(r)) / self.ln_vth.exp())
        a, b = self.linear(spikes).chunk(2, -1)
        return r + a * (b >= 0).to(a)


class Net(nn.Module):
    def __init__(self, width: int, states: int, blocks: int) -> None:
        super().__init__()
        self.encoder = nn.Linear(1, width)
        self.blocks = nn.ModuleList(Block(width, states) for _ in range(blocks))
        self.last, self.decoder = Neurons(), nn.Linear(width, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        r = self.encoder(x)
        for block in self.blocks:
            r = block(r)
        return self.decoder(self.last(r).mean(1))


def network(width: int, states: int, blocks: int) -> Net:
    torch.manual_seed(SEED)
    net = Net(width, states, blocks)
    nn.init.normal_(net.encoder.weight, 0.0, 2.0)
    for block in [each for each in net.blocks if isinstance(each, Block)]:
        nn.init.normal_(block.linear.weight, 0.0, 2.0 / math.sqrt(width))
    return net.eval()


def program(net: Net, steps: int) -> Graph:
    """Its integers, weights rounded to nearest; no calibration."""
    shape = (steps, 1)
    options = CompileOptions(input_shape=shape, steps=steps)
    traced = source_of(net, "net").trace(shape, steps, "auto")
    spiking, refused = convert_and_fold(traced.graph, traced.findings, options, lambda _: None)
    if refused:
        raise SystemExit(str(refused))
    graph = run_passes(spiking, [LowerToIntegers(round_plainly(spiking, BITS), BITS)])
    verify(graph)
    return graph


def sequences(count: int, steps: int) -> NDArray[np.uint8]:
    """Smooth noise, [sequences, t, 1]."""
    steep = np.random.default_rng(1).normal(0.0, 16.0, (count, steps, 1)).cumsum(axis=1)
    return (128.0 + 127.0 * np.sin(steep / 128.0)).astype(np.uint8)


def answered(net: nn.Module, frames: NDArray[np.uint8]) -> Callable[[], NDArray[Any]]:
    """A run in PyTorch, conversion of its input apart."""
    x = torch.from_numpy(frames).float() / 255.0

    def answer() -> NDArray[Any]:
        with torch.inference_mode():
            return net(x).numpy()

    return answer
