"""Small networks as users write them: SpikingJelly, plain torch, einops."""

import torch
from einops import rearrange
from einops.layers.torch import Rearrange, Reduce
from spikingjelly.activation_based import functional, layer, neuron
from torch import nn


def lively(net: nn.Module, seed: int = 0) -> nn.Module:
    """BatchNorms with gains that keep every layer spiking, of both signs."""
    generator = torch.Generator().manual_seed(seed)
    for module in net.modules():
        if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d):
            size = module.num_features
            module.weight.data = 2.0 * torch.rand(size, generator=generator) + 0.5
            module.weight.data[::3] *= -1.0
            module.bias.data = torch.rand(size, generator=generator) + 0.3
            module.running_mean = 0.2 * torch.randn(size, generator=generator)
            module.running_var = torch.rand(size, generator=generator) + 0.2
    return net.eval()


def multi_step(net: nn.Module) -> nn.Module:
    functional.set_step_mode(net, "m")
    return lively(net)


class JellyConv(nn.Module):
    """The tutorial's network: convolutions, BatchNorm, several neurons, flatten, linear."""

    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Sequential(
            layer.Conv2d(2, 4, 3, padding=1, bias=False),
            layer.BatchNorm2d(4),
            neuron.IFNode(),
            layer.Conv2d(4, 4, 3, stride=2, padding=1),
            layer.BatchNorm2d(4),
            neuron.LIFNode(tau=4.0, decay_input=False),
            layer.Flatten(),
        )
        self.head = nn.Sequential(
            layer.Linear(64, 8),
            neuron.ParametricLIFNode(init_tau=3.0, v_threshold=0.1, v_reset=None),
            layer.Linear(8, 5),
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.features(x)).mean(0)


class JellyRates(nn.Module):
    """Answers with spikes; thresholds and resets of their own."""

    def __init__(self) -> None:
        super().__init__()
        self.net = nn.Sequential(
            layer.Conv2d(2, 3, 2, stride=2),
            neuron.LIFNode(v_threshold=0.3, v_reset=-0.1),
            layer.Flatten(),
            layer.Linear(48, 6),
            neuron.LIFNode(v_threshold=0.2),
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.net(x)


class SingleStep(nn.Module):
    """Called once per step; its neurons keep their membranes in between."""

    def __init__(self) -> None:
        super().__init__()
        self.net = nn.Sequential(
            nn.Conv2d(2, 4, 3, padding=1),
            nn.BatchNorm2d(4),
            neuron.LIFNode(v_threshold=0.4),
            nn.Flatten(),
            nn.Linear(256, 6),
            neuron.IFNode(v_threshold=0.5),
            nn.Linear(6, 3),
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.net(x)


class RepeatsInside(nn.Module):
    """Takes a frame, repeats it over time itself, and averages over time itself."""

    def __init__(self, steps: int = 4) -> None:
        super().__init__()
        self.steps = steps
        self.conv = layer.SeqToANNContainer(nn.Conv2d(2, 4, 2, stride=2), nn.BatchNorm2d(4))
        self.fire = neuron.LIFNode(step_mode="m")
        self.head = nn.Linear(4, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = x.unsqueeze(0).repeat(self.steps, 1, 1, 1, 1)
        y = self.fire(self.conv(x))
        return self.head(y.mean((3, 4))).mean(0)


class Einops(nn.Module):
    """Token and channel mixing with einops layers; tokens, channels and hidden all of length 16."""

    def __init__(self) -> None:
        super().__init__()
        self.embed = layer.SeqToANNContainer(nn.Conv2d(2, 16, 2, stride=2), nn.BatchNorm2d(16))
        self.fire = neuron.LIFNode(v_threshold=0.5)
        self.tokens = nn.Sequential(
            Rearrange("t b c h w -> t b c (h w)"),
            nn.Linear(16, 16),
            neuron.LIFNode(v_threshold=0.3),
        )
        self.channels = nn.Sequential(
            Rearrange("t b c n -> t b n c"),
            nn.Linear(16, 16),
            layer.SeqToANNContainer(nn.BatchNorm1d(16)),
            neuron.LIFNode(v_threshold=0.5),
        )
        self.pool = Reduce("t b n c -> t b c", "mean")
        self.head = nn.Linear(16, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        spikes = self.tokens(self.fire(self.embed(x)))
        return self.head(self.pool(self.channels(spikes)))


class Skips(nn.Module):
    """Currents that meet, 1x1 images, functions instead of modules, merges and splits."""

    def __init__(self) -> None:
        super().__init__()
        self.a = nn.Conv2d(2, 6, 8)
        self.b = nn.Linear(6, 6)
        self.norm = nn.BatchNorm1d(6)
        self.fire = nn.ModuleList(neuron.LIFNode(v_threshold=0.3) for _ in range(3))
        self.head = nn.Linear(12, 4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        t, n = x.shape[:2]
        current = self.a(x.flatten(0, 1)).view(t, n, 6, 1, 1)
        spikes = self.fire[0](current)
        mixed = rearrange(spikes, "t b c h w -> t b (h w) c")
        other = self.norm(self.b(mixed).flatten(0, 2)).view(t, n, 6)
        other = 1.0 - (0.75 - 0.5 * other)
        other = -(-other / 1.0)
        joined = self.fire[1](current.squeeze(-1).squeeze(-1) + other)
        other += joined
        both = torch.cat([joined, self.fire[2](other)], dim=-1)
        return self.head(both)


class Refused(nn.Module):
    """Four things that cannot be compiled, in one network."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(2, 4, 2, stride=2)
        self.norm = nn.LayerNorm(4)
        self.fire = neuron.LIFNode(step_mode="s")
        self.head = nn.Linear(4, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.conv(x).mean((2, 3))
        y = self.norm(y)
        if y.sum() > 0:
            y = y + 1.0
        y = torch.softmax(self.fire(y), dim=-1)
        return self.head(y + torch.rand(4))


def seeded(make: type[nn.Module], prepare=lively) -> nn.Module:
    torch.manual_seed(0)
    return prepare(make())


ZOO = {
    "jelly_conv": lambda: seeded(JellyConv, multi_step),
    "jelly_rates": lambda: seeded(JellyRates, multi_step),
    "single_step": lambda: seeded(SingleStep),
    "repeats_inside": lambda: seeded(RepeatsInside),
    "einops": lambda: seeded(Einops, multi_step),
    "skips": lambda: seeded(Skips, multi_step),
}
