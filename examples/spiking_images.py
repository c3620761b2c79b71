"""A SEW-ResNet with max pooling and a Spikformer, small, in plain PyTorch; T = 4.

    python -m examples.spiking_images sew-resnet --epochs 40
    python -m examples.spiking_images spikformer

train them (two to four minutes each on one CPU core) and write their weights to examples/trained/.

Sources: Fang et al. 2021, "Deep Residual Learning in Spiking Neural Networks"; Zhou et al. 2023,
"Spikformer: When Spiking Neural Network Meets Transformer".
"""

import argparse
from pathlib import Path

import numpy as np
import torch
from torch import nn

from examples.small_digits import LIF, TRAINED, keep, logits_of, split, train

STEPS = 4


class Conv(nn.Module):
    """A convolution and BatchNorm for every step of [T, B, C, H, W]."""

    def __init__(self, into: int, out: int, kernel: int = 3, stride: int = 1) -> None:
        super().__init__()
        self.conv = nn.Conv2d(into, out, kernel, stride, kernel // 2, bias=False)
        self.norm = nn.BatchNorm2d(out)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.norm(self.conv(x.flatten(0, 1))).unflatten(0, x.shape[:2])


class MaxPool(nn.Module):
    """The largest of 2x2 places: an OR of spikes, the larger of counts or currents."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return nn.functional.max_pool2d(x.flatten(0, 1), 2).unflatten(0, x.shape[:2])


class SewBlock(nn.Module):
    """Two convolutions whose spikes are added to those that came in."""

    def __init__(self, into: int, out: int) -> None:
        super().__init__()
        self.body = nn.Sequential(Conv(into, out), LIF(), Conv(out, out), LIF())
        same = into == out
        self.shortcut = nn.Identity() if same else nn.Sequential(Conv(into, out, 1), LIF())

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.body(x) + self.shortcut(x)


class SewResNet(nn.Module):
    """Three blocks at 8x8, 4x4 and 4x4 places."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(Conv(1, 16), LIF())
        self.blocks = nn.Sequential(SewBlock(16, 16), MaxPool(), SewBlock(16, 32), SewBlock(32, 32))
        self.head = nn.Linear(32, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.blocks(self.stem(x)).mean((3, 4))).mean(0)


class Dense(nn.Module):
    """A linear map and BatchNorm over the channels of tokens, [T, B, N, C]."""

    def __init__(self, into: int, out: int) -> None:
        super().__init__()
        self.linear, self.norm = nn.Linear(into, out, bias=False), nn.BatchNorm1d(out)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.linear(x).flatten(0, 1).transpose(1, 2)
        return self.norm(y).transpose(1, 2).unflatten(0, x.shape[:2])


class Attention(nn.Module):
    """Spiking self-attention: q k^T v of spikes, no softmax."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads, self.scale = heads, 0.125
        self.q, self.k, self.v = (nn.Sequential(Dense(width, width), LIF()) for _ in range(3))
        self.fire = LIF(0.5)
        self.out = nn.Sequential(Dense(width, width), LIF())

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        q, k, v = (
            part(x).unflatten(-1, (self.heads, -1)).transpose(2, 3)
            for part in (self.q, self.k, self.v)
        )
        mixed = (q @ k.transpose(-2, -1)) @ v * self.scale
        return self.out(self.fire(mixed.transpose(2, 3).flatten(3)))


class TransformerBlock(nn.Module):
    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.attention = Attention(width, heads)
        self.mlp = nn.Sequential(Dense(width, 2 * width), LIF(), Dense(2 * width, width), LIF())

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = x + self.attention(x)
        return x + self.mlp(x)


class Spikformer(nn.Module):
    """Sixteen tokens of 48 channels, two blocks of four heads."""

    def __init__(self, width: int = 48) -> None:
        super().__init__()
        self.patches = nn.Sequential(Conv(1, width // 2), LIF(), Conv(width // 2, width), MaxPool())
        self.fire = LIF()
        self.position = nn.Sequential(Conv(width, width), LIF())
        self.blocks = nn.Sequential(TransformerBlock(width, 4), TransformerBlock(width, 4))
        self.head = nn.Linear(width, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.fire(self.patches(x))
        x = x + self.position(x)
        tokens = x.flatten(3).transpose(2, 3)
        return self.head(self.blocks(tokens).mean(2)).mean(0)


def sew_resnet() -> nn.Module:
    return SewResNet().eval()


def spikformer() -> nn.Module:
    return Spikformer().eval()


NETWORKS = {"sew-resnet": sew_resnet, "spikformer": spikformer}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("network", choices=NETWORKS)
    parser.add_argument("--epochs", type=int, default=30)
    parser.add_argument("--out", type=Path, default=TRAINED)
    options = parser.parse_args()
    torch.manual_seed(0)
    net = NETWORKS[options.network]()

    def answer(images: np.ndarray) -> torch.Tensor:
        x = torch.from_numpy(images).to(next(net.parameters())) / 16.0
        return net(x.unsqueeze(0).repeat(STEPS, 1, 1, 1, 1))

    x_train, x_test, y_train, y_test = split()
    train(net, answer, x_train, y_train, options.epochs)
    name = f"{options.network}-t{STEPS}"
    keep(net, name, logits_of(net, answer, x_test), y_test, options.out)


if __name__ == "__main__":
    main()
