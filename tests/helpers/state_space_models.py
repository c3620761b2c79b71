"""Small spiking state space models, as people write them in step form, with random weights."""

from typing import Any

import numpy as np
import torch
from torch import nn

CASES = {
    "taps, spikes": {"poles": "taps", "gate": "spike", "last": True},
    "complex, glu": {"poles": "complex", "gate": "glu", "norm": "none"},
    "complex, spikes": {"poles": "complex", "gate": "spike", "last": True},
    "real, stream": {"poles": "real", "gate": "spike"},
}


class Lif(nn.Module):
    decay = 0.25

    def forward(self, x: Any) -> Any:
        v, found = torch.zeros_like(x[:, 0]), []
        for t in range(x.shape[1]):
            v = self.decay * v + x[:, t]
            found.append((v >= 1.0).to(x))
            v = torch.where(v >= 1.0, 0.0, v)
        return torch.stack(found, 1)


class Layer(nn.Module):
    """One system a channel; `constants` gives A, C, D."""

    def __init__(self, width: int, states: int, poles: str) -> None:
        super().__init__()
        self.poles, kind = poles, torch.complex64 if poles == "complex" else torch.float32
        angle = 3.0 * torch.rand(width, states)
        length = 0.3 + 0.6 * torch.rand(width, states)
        pole = torch.polar(length, angle) if poles == "complex" else length
        self.register_buffer("pole", pole)
        c, d = torch.randn(width, states, dtype=kind), torch.randn(width)
        if poles == "taps":
            c, d = (torch.sign(x) * 2.0 ** torch.round(torch.log2(x.abs() + 0.05)) for x in (c, d))
        self.register_buffer("c", c)
        self.register_buffer("d", d)

    def constants(self) -> Any:
        return self.pole, self.c, self.d

    def forward(self, u: Any) -> Any:
        out = self.d * u
        if self.poles == "taps":
            for n in range(self.c.shape[1]):
                late = nn.functional.pad(u, (0, 0, n + 1, 0))[:, : u.shape[1]]
                out = out + self.c[:, n] * late
            return out
        x, parts = torch.zeros(u.shape[0], *self.c.shape, dtype=self.pole.dtype), []
        for t in range(u.shape[1]):
            x = self.pole * x + u[:, t, :, None]
            parts.append((self.c * x).sum(-1).real)
        return out + torch.stack(parts, 1)


class Both(Layer):
    """Reads the sequence in both directions."""

    def forward(self, u: Any) -> Any:
        return super().forward(u) + super().forward(u.flip(1)).flip(1)


class Block(nn.Module):
    def __init__(self, width: int, norm: str, gate: str, layer: nn.Module) -> None:
        super().__init__()
        kinds: Any = {"batch": nn.BatchNorm1d, "layer": nn.LayerNorm}
        self.norm = kinds[norm](width) if norm in kinds else nn.Identity()
        self.ssm, self.neuron, self.gate = layer, Lif(), gate
        self.ln_vth = nn.Parameter(0.5 * torch.randn(width) - 1.0)
        self.linear = nn.Linear(width, 2 * width)

    def forward(self, r: Any) -> Any:
        turned = isinstance(self.norm, nn.BatchNorm1d)
        u = self.norm(r.transpose(1, 2)).transpose(1, 2) if turned else self.norm(r)
        a, b = self.linear(self.neuron(self.ssm(u) / self.ln_vth.exp())).chunk(2, -1)
        return r + a * (torch.sigmoid(b) if self.gate == "glu" else (b >= 0).to(a))


class Net(nn.Module):
    def __init__(self, blocks: list[nn.Module], width: int, inputs: int, *, last: bool) -> None:
        super().__init__()
        self.encoder = nn.Linear(inputs, width)
        self.blocks = nn.ModuleList(blocks)
        self.last = Lif() if last else nn.Identity()
        self.decoder = nn.Linear(width, 3)

    def forward(self, x: Any) -> Any:
        r = self.encoder(x)
        for block in self.blocks:
            r = block(r)
        return self.decoder(self.last(r).mean(1))


def make(
    seed: int,
    *,
    poles: str = "taps",
    gate: str = "spike",
    norm: str = "batch",
    last: bool = False,
    width: int = 5,
    inputs: int = 2,
    kind: type[Layer] = Layer,
) -> Net:
    """A network of two blocks whose norms have gains of both signs, one of them 0."""
    torch.manual_seed(seed)
    blocks: list[nn.Module] = [Block(width, norm, gate, kind(width, 2, poles)) for _ in range(2)]
    net = Net(blocks, width, inputs, last=last)
    for module in net.modules():
        if isinstance(module, nn.BatchNorm1d):
            nn.init.normal_(module.weight)
            module.weight.data[0] = 0.0
            nn.init.normal_(module.bias)
            nn.init.normal_(module.running_mean)
            nn.init.uniform_(module.running_var, 0.5, 2.0)
        if isinstance(module, nn.Linear):
            nn.init.normal_(module.weight, 0.0, 0.6)
    return net.eval()


def samples(seed: int, count: int, steps: int, inputs: int = 2) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (count, steps, inputs)).astype(np.uint8)
