"""Networks that do not compile, one for each reason: what docs/diagnostics.md shows.

snncc compile --model examples.refused:layer_norm --input-shape 1,8,8 -o out.snncc
"""

import torch
from torch import nn


class Normalised(nn.Module):
    """Currents are normalised by mean and variance of their own."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(64, 10)
        self.norm = nn.LayerNorm(10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.norm(self.linear(x.flatten(2))).mean(0)


class Exponential(nn.Module):
    """Attention as in networks that do not spike."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(64, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.linear(x.flatten(2)).softmax(-1).mean(0)


class Choosing(nn.Module):
    """What it does depends on the image."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(64, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.linear(x.flatten(2))
        if x.sum() > 0:
            x = -x
        return x.mean(0)


class Random(nn.Module):
    """Every run adds other numbers."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(64, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.linear(x.flatten(2))
        return (x + torch.rand_like(x)).mean(0)


class Unready(nn.Module):
    """BatchNorm has no running statistics: it takes those of the batch."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(1, 4, 3)
        self.norm = nn.BatchNorm2d(4, track_running_stats=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.norm(self.conv(x.flatten(0, 1))).flatten(1).sum(1, keepdim=True)


class Wider(nn.Module):
    """Images of another size do not fit its linear map."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(128, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.linear(x.flatten(2)).mean(0)


def layer_norm() -> nn.Module:
    return Normalised().eval()


def softmax() -> nn.Module:
    return Exponential().eval()


def choosing() -> nn.Module:
    return Choosing().eval()


def random() -> nn.Module:
    return Random().eval()


def unready() -> nn.Module:
    return Unready().eval()


def wider() -> nn.Module:
    return Wider().eval()
