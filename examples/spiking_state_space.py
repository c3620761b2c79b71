"""Spiking state space models that read a digit pixel by pixel, 64 steps.

    python -m examples.spiking_state_space taps
    python -m examples.spiking_state_space glu

train them (two minutes each on one CPU core) and write their weights to examples/trained/. Both are
of the form that docs/state_spaces.md says: `taps` has registers of 16 late inputs with factors of
+-2^k, gates of one bit, and spikes that are read out; `glu` has eight complex poles a channel,
gated linear units, and a stream that is read out.

Sources: Gu et al. 2022, "On the Parameterization and Initialization of Diagonal State Space
Models"; Shen et al. 2025, "SpikingSSMs: Learning Long Sequences with Sparse and Parallel Spiking
State Space Models".
"""

import argparse
import math
from pathlib import Path

import numpy as np
import torch
from torch import nn

from examples.small_digits import TRAINED, Spike, keep, logits_of, split, train

STEPS, WIDTH = 64, 48


class LIF(nn.Module):
    """v = v / 8 + x, a spike where v >= 1, then v = 0; time is axis 1."""

    decay = 0.125

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        v, spikes = torch.zeros_like(x[:, 0]), []
        for current in x.unbind(1):
            v = self.decay * v + current
            spike = Spike.apply(v - 1.0)
            v = v * (1 - spike.detach())
            spikes.append(spike)
        return torch.stack(spikes, 1)


class Poles(nn.Module):
    """x[t] = A x[t - 1] + u[t] and y = Re(C x) + D u, `states` complex numbers for each channel.

    All steps are computed at once, as a convolution.
    """

    def __init__(self, width: int, states: int) -> None:
        super().__init__()
        steps = math.log(0.02) + torch.rand(width) * math.log(0.4 / 0.02)
        self.log_step, self.D = nn.Parameter(steps), nn.Parameter(torch.randn(width))
        self.log_decay = nn.Parameter(torch.full((width, states), math.log(0.5)))
        self.turn = nn.Parameter(math.pi * torch.arange(states).float().repeat(width, 1))
        self.C = nn.Parameter(torch.randn(width, states, 2))

    def constants(self) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """A, C [channel, state] and D [channel] of one step: zero-order hold."""
        pole = torch.complex(-self.log_decay.exp(), self.turn)
        a = torch.exp(pole * self.log_step.exp()[:, None])
        return a, 2 * torch.view_as_complex(self.C) * (a - 1) / pole, self.D

    def forward(self, u: torch.Tensor) -> torch.Tensor:
        a, c, d = self.constants()
        length = u.shape[1]
        kernel = (c * a ** torch.arange(length)[:, None, None]).sum(-1).real
        spectra = torch.fft.rfft(u, 2 * length, 1) * torch.fft.rfft(kernel, 2 * length, 0)
        return torch.fft.irfft(spectra, 2 * length, 1)[:, :length] + d * u


class Taps(nn.Module):
    """A register of late inputs, each of them times +-2^k."""

    def __init__(self, width: int, lags: int) -> None:
        super().__init__()
        self.C = nn.Parameter(torch.randn(lags, width) / lags**0.5)

    def forward(self, u: torch.Tensor) -> torch.Tensor:
        taps = torch.sign(self.C) * 2.0 ** self.C.abs().clamp(min=2**-8).log2().round()
        taps = taps.detach() + (self.C - self.C.detach())
        late = nn.functional.pad(u, (0, 0, len(taps) - 1, 0))
        return sum(
            tap * late[:, -lag - u.shape[1] :][:, : u.shape[1]] for lag, tap in enumerate(taps)
        )


class Block(nn.Module):
    """What the neurons behind a state space let through a gate is added to the stream."""

    def __init__(self, ssm: nn.Module, gate: str) -> None:
        super().__init__()
        self.norm, self.ssm, self.neuron = nn.BatchNorm1d(WIDTH), ssm, LIF()
        self.ln_vth = nn.Parameter(torch.zeros(WIDTH))
        self.linear, self.gate = nn.Linear(WIDTH, 2 * WIDTH), gate

    def forward(self, r: torch.Tensor) -> torch.Tensor:
        u = self.norm(r.transpose(1, 2)).transpose(1, 2)
        a, b = self.linear(self.neuron(self.ssm(u) / self.ln_vth.exp())).chunk(2, -1)
        return r + a * (torch.sigmoid(b) if self.gate == "glu" else Spike.apply(b))


class SpikingStateSpace(nn.Module):
    """Logits [B, 10] of sequences [B, T, 1]."""

    def __init__(self, blocks: list[Block], last: nn.Module) -> None:
        super().__init__()
        self.encoder, self.blocks = nn.Linear(1, WIDTH), nn.ModuleList(blocks)
        self.last, self.decoder = last, nn.Linear(WIDTH, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        r = self.encoder(x)
        for block in self.blocks:
            r = block(r)
        return self.decoder(self.last(r).mean(1))


def taps() -> nn.Module:
    return SpikingStateSpace([Block(Taps(WIDTH, 17), "spike") for _ in range(2)], LIF()).eval()


def glu() -> nn.Module:
    blocks = [Block(Poles(WIDTH, 8), "glu") for _ in range(2)]
    return SpikingStateSpace(blocks, nn.Identity()).eval()


NETWORKS = {"taps": taps, "glu": glu}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("network", choices=NETWORKS)
    parser.add_argument("--epochs", type=int, default=36)
    parser.add_argument("--out", type=Path, default=TRAINED)
    options = parser.parse_args()
    torch.manual_seed(0)
    net = NETWORKS[options.network]()

    def answer(images: np.ndarray) -> torch.Tensor:
        x = torch.from_numpy(images).to(net.decoder.weight) / 16.0
        return net(x.view(-1, STEPS, 1))

    x_train, x_test, y_train, y_test = split()
    train(net, answer, x_train, y_train, options.epochs)
    name = f"state-space-{options.network}-t{STEPS}"
    keep(net, name, logits_of(net, answer, x_test), y_test, options.out)


if __name__ == "__main__":
    main()
