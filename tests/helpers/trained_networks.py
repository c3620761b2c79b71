"""Two small networks, trained on scikit-learn's digits as the tests begin; always the same."""

import numpy as np
import torch
from sklearn.datasets import load_digits
from spikingjelly.activation_based import functional, layer, neuron
from torch import nn

STEPS = 4
NORMALIZE = ((0.0,), (16.0 / 255.0,))
"""The digits' grey levels 0..16 enter as sixteenths, which float64 holds."""


class Rounded(torch.autograd.Function):
    """Whole multiples of a step, at most so many; gradients pass as if nothing were rounded."""

    @staticmethod
    def forward(ctx, weight, step, most):  # type: ignore[no-untyped-def]
        return torch.clamp(torch.round(weight / step), -most, most) * step

    @staticmethod
    def backward(ctx, grad):  # type: ignore[no-untyped-def]
        return grad, None, None


def put_on_grid(net: nn.Module, step: float, most: int) -> None:
    """Rounds every weight once and for all."""
    for module in net.modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            module.weight.data = Rounded.apply(module.weight.data, step, most)


class Pooled(nn.Module):
    """A convolutional network that averages over all places before its last map."""

    def __init__(self) -> None:
        super().__init__()
        self.net = nn.Sequential(
            layer.Conv2d(1, 8, 3, padding=1, bias=False),
            neuron.LIFNode(v_threshold=0.5),
            layer.Conv2d(8, 16, 3, padding=1, bias=False),
            neuron.IFNode(),
        )
        self.head = layer.Linear(16, 10, bias=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.net(x).mean((3, 4))).mean(0)


class Ternary(nn.Module):
    """Trained with weights of +-3 steps of 0.25 and thresholds of 1 from the beginning."""

    STEP, MOST = 0.25, 3

    def __init__(self) -> None:
        super().__init__()
        self.conv = layer.Conv2d(1, 8, 3, padding=1, bias=False)
        self.fire1 = neuron.IFNode()
        self.down = layer.Conv2d(8, 8, 3, stride=2, padding=1, bias=False)
        self.fire2 = neuron.LIFNode(tau=2.0)
        self.head = layer.Linear(128, 10, bias=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.fire2(self.down(self.fire1(self.conv(x))))
        return self.head(x.flatten(2)).mean(0) / 4.0


def digits() -> tuple[np.ndarray, np.ndarray]:
    """All 1,797: uint8 [n, 1, 8, 8], and labels; the last 300 are not trained with."""
    data = load_digits()
    order = np.random.default_rng(0).permutation(len(data.target))
    return data.images[order, None].astype(np.uint8), data.target[order].astype(np.int64)


def trained(net: nn.Module, grid: tuple[float, int] | None, epochs: int) -> nn.Module:
    """The network after a few epochs, in float64, with its weights on the grid if there is one."""
    functional.set_step_mode(net, "m")
    for p in net.parameters():
        p.data *= 3.0  # so that every layer fires from the beginning
    images, labels = digits()
    x, y = torch.from_numpy(images[:-300]).float() / 16.0, torch.from_numpy(labels[:-300])
    kept = {n: p.data.clone() for n, p in net.named_parameters()}
    optimiser = torch.optim.Adam(net.parameters(), lr=0.02)
    for epoch in range(epochs):
        order = torch.from_numpy(np.random.default_rng(epoch).permutation(len(x)))
        for batch in order[: len(order) // 64 * 64].view(-1, 64):
            if grid is not None:
                for name, p in net.named_parameters():
                    kept[name].copy_(p.data)
                put_on_grid(net, *grid)
            loss = nn.functional.cross_entropy(
                net(x[batch].expand(STEPS, -1, -1, -1, -1)), y[batch]
            )
            optimiser.zero_grad()
            loss.backward()
            if grid is not None:
                for name, p in net.named_parameters():
                    p.data.copy_(kept[name])
            optimiser.step()
            functional.reset_net(net)
    if grid is not None:
        put_on_grid(net, *grid)
    return net.double().eval()


def pooled() -> nn.Module:
    """Rounded to 8 bits after training: 127 steps of 1/64."""
    torch.manual_seed(0)
    net = trained(Pooled(), None, 10)
    put_on_grid(net, 2.0**-6, 127)
    return net


def ternary() -> nn.Module:
    torch.manual_seed(0)
    return trained(Ternary(), (Ternary.STEP, Ternary.MOST), 4)
