"""Mixer-SNN in PyTorch, with the parameter names of its public implementation.

Source: "Efficient Deep Spiking Multi-Layer Perceptrons with Multiplication-Free Inference". Every
tensor is [T, B, ...]. Skips add membrane currents, never spikes: a stage's entry current is added
again before each of its neurons.
"""

from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import Any

import torch
from torch import nn

from snncc.frontends.mixer_snn.config import MixerConfig
from snncc.frontends.mixer_snn.neuron import LIF, NeuronOptions, ParametricLIF


def split_steps(y: torch.Tensor, like: torch.Tensor) -> torch.Tensor:
    """[T*B, ...] as [T, B, ...] again."""
    return y.view(like.shape[0], like.shape[1], *y.shape[1:])


class PerStep(nn.Sequential):
    """Layers for [N, ...] applied to [T, B, ...]: time and batch are merged around them."""

    def forward(self, input: torch.Tensor) -> torch.Tensor:
        y = input.flatten(0, 1)
        for layer in self:
            y = layer(y)
        return split_steps(y, input)


class _ScaledSteps(nn.Module):
    """Temporal effective BatchNorm: what a norm gives at step t is scaled by k_t.

    Takes [T*B, ...]. Source: Duan et al. 2022, "Temporal Effective Batch Normalization in Spiking
    Neural Networks".
    """

    scale: nn.Parameter

    def forward(self, input: torch.Tensor) -> torch.Tensor:
        y: torch.Tensor = super().forward(input)
        steps = len(self.scale)
        by_step = y.view(steps, -1, *y.shape[1:])
        scaled: torch.Tensor = by_step * self.scale.view(steps, *(1 for _ in y.shape))
        return scaled.flatten(0, 1)


class ScaledBatchNorm1d(_ScaledSteps, nn.BatchNorm1d):
    """BatchNorm1d with a scale for every step."""

    def __init__(self, size: int, steps: int) -> None:
        super().__init__(size)
        self.scale = nn.Parameter(torch.ones(steps))


class ScaledBatchNorm2d(_ScaledSteps, nn.BatchNorm2d):
    """BatchNorm2d with a scale for every step."""

    def __init__(self, size: int, steps: int) -> None:
        super().__init__(size)
        self.scale = nn.Parameter(torch.ones(steps))


@dataclass(frozen=True)
class Parts:
    """Makes the parts in which the variants differ: norms and neurons."""

    scale_steps: int
    learned_tau: bool
    neuron: NeuronOptions

    def lif(self) -> LIF:
        return (ParametricLIF if self.learned_tau else LIF)(**asdict(self.neuron))

    def norm1d(self, size: int) -> nn.Module:
        steps = self.scale_steps
        return ScaledBatchNorm1d(size, steps) if steps else nn.BatchNorm1d(size)

    def norm2d(self, size: int) -> nn.Module:
        steps = self.scale_steps
        return ScaledBatchNorm2d(size, steps) if steps else nn.BatchNorm2d(size)

    def conv_bn(self, inputs: int, outputs: int, kernel: int, stride: int) -> PerStep:
        padding = 1 if kernel == 3 else 0
        conv = nn.Conv2d(inputs, outputs, kernel, stride, padding, bias=False)
        return PerStep(conv, self.norm2d(outputs))


class PatchCell(nn.Module):
    """Spiking patch encoding: [T, B, C, H, W] spikes to [T, B, 2C, H/2, W/2] currents."""

    def __init__(self, parts: Parts, inputs: int, outputs: int) -> None:
        super().__init__()
        width = outputs // 3
        self.cell2node = nn.ModuleList(parts.conv_bn(inputs, width, 3, 2) for _ in range(3))
        self.node1_node2 = parts.conv_bn(width, width, 3, 1)
        self.node2_node3 = parts.conv_bn(width, width, 3, 1)
        self.lif = nn.ModuleList(parts.lif() for _ in range(2))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        node1 = self.cell2node[0](x)
        node2 = self.cell2node[1](x) + self.node1_node2(self.lif[0](node1))
        node3 = self.cell2node[2](x) + node1 + self.node2_node3(self.lif[1](node2))
        currents: torch.Tensor = torch.cat([node1, node2, node3], dim=2)
        return currents


class Permute(nn.Module):
    """Another order of the dimensions."""

    def __init__(self, *order: int) -> None:
        super().__init__()
        self.order = order

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.permute(self.order)


class AxisMix(nn.Sequential):
    """Mixes along one image axis: the axis stands in the channel's place for a 1x1 convolution."""

    def __init__(self, parts: Parts, size: int, order: tuple[int, ...]) -> None:
        back = tuple(order.index(i) for i in range(5))
        conv, norm = nn.Conv2d(size, size, 1), parts.norm2d(size)
        super().__init__(Permute(*order), conv, norm, parts.lif(), Permute(*back))

    def forward(self, input: torch.Tensor) -> torch.Tensor:
        into, conv, norm, fire, back = self
        x = into(input)
        y = split_steps(norm(conv(x.flatten(0, 1))), x)
        spikes: torch.Tensor = back(fire(y))
        return spikes


class TokenMix(nn.Module):
    """Mixes along height and width; [T, B, C, H, W] spikes to currents of the same shape."""

    def __init__(
        self, parts: Parts, channels: int, height: int, width: int, identity_norm: bool
    ) -> None:
        super().__init__()
        self.identity_norm = identity_norm
        if identity_norm:
            self.BN = parts.norm2d(channels)
            self.activation = parts.lif()
        self.proj_w = AxisMix(parts, width, (0, 1, 4, 2, 3))
        self.proj_h = AxisMix(parts, height, (0, 1, 3, 2, 4))
        self.fuse = parts.conv_bn(3 * channels, channels, 1, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        same = x
        if self.identity_norm:
            same = self.activation(split_steps(self.BN(x.flatten(0, 1)), x))
        y: torch.Tensor = self.fuse(torch.cat([same, self.proj_h(x), self.proj_w(x)], dim=2))
        return y


class FeedForward(nn.Module):
    """Mixes channels; its BatchNorms run over tokens. [T, B, N, C] spikes to currents."""

    def __init__(self, parts: Parts, channels: int, hidden: int, tokens: int) -> None:
        super().__init__()
        self.net = nn.Sequential(
            nn.Linear(channels, hidden),
            parts.norm1d(tokens),
            parts.lif(),
            nn.Linear(hidden, channels),
            parts.norm1d(tokens),
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        first, norm1, fire, second, norm2 = self.net
        y = split_steps(norm1(first(x).flatten(0, 1)), x)
        return split_steps(norm2(second(fire(y)).flatten(0, 1)), x)


class ToTokens(nn.Module):
    """[T, B, C, H, W] to [T, B, H*W, C]."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.flatten(3).transpose(2, 3)


class FromTokens(nn.Module):
    """[T, B, H*W, C] to [T, B, C, H, W]."""

    def __init__(self, height: int, width: int) -> None:
        super().__init__()
        self.size = (height, width)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = x.transpose(2, 3)
        return y.reshape(*y.shape[:3], *self.size)


class MeanOverSpace(nn.Module):
    """[T, B, C, H, W] to [T, B, C]."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.mean((3, 4))


class MixerSNN(nn.Module):
    """The network. Input [T, B, in_channels, image_size, image_size], output [T, B, classes].

    Args:
        config: shape and variant.
        neuron: parameters of all its neurons.

    Raises:
        ValueError: dim is no multiple of 3 with the patch cell, or the image does not divide.
    """

    def __init__(self, config: MixerConfig, neuron: NeuronOptions | None = None) -> None:
        super().__init__()
        stages = len(config.depths)
        side = config.image_size // config.patch_size
        if config.patch_cell and stages > 1 and config.dim % 3:
            raise ValueError(f"dim {config.dim} is no multiple of 3, which the patch cell needs")
        if config.image_size % (config.patch_size * 2 ** (stages - 1)):
            raise ValueError(f"an image of side {config.image_size} does not divide into patches")
        parts = Parts(config.scale_steps, config.learned_tau, neuron or NeuronOptions())
        self.depths = config.depths
        channels = [config.dim * 2**i for i in range(stages)]
        patch = config.patch_size
        self.to_patch_embedding = nn.ModuleList(
            [parts.conv_bn(config.in_channels, config.dim, patch, patch)]
        )
        for a, b in pairwise(channels):
            later: Any = PatchCell(parts, a, b) if config.patch_cell else parts.conv_bn(a, b, 2, 2)
            self.to_patch_embedding.append(later)
        self.to_patch_embedding_lif = nn.ModuleList(parts.lif() for _ in channels)
        self.token_mix, self.channel_mix = nn.ModuleList(), nn.ModuleList()
        for i, depth in enumerate(config.depths):
            size, width = side // 2**i, channels[i]
            for _ in range(depth):
                self.token_mix.append(TokenMix(parts, width, size, size, config.identity_norm))
                mixer = FeedForward(parts, width, config.alpha * width, size * size)
                self.channel_mix.append(nn.Sequential(ToTokens(), mixer, FromTokens(size, size)))
        blocks = sum(config.depths)
        self.token_mix_lif = nn.ModuleList(parts.lif() for _ in range(blocks))
        self.channel_mix_lif = nn.ModuleList(parts.lif() for _ in range(blocks))
        self.batch_norm = parts.norm2d(channels[-1])
        self.mlp_head = nn.Sequential(MeanOverSpace(), nn.Linear(channels[-1], config.num_classes))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        block = 0
        for stage, depth in enumerate(self.depths):
            entry = self.to_patch_embedding[stage](x)
            x = self.to_patch_embedding_lif[stage](entry)
            for _ in range(depth):
                tokens = self.token_mix[block](x)
                x = self.token_mix_lif[block](entry + tokens)
                channels = self.channel_mix[block](x)
                x = self.channel_mix_lif[block](entry + tokens + channels)
                block += 1
        y = split_steps(self.batch_norm(x.flatten(0, 1)), x)
        logits: torch.Tensor = self.mlp_head(y)
        return logits
