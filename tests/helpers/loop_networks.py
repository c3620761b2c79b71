"""Networks whose loop over time is Python, as people write them; weights on a grid."""

from collections import deque
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from spikingjelly.activation_based import neuron
from torch import nn

STEPS, FEATURES, HIDDEN, CLASSES = 6, 5, 8, 3
Body = Callable[["Looped", torch.Tensor], Any]


class Fire(torch.autograd.Function):
    """A spike with a gradient of its own, as STBP code has it."""

    @staticmethod
    def forward(ctx: Any, v: torch.Tensor) -> torch.Tensor:  # type: ignore[override]
        ctx.save_for_backward(v)
        return v.gt(3.0).float()

    @staticmethod
    def backward(ctx: Any, grad: torch.Tensor) -> torch.Tensor:  # type: ignore[override]
        return grad


class Looped(nn.Module):
    """Two layers, a single-step net of the same two, and a body that loops over them.

    Attributes:
        steps: how long bodies loop that take one frame.
    """

    def __init__(self, body: Body) -> None:
        super().__init__()
        self.steps = STEPS
        self.body = body
        self.net = nn.Sequential(
            nn.Linear(FEATURES, HIDDEN),
            neuron.LIFNode(tau=2.0, v_threshold=2.0),
            nn.Linear(HIDDEN, CLASSES),
            neuron.IFNode(v_threshold=3.0, v_reset=None),
        )
        self.first, self.second = nn.Linear(FEATURES, HIDDEN), nn.Linear(HIDDEN, CLASSES)
        self.back = nn.Linear(CLASSES, HIDDEN)
        self.each = nn.ModuleList(nn.Linear(FEATURES, HIDDEN) for _ in range(2 * STEPS))
        self.deep = nn.ModuleList(nn.Linear(HIDDEN, HIDDEN) for _ in range(2))
        rng = np.random.default_rng(3)
        for module in self.modules():
            if isinstance(module, nn.Linear):
                weight = rng.integers(-40, 71, module.weight.shape)
                weight[:, 0] = 127
                module.weight.data = torch.from_numpy(weight / 64.0)
                module.bias.data = torch.from_numpy(rng.integers(-20, 21, module.bias.shape) / 64)
        self.double().eval()

    def forward(self, x: torch.Tensor) -> Any:
        return self.body(self, x)


def zeros(x: torch.Tensor, features: int = HIDDEN) -> torch.Tensor:
    """A membrane for every image of [T, B, F]."""
    return torch.zeros(x.size(1), features, dtype=torch.float64)


# What compiles: single-step modules in the user's loop.


def summed(self: Looped, x: torch.Tensor) -> Any:
    out = 0
    for _ in range(self.steps):
        out += self.net(x)
    return out / self.steps


def first_apart(self: Looped, x: torch.Tensor) -> Any:
    for t in range(self.steps):
        if t == 0:
            out = self.net(x)
        else:
            out += self.net(x)
    return out / self.steps


def generated(self: Looped, x: torch.Tensor) -> Any:
    return sum(self.net(x) for _ in range(self.steps)) / self.steps


def stacked_frames(self: Looped, x: torch.Tensor) -> Any:
    return torch.stack([self.net(x) for _ in range(self.steps)]).mean(0)


def length_in_code(self: Looped, x: torch.Tensor) -> Any:
    out = []
    for _ in range(6):
        out.append(self.net(x))
    return torch.stack(out, 1).mean(1)


def current_once(self: Looped, x: torch.Tensor) -> Any:
    """What does not change is computed before the loop."""
    current = self.net[0](x)
    return torch.stack([self.net[1:](current) for _ in range(self.steps)]).sum(0) / self.steps


def over_frames(self: Looped, x: torch.Tensor) -> Any:
    out = []
    for frame in x:
        out.append(self.net(frame))
    return torch.stack(out)


def by_number(self: Looped, x: torch.Tensor) -> Any:
    return torch.cat([self.net(x[t, ...]).unsqueeze(0) for t in range(x.shape[0])]).mean(0)


def while_loop(self: Looped, x: torch.Tensor) -> Any:
    t, total = 0, zeros(x, CLASSES)
    while t < len(x):
        total = total + self.net(x[t])
        t += 1
    return total / t


# What compiles: neurons that are populations.


def stbp(self: Looped, x: torch.Tensor) -> Any:
    membrane = spike = zeros(x)
    membrane_2 = spike_2 = total = zeros(x, CLASSES)
    for step in range(x.size(0)):
        membrane = membrane * 0.25 * (1 - spike) + self.first(x[step])
        spike = Fire.apply(membrane)
        membrane_2 = membrane_2 * 0.25 * (1 - spike_2) + self.second(spike)
        spike_2 = Fire.apply(membrane_2)
        total = total + spike_2
    return total / x.size(0)


def chosen(self: Looped, x: torch.Tensor) -> Any:
    membrane, out = torch.full((x.size(1), HIDDEN), 1.5), []
    for frame in x:
        membrane = 0.5 * membrane + self.first(frame)
        spike = (membrane >= 3.0).to(frame)
        membrane = torch.where(spike > 0, torch.zeros_like(membrane), membrane)
        out.append(self.net[3](self.second(spike)))
    return torch.stack(out)


def subtracted(self: Looped, x: torch.Tensor) -> Any:
    """Without a membrane before the first step."""
    out = []
    for t in range(x.size(0)):
        current = self.first(x[t])
        membrane = current if t == 0 else 0.5 * membrane + current  # noqa: F821
        spike = torch.heaviside(membrane - 3.0, torch.ones(1, dtype=torch.float64))
        membrane = membrane - 3.0 * spike
        out.append(self.net[3](self.second(spike)))
    return torch.stack(out)


def reset_of_the_last_step(self: Looped, x: torch.Tensor) -> Any:
    """The old membrane is compared once more, and reset to 0 before it leaks."""
    membrane, out = zeros(x), []
    for frame in x.unbind(0):
        before = (membrane - 3.0 > 0).double().detach()
        membrane = 0.5 * ((1 - before) * membrane) + self.first(frame)
        out.append(self.net[3](self.second((membrane - 3.0 > 0).double())))
    return torch.stack(out)


def in_place(self: Looped, x: torch.Tensor) -> Any:
    membrane, total = zeros(x), zeros(x, CLASSES)
    for frame in x:
        membrane.mul_(0.5).add_(self.first(frame))
        spike = (membrane > 3.0).double()
        membrane.mul_(1.0 - spike)
        total += self.net[3](self.second(spike))
    return total / len(x)


def reset_to_a_number(self: Looped, x: torch.Tensor) -> Any:
    membrane, out = zeros(x), []
    for frame in x:
        membrane = membrane / 2 + self.first(frame) + 0.25
        spike = torch.lt(3.0 - membrane, 0.0).double()
        membrane = membrane * (1 - spike) + 0.5 * spike
        out.append(self.net[3](self.second(spike)))
    return torch.stack(out)


def membrane_read(self: Looped, x: torch.Tensor) -> Any:
    membrane, out = zeros(x), []
    for frame in x:
        membrane = 0.5 * membrane + self.first(frame)
        membrane = membrane * (1 - Fire.apply(membrane))
        out.append(membrane)
    return torch.stack(out)


FRAMES = (summed, first_apart, generated, stacked_frames, length_in_code, current_once)
SEQUENCES = (over_frames, by_number, while_loop)
NEURONS = (
    stbp,
    chosen,
    subtracted,
    reset_of_the_last_step,
    in_place,
    reset_to_a_number,
    membrane_read,
)


# What is refused.


def own_weights(self: Looped, x: torch.Tensor) -> Any:
    return torch.stack([self.net[1](self.each[t](x[t])) for t in range(len(x))])


def leak_of_its_own(self: Looped, x: torch.Tensor) -> Any:
    membrane, out = zeros(x), []
    for t in range(len(x)):
        membrane = membrane / (t + 2.0) ** 2 + self.first(x[t])
        out.append(Fire.apply(membrane))
    return torch.stack(out)


def reversed_time(self: Looped, x: torch.Tensor) -> Any:
    return torch.stack([self.net(x[len(x) - 1 - t]) for t in range(len(x))])


def cut_late(self: Looped, x: torch.Tensor) -> Any:
    """From step 3 on another step."""
    membrane, out = zeros(x), []
    for t in range(len(x)):
        membrane = 0.5 * membrane + self.first(x[t])
        if t >= 3:
            membrane = membrane.relu()
        out.append(Fire.apply(membrane))
        membrane = membrane * (1 - out[-1])
    return torch.stack(out)


def odd_steps(self: Looped, x: torch.Tensor) -> Any:
    layers = (self.first, self.each[0])
    return torch.stack([self.net[1](layers[t % 2](x[t])) for t in range(len(x))])


def every_second(self: Looped, x: torch.Tensor) -> Any:
    slow, out = zeros(x), []
    for t in range(len(x)):
        if t % 2 == 0:
            slow = self.first(x[t])
        out.append(self.net[1](slow + self.each[0](x[t])))
    return torch.stack(out)


def feedback(self: Looped, x: torch.Tensor) -> Any:
    spike, out = zeros(x, CLASSES), []
    for frame in x:
        hidden = self.net[1](self.net[0](frame) + self.back(spike))
        spike = self.net[3](self.net[2](hidden))
        out.append(spike)
    return torch.stack(out)


def delayed(self: Looped, x: torch.Tensor) -> Any:
    line, out = deque([zeros(x)] * 2), []
    for frame in x:
        line.append(self.first(frame))
        out.append(self.net[1](line.popleft()))
    return torch.stack(out)


def never_reset(self: Looped, x: torch.Tensor) -> Any:
    membrane, out = zeros(x), []
    for frame in x:
        membrane = 0.5 * membrane + self.first(frame)
        out.append(Fire.apply(membrane))
    return torch.stack(out)


def other_amount(self: Looped, x: torch.Tensor) -> Any:
    membrane, out = zeros(x), []
    for frame in x:
        membrane = 0.5 * membrane + self.first(frame)
        out.append(Fire.apply(membrane))
        membrane = membrane - 2.0 * out[-1]
    return torch.stack(out)


def two_states(self: Looped, x: torch.Tensor) -> Any:
    current, membrane, out = zeros(x), zeros(x), []
    for frame in x:
        current = 0.5 * current + self.first(frame)
        membrane = 0.5 * membrane + current
        out.append(Fire.apply(membrane))
        membrane = membrane * (1 - out[-1])
    return torch.stack(out)


def squared(self: Looped, x: torch.Tensor) -> Any:
    membrane, out = zeros(x), []
    for frame in x:
        membrane = 0.125 * membrane * membrane + self.first(frame)
        out.append(Fire.apply(membrane))
        membrane = membrane * (1 - out[-1])
    return torch.stack(out)


def start_of_the_input(self: Looped, x: torch.Tensor) -> Any:
    membrane, out = self.each[0](x[0]), []
    for frame in x:
        membrane = 0.5 * membrane + self.first(frame)
        out.append(Fire.apply(membrane))
        membrane = membrane * (1 - out[-1])
    return torch.stack(out)


def twice_at_first(self: Looped, x: torch.Tensor) -> Any:
    out = []
    for t in range(len(x)):
        current = self.first(x[t])
        membrane = 2 * current if t == 0 else 0.5 * membrane + current  # noqa: F821
        out.append(Fire.apply(membrane))
        membrane = membrane * (1 - out[-1])
    return torch.stack(out)


def alternating(self: Looped, x: torch.Tensor) -> Any:
    """Membranes and spikes take turns in one list."""
    membrane, out = zeros(x), []
    for frame in x:
        membrane = 0.5 * membrane + self.first(frame)
        out += [membrane, Fire.apply(membrane)]
        membrane = membrane * (1 - out[-1])
    return torch.stack(out)


def numbered(self: Looped, x: torch.Tensor) -> Any:
    """The number of the step is computed with."""
    return torch.stack([self.net[1](self.first(x[t]) + t) for t in range(len(x))])


def all_steps_each_step(self: Looped, x: torch.Tensor) -> Any:
    return torch.stack([self.net(x + x[t]).mean(0) for t in range(len(x))])


def in_numpy(self: Looped, x: torch.Tensor) -> Any:
    membrane, out = np.zeros((x.size(1), HIDDEN)), []
    for frame in x:
        membrane = 0.5 * membrane + self.first(frame).numpy()
        out.append(torch.from_numpy((membrane > 3.0).astype(np.float64)))
    return torch.stack(out)


def through_a_view(self: Looped, x: torch.Tensor) -> Any:
    membrane, out = zeros(x), []
    for frame in x:
        membrane.view(-1).mul_(0.5)
        membrane = membrane + self.first(frame)
        out.append(Fire.apply(membrane))
        membrane = membrane * (1 - out[-1])
    return torch.stack(out)


def padded(self: Looped, x: torch.Tensor) -> Any:
    """A loop of two steps more than the input has."""
    x = torch.cat([x[:1], x[:1], x])
    return torch.stack([self.net(frame) for frame in x])[2:]


def early_exit(self: Looped, x: torch.Tensor) -> Any:
    total = zeros(x, CLASSES)
    for frame in x:
        total = total + self.net(frame)
        if total.max() > 2:
            break
    return total


def random_input(self: Looped, x: torch.Tensor) -> Any:
    return torch.stack([self.net((torch.rand_like(frame) < frame).double()) for frame in x])


def of_two_images(self: Looped, x: torch.Tensor) -> Any:
    """The number of images is a number in the code."""
    membrane, out = torch.zeros(2, HIDDEN), []
    for frame in x:
        membrane = 0.5 * membrane + self.first(frame)
        out.append(Fire.apply(membrane))
        membrane = membrane * (1 - out[-1])
    return torch.stack(out)


def kept(self: Looped, x: torch.Tensor) -> Any:
    """A membrane that is kept from one run to the next."""
    membrane = getattr(self, "membrane", zeros(x))
    out = []
    for frame in x:
        membrane = 0.5 * membrane + self.first(frame)
        out.append(Fire.apply(membrane))
        membrane = membrane * (1 - out[-1])
    self.membrane = membrane
    return torch.stack(out)


def reset_each_step(self: Looped, x: torch.Tensor) -> Any:
    out = []
    for frame in x:
        self.net[1].reset()
        out.append(self.net(frame))
    return torch.stack(out)


def membrane_changed(self: Looped, x: torch.Tensor) -> Any:
    out = []
    for frame in x:
        out.append(self.net(frame))
        self.net[1].v = 0.5 * self.net[1].v
    return torch.stack(out)


def threshold_of_its_own(self: Looped, x: torch.Tensor) -> Any:
    out = []
    for t in range(len(x)):
        self.net[1].v_threshold = 2.0 + 0.25 * t
        out.append(self.net(x[t]))
    return torch.stack(out)


def running_sums(self: Looped, x: torch.Tensor) -> Any:
    """All the sums are the answer, not the last one."""
    total, out = zeros(x, CLASSES), []
    for frame in x:
        total = total + self.net(frame)
        out.append(total)
    return torch.stack(out)


def through_data(self: Looped, x: torch.Tensor) -> Any:
    """The old membrane is read from memory that is overwritten by then."""
    membrane, out = zeros(x), []
    for frame in x:
        old = membrane.data
        membrane.mul_(0.5).add_(self.first(frame))
        out.append(Fire.apply(old + 0.0))
        membrane = membrane * (1 - Fire.apply(membrane))
    return torch.stack(out)


def weights_written(self: Looped, x: torch.Tensor) -> Any:
    out = []
    for frame in x:
        out.append(self.net(frame))
        self.net[0].weight.data.mul_(1.0625)
    return torch.stack(out)


def constants_written(self: Looped, x: torch.Tensor) -> Any:
    """NumPy writes into a constant's memory."""
    offset, out = torch.zeros(HIDDEN), []
    array = offset.numpy()
    for frame in x:
        out.append(self.net[1](self.first(frame) + offset))
        array += 0.5
    return torch.stack(out)


def counted(self: Looped, x: torch.Tensor) -> Any:
    """A counter of the model's that no run sets back."""
    out = []
    for frame in x:
        self.count = getattr(self, "count", 0) + 1
        out.append(self.net[1](self.first(frame) * self.count))
    return torch.stack(out)


def twice_a_step(self: Looped, x: torch.Tensor) -> Any:
    return torch.stack([self.net(frame) + self.net(2.0 * frame) for frame in x])


def averaged_inside(self: Looped, x: torch.Tensor) -> Any:
    """The number of steps is a number of every step."""
    out = 0
    for _ in range(self.steps):
        out += self.net(x) / self.steps
    return out


def preallocated(self: Looped, x: torch.Tensor) -> Any:
    out = torch.zeros(x.size(0), x.size(1), CLASSES)
    for t, frame in enumerate(x):
        out[t] = self.net(frame)
    return out.mean(0)


def columns(self: Looped, x: torch.Tensor) -> Any:
    out = torch.empty(x.size(1), x.size(0), CLASSES).zero_()
    for t in range(len(x)):
        out[:, t] = self.net(x[t])
    return out.sum(dim=1) / len(x)


def masked(self: Looped, x: torch.Tensor) -> Any:
    membrane, total = zeros(x), zeros(x, CLASSES)
    for frame in x:
        membrane.mul_(0.5).add_(self.first(frame))
        spike = Fire.apply(membrane)
        membrane[spike > 0] = 0.25
        total += self.net[3](self.second(spike))
    return total / len(x)


def some_rows(self: Looped, x: torch.Tensor) -> Any:
    """A row more than there are steps."""
    out = torch.zeros(x.size(0) + 1, x.size(1), CLASSES)
    for t in range(len(x)):
        out[t] = self.net(x[t])
    return out.mean(0)


def next_rows(self: Looped, x: torch.Tensor) -> Any:
    out = torch.zeros(x.size(0) + 1, x.size(1), CLASSES)
    for t in range(len(x)):
        out[t + 1] = self.net(x[t])
    return out.mean(0)


def one_row(self: Looped, x: torch.Tensor) -> Any:
    """All steps write into one row."""
    out = torch.zeros(x.size(0), x.size(1), CLASSES)
    for t in range(len(x)):
        out[0] = self.net(x[t])
    return out.mean(0)


def first_features(self: Looped, x: torch.Tensor) -> Any:
    membrane, out = zeros(x), []
    for frame in x:
        membrane = 0.5 * membrane + self.first(frame)
        spike = Fire.apply(membrane)
        membrane = membrane * (1 - spike)
        membrane[:, :2] = 0.0
        out.append(spike)
    return torch.stack(out)


def fired(self: Looped, membrane: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    spike = Fire.apply(membrane)
    return spike, membrane - 3.0 * spike


def layer_by_layer(self: Looped, x: torch.Tensor) -> Any:
    """All steps of a layer, then all of the next; one line for all layers."""
    values = [self.first(frame) for frame in x]
    for layer in self.deep:
        membrane, spikes = zeros(x), []
        for t in range(len(x)):
            spike, membrane = fired(self, 0.5 * membrane + values[t])
            spikes.append(layer(spike))
        values = spikes
    return torch.stack([self.net[2:](value) for value in values])


def step_by_step(self: Looped, x: torch.Tensor) -> Any:
    """All layers of a step, then the next; their membranes in a list."""
    membranes, out = [zeros(x) for _ in self.deep], []
    for frame in x:
        value = self.first(frame)
        for i, layer in enumerate(self.deep):
            spike, membranes[i] = fired(self, 0.5 * membranes[i] + value)
            value = layer(spike)
        out.append(self.net[2:](value))
    return torch.stack(out)


FRAMES = (*FRAMES, averaged_inside)
SEQUENCES = (*SEQUENCES, preallocated, columns)
NEURONS = (*NEURONS, masked, layer_by_layer, step_by_step)
