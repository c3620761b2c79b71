"""Networks whose level is known: what the field builds, cut down to one block each."""

import torch
from spikingjelly.activation_based import functional, layer, neuron
from torch import nn

from snncc.frontends.mixer_snn.config import MixerConfig
from snncc.frontends.mixer_snn.model import MixerSNN

SHAPE = (3, 16, 16)
STEPS = 4


def multi_step(net: nn.Module) -> nn.Module:
    functional.set_step_mode(net, "m")
    generator = torch.Generator().manual_seed(0)
    for module in net.modules():
        if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d):
            module.weight.data = torch.rand(module.num_features, generator=generator) + 0.5
            module.bias.data = torch.randn(module.num_features, generator=generator)
    return net.eval()


def conv_bn(inputs: int, outputs: int, kernel: int = 3, stride: int = 1) -> nn.Sequential:
    pad = kernel // 2
    conv = layer.Conv2d(inputs, outputs, kernel, stride, pad, bias=False)
    return nn.Sequential(conv, layer.BatchNorm2d(outputs))


class Head(nn.Module):
    """[T, B, C, H, W] spikes to logits."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.fc = nn.Linear(channels, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.fc(x.mean((3, 4))).mean(0)


# Mixer-SNN.


def mixer(variant: str = "patch_cell") -> nn.Module:
    torch.manual_seed(0)
    config = MixerConfig(
        *(12, (1, 1), 3, 4, 16, 3, 5),
        patch_cell=variant != "strided",
        identity_norm=variant == "identity_norm",
        scale_steps=STEPS if variant == "temporal_norm" else 0,
    )
    net = MixerSNN(config)
    for name, parameter in net.named_parameters():
        if name.endswith(".scale"):
            parameter.data = torch.rand(STEPS) + 0.5
    if variant == "layer_norm":
        for i, width in enumerate((12, 24)):
            layers = net.channel_mix[i][1].net
            layers[1], layers[4] = nn.LayerNorm(3 * width), nn.LayerNorm(width)
    return multi_step(net)


# Residual networks.


class Sew(nn.Module):
    """Spike-element-wise residual: two convolutions, the shortcut's spikes join at the end."""

    def __init__(self, join: str) -> None:
        super().__init__()
        self.join = join
        self.stem = nn.Sequential(conv_bn(3, 8), neuron.IFNode())
        self.conv1 = nn.Sequential(conv_bn(8, 8), neuron.IFNode())
        self.conv2 = nn.Sequential(conv_bn(8, 8), neuron.IFNode())
        self.next = nn.Sequential(conv_bn(8, 8), neuron.IFNode())
        self.head = Head(8)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.stem(x)
        y = self.conv2(self.conv1(x))
        joined = {"ADD": lambda: x + y, "AND": lambda: x * y, "IAND": lambda: (1.0 - y) * x}
        return self.head(self.next(joined[self.join]()))


class MembraneShortcut(nn.Module):
    """MS-ResNet: currents are the residual stream, a strided 1x1 convolution shortens it."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = conv_bn(3, 8)
        self.block = nn.Sequential(neuron.LIFNode(), conv_bn(8, 16, stride=2))
        self.shortcut = conv_bn(8, 16, kernel=1, stride=2)
        self.fire = neuron.LIFNode()
        self.head = Head(16)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        current = self.stem(x)
        return self.head(self.fire(self.block(current) + self.shortcut(current)))


class SharedCurrent(nn.Module):
    """A BatchNorm over its map's own output axis, whose input has a second reader."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(conv_bn(3, 8), neuron.LIFNode())
        self.conv = layer.Conv2d(8, 8, 3, padding=1)
        self.norm = layer.BatchNorm2d(8)
        self.fire = neuron.LIFNode()
        self.head = Head(8)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        current = self.conv(self.stem(x))
        return self.head(self.fire(current + self.norm(current)))


class Pooled(nn.Module):
    """A pooling of spikes before a convolution."""

    def __init__(self, pool: nn.Module) -> None:
        super().__init__()
        self.stem = nn.Sequential(conv_bn(3, 8), neuron.LIFNode())
        self.pool = pool
        self.conv = nn.Sequential(conv_bn(8, 8), neuron.LIFNode())
        self.head = Head(8)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.conv(self.pool(self.stem(x))))


# Attention.


class Attention(nn.Module):
    """Heads over tokens; `spiking`: binary Q, K, V and no softmax (scale 0.125, threshold 0.5)."""

    def __init__(self, spiking: bool) -> None:
        super().__init__()
        self.spiking = spiking
        self.stem = nn.Sequential(conv_bn(3, 16, 4, 4), neuron.LIFNode())
        self.linear = nn.ModuleList(nn.Linear(16, 16, bias=False) for _ in range(3))
        self.norm = nn.ModuleList(nn.BatchNorm1d(16) for _ in range(3))
        self.fire = nn.ModuleList(neuron.LIFNode() for _ in range(3))
        self.attend = neuron.LIFNode(v_threshold=0.5)
        self.proj = nn.Linear(16, 16)
        self.last = neuron.LIFNode()
        self.fc = nn.Linear(16, 3)

    def branch(self, i: int, x: torch.Tensor) -> torch.Tensor:
        t, b, n, c = x.shape
        y = self.linear[i](x).flatten(0, 1).transpose(1, 2)
        y = self.norm[i](y).transpose(1, 2).reshape(t, b, n, c)
        y = self.fire[i](y) if self.spiking else y
        return y.reshape(t, b, n, 4, c // 4).permute(0, 1, 3, 2, 4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.stem(x).flatten(3).transpose(2, 3)
        q, k, v = (self.branch(i, x) for i in range(3))
        if self.spiking:
            y = (q @ (k.transpose(-2, -1) @ v)) * 0.125
        else:
            y = torch.softmax((q @ k.transpose(-2, -1)) * 0.125, dim=-1) @ v
        y = self.attend(y.transpose(2, 3).reshape(x.shape))
        return self.fc(self.last(self.proj(y)).mean(2)).mean(0)


# Real activations.


class Between(nn.Module):
    """Something real between two convolutions."""

    def __init__(self, middle: nn.Module) -> None:
        super().__init__()
        self.stem = nn.Sequential(conv_bn(3, 8), neuron.LIFNode())
        self.first = conv_bn(8, 8)
        self.middle = middle
        self.second = conv_bn(8, 8)
        self.fire = neuron.LIFNode()
        self.head = Head(8)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.middle(self.first(self.stem(x)))
        return self.head(self.fire(self.second(y)))


class AnnMixer(nn.Module):
    """One block of an MLP-Mixer: the negative control."""

    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Conv2d(3, 8, 4, 4)
        self.norm1, self.norm2 = nn.LayerNorm(8), nn.LayerNorm(8)
        self.tokens = nn.Sequential(nn.Linear(16, 32), nn.GELU(), nn.Linear(32, 16))
        self.channels = nn.Sequential(nn.Linear(8, 32), nn.GELU(), nn.Linear(32, 8))
        self.head = nn.Linear(8, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.embed(x).flatten(2).transpose(1, 2)
        x = x + self.tokens(self.norm1(x).transpose(1, 2)).transpose(1, 2)
        x = x + self.channels(self.norm2(x))
        return self.head(x.mean(1))


class Gated(nn.Module):
    """Products of two values: `mask` by a spike, `count` of two counts, `real` of two currents."""

    def __init__(self, kind: str) -> None:
        super().__init__()
        self.kind = kind
        self.stem = nn.Sequential(conv_bn(3, 8), neuron.LIFNode())
        self.one, self.two = conv_bn(8, 8), conv_bn(8, 8)
        self.fire = nn.ModuleList(neuron.LIFNode() for _ in range(3))
        self.head = Head(8)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.stem(x)
        a, b = self.one(x), self.two(x)
        if self.kind == "mask":
            product = self.fire[0](a) * b
        elif self.kind == "count":
            product = (x + self.fire[0](a)) * (x + self.fire[1](b))
        else:
            product = a * b
        return self.head(self.fire[2](product))


class Hand(nn.Module):
    """A neuron written by hand, step by step: leak 1/4, reset to 0, fires above 0.5."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = conv_bn(3, 8), conv_bn(8, 8)
        self.head = Head(8)

    def fire(self, x: torch.Tensor) -> torch.Tensor:
        membrane, spike = torch.zeros_like(x[0]), torch.zeros_like(x[0])
        spikes = []
        for step in range(x.shape[0]):
            membrane = membrane * 0.25 * (1 - spike) + x[step]
            spike = membrane.gt(0.5).float()
            spikes.append(spike)
        return torch.stack(spikes)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.fire(self.second(self.fire(self.first(x)))))


class HandTwo(Hand):
    """Likewise, but reset from 0.75 on only: no population of a program says that."""

    def fire(self, x: torch.Tensor) -> torch.Tensor:
        membrane, reset = torch.zeros_like(x[0]), torch.zeros_like(x[0])
        spikes = []
        for step in range(x.shape[0]):
            membrane = membrane * 0.25 * (1 - reset) + x[step]
            reset = membrane.gt(0.75).float()
            spikes.append(membrane.gt(0.5).float())
        return torch.stack(spikes)


class Leaks(nn.Module):
    """Leaks 2/3 and 1/5 that no shift gives."""

    def __init__(self) -> None:
        super().__init__()
        self.net = nn.Sequential(
            conv_bn(3, 8),
            neuron.ParametricLIFNode(init_tau=3.0),
            conv_bn(8, 8),
            neuron.LIFNode(tau=1.25),
        )
        self.head = Head(8)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.net(x))


def make(name: str) -> nn.Module:
    torch.manual_seed(0)
    return multi_step(ZOO[name]())


ZOO = {
    "sew_add": lambda: Sew("ADD"),
    "sew_and": lambda: Sew("AND"),
    "sew_iand": lambda: Sew("IAND"),
    "membrane_shortcut": MembraneShortcut,
    "shared_current": SharedCurrent,
    "max_pool": lambda: Pooled(layer.MaxPool2d(2)),
    "average_pool": lambda: Pooled(layer.AvgPool2d(2)),
    "spiking_attention": lambda: Attention(True),
    "softmax_attention": lambda: Attention(False),
    "layer_norm": lambda: Between(nn.LayerNorm((8, 16, 16))),
    "gelu": lambda: Between(nn.GELU()),
    "relu": lambda: Between(nn.ReLU()),
    "ann_mixer": AnnMixer,
    "hand_written": Hand,
    "hand_written_two": HandTwo,
    "leaks": Leaks,
    "mask": lambda: Gated("mask"),
    "count_product": lambda: Gated("count"),
    "real_product": lambda: Gated("real"),
}
