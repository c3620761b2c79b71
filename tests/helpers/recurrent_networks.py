"""Networks whose loop over time feeds spikes back, or reads older steps, as people write them."""

from collections import deque
from typing import Any

import torch
from loop_networks import CLASSES, HIDDEN, Body, Fire, Looped, delayed, feedback, zeros
from torch import nn

# What compiles.


def own_spikes(self: Looped, x: torch.Tensor) -> Any:
    spike, out = zeros(x), []
    for frame in x:
        spike = self.net[1](self.first(frame) + self.deep[0](spike))
        out.append(spike)
    return torch.stack(out)


def by_hand(self: Looped, x: torch.Tensor) -> Any:
    """The spikes of the step before reset the membrane, and come back through a linear map."""
    v, spike, out = zeros(x), zeros(x), []
    for frame in x:
        v = 0.5 * v * (1 - spike) + self.first(frame) + self.deep[0](spike)
        spike = Fire.apply(v)
        out.append(spike)
    return torch.stack(out)


def back_over_two_layers(self: Looped, x: torch.Tensor) -> Any:
    v, s, u, r, out = zeros(x), zeros(x), zeros(x, CLASSES), zeros(x, CLASSES), []
    for frame in x:
        v = 0.5 * v * (1 - s) + self.first(frame) + self.back(r)
        s = Fire.apply(v)
        u = u * (1 - r) + self.second(s)
        r = Fire.apply(u)
        out.append(r)
    return torch.stack(out)


def three_ago(self: Looped, x: torch.Tensor) -> Any:
    line, out = deque([zeros(x)] * 3), []
    for frame in x:
        spike = self.net[1](self.first(frame) + self.deep[0](line.popleft()))
        line.append(spike)
        out.append(spike)
    return torch.stack(out)


def one_and_two_ago(self: Looped, x: torch.Tensor) -> Any:
    """Two delays of one layer's spikes, in a list."""
    spikes = [zeros(x), zeros(x)]
    for frame in x:
        current = self.first(frame) + self.deep[0](spikes[-1]) + self.deep[1](spikes[-2])
        spikes.append(self.net[1](current))
    return torch.stack(spikes[2:])


def added_spikes(self: Looped, x: torch.Tensor) -> Any:
    spike, out = zeros(x), []
    for frame in x:
        spike = self.net[1](self.first(frame) + spike)
        out.append(spike)
    return torch.stack(out)


def joined_spikes(self: Looped, x: torch.Tensor) -> Any:
    """One map over the current and the spikes of the step before, as SpikingJelly's container."""
    spike, out = zeros(x, CLASSES), []
    for frame in x:
        both = torch.cat((self.net[0](frame)[:, : HIDDEN - CLASSES], spike), dim=-1)
        spike = self.net[3](self.net[2](both))
        out.append(spike)
    return torch.stack(out)


def late_input(self: Looped, x: torch.Tensor) -> Any:
    """A delayed current without a loop, and spikes of the step before in the next layer."""
    line, before, out = deque([zeros(x)] * 2), zeros(x), []
    for frame in x:
        line.append(self.first(frame))
        hidden = self.net[1](line.popleft())
        out.append(self.net[3](self.net[2](before)))
        before = hidden
    return torch.stack(out)


def scaled_by_one(self: Looped, x: torch.Tensor) -> Any:
    """As snnTorch does: a late reset, and spikes that are multiplied by a factor of 1."""
    v, spike, one, out = zeros(x), zeros(x), torch.ones(()), []
    for frame in x:
        reset = (v - 1 > 0).to(v.dtype)
        v = 0.5 * v + (self.first(frame) + self.deep[0](spike)) - reset
        spike = (v - 1 > 0).to(v.dtype) * one
        out.append(spike)
    return torch.stack(out)


def in_two_loops(self: Looped, x: torch.Tensor) -> Any:
    """A layer that reads itself, and one behind it that does too."""
    s, r, out = zeros(x), zeros(x, CLASSES), []
    for frame in x:
        s = self.net[1](self.first(frame) + self.deep[0](s))
        r = self.net[3](self.net[2](s) - 0.5 * r)
        out.append(r)
    return torch.stack(out)


COMPILE: tuple[Body, ...] = (
    feedback,
    delayed,
    own_spikes,
    by_hand,
    back_over_two_layers,
    three_ago,
    one_and_two_ago,
    added_spikes,
    joined_spikes,
    late_input,
    in_two_loops,
    scaled_by_one,
)


# What is refused.


def membrane_fed_back(self: Looped, x: torch.Tensor) -> Any:
    v, out = zeros(x), []
    for frame in x:
        v = 0.5 * v + self.first(frame) + self.deep[0](v)
        spike = Fire.apply(v)
        v = v * (1 - spike)
        out.append(spike)
    return torch.stack(out)


def starts_with_spikes(self: Looped, x: torch.Tensor) -> Any:
    spike, out = zeros(x) + 1.0, []
    for frame in x:
        spike = self.net[1](self.first(frame) + self.deep[0](spike))
        out.append(spike)
    return torch.stack(out)


def forgets_at_first(self: Looped, x: torch.Tensor) -> Any:
    """The first step leaves the map's bias out, which zeros would not."""
    spike, out = zeros(x), []
    for t, frame in enumerate(x):
        current = self.first(frame)
        if t > 0:
            current = current + self.deep[0](spike)
        spike = self.net[1](current)
        out.append(spike)
    return torch.stack(out)


def other_constant_at_first(self: Looped, x: torch.Tensor) -> Any:
    """What the first step adds is no bias of the map, but zeros."""
    back, spike, out = zeros(x), zeros(x), []
    for t, frame in enumerate(x):
        if t > 0:
            back = self.deep[0](spike)
        spike = self.net[1](self.first(frame) + back)
        out.append(spike)
    return torch.stack(out)


def current_fed_back(self: Looped, x: torch.Tensor) -> Any:
    """A map's result of the step before, with its bias: another current at the first step."""
    back, out = zeros(x), []
    for frame in x:
        spike = self.net[1](self.first(frame) + back)
        back = self.deep[0](spike)
        out.append(spike)
    return torch.stack(out)


class Grid(nn.Module):
    """Feature maps that feed spikes back over two layers, as backward edges of SNASNet do."""

    def __init__(self, fire: nn.Module, other: nn.Module) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(4)
        self.first, self.back = nn.Conv2d(1, 4, 3, padding=1), nn.Conv2d(4, 4, 3, padding=1)
        self.second = nn.Conv2d(4, 4, 3, padding=1)
        self.fire, self.other, self.head = fire, other, nn.Linear(64, 3)
        for parameter in self.parameters():
            whole = torch.randint(-24, 40, parameter.shape, generator=generator)
            parameter.data = whole.double() / 32
        self.double().eval()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        spike = torch.zeros(x.size(1), 4, 4, 4, dtype=x.dtype)
        out = []
        for frame in x:
            hidden = self.fire(self.first(frame) + self.back(spike))
            spike = self.other(self.second(hidden))
            out.append(self.head(spike.flatten(1)))
        return torch.stack(out).mean(0)
