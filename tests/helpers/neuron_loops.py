"""Neurons of several kinds, written as loops over time, as libraries and papers write them.

All of a network's currents are multiples of 1/64 and all leaks powers of 1/2, so that float64 is
exact. `Fire` fires above 3.
"""

from collections.abc import Callable
from typing import Any

import torch
from loop_networks import CLASSES, HIDDEN, Fire, Looped, zeros
from torch import nn

Step = Callable[..., tuple[torch.Tensor, ...]]


def spikes(step: Step, states: int, *, first: bool = True) -> Callable[[Looped, torch.Tensor], Any]:
    """A body: one layer of neurons, each step from the states the last one left.

    Args:
        step: of current and states to what is read and the next states.
        states: how many there are, all of them 0 at first.
        first: whether the layer is the network's first, of HIDDEN neurons.
    """

    def body(self: Looped, x: torch.Tensor) -> Any:
        kept: tuple[torch.Tensor, ...] = (zeros(x),) * states
        out: list[torch.Tensor] = []
        for frame in x:
            read, *rest = step(self.first(frame), *kept)
            kept = tuple(rest)
            out.append(read)
        return torch.stack(out)

    body.__name__ = step.__name__
    return body


def fire(v: torch.Tensor) -> torch.Tensor:
    fired: torch.Tensor = Fire.apply(v)  # type: ignore[no-untyped-call]
    return fired


# One state.


def late_subtract(x: torch.Tensor, v: torch.Tensor) -> tuple[torch.Tensor, ...]:
    """The reset is worked out anew from the membrane that the last step left."""
    reset = fire(v).clone().detach()
    v = 0.5 * v + x - reset * 3.0
    return fire(v), v


def late_zero(x: torch.Tensor, v: torch.Tensor) -> tuple[torch.Tensor, ...]:
    """The input after a spike is kept."""
    v = 0.5 * ((1 - fire(v)) * v) + x
    return fire(v), v


def late_all(x: torch.Tensor, v: torch.Tensor) -> tuple[torch.Tensor, ...]:
    """The input after a spike is lost."""
    reset = fire(v)
    charged = 0.5 * v + x
    v = charged - reset * charged
    return fire(v), v


def zero_at_once(x: torch.Tensor, v: torch.Tensor) -> tuple[torch.Tensor, ...]:
    """The reset that is worked out anew finds a membrane that was reset already: it is 0."""
    reset = fire(v)
    v = 0.5 * ((1 - reset) * v) + x
    spike = fire(v)
    return spike, v - (spike - reset) * v


def no_reset(x: torch.Tensor, v: torch.Tensor) -> tuple[torch.Tensor, ...]:
    v = 0.5 * v + x
    return fire(v), v


def own_amount(x: torch.Tensor, v: torch.Tensor) -> tuple[torch.Tensor, ...]:
    v = 0.5 * v + x
    spike = fire(v)
    return spike, v - 2.0 * spike


def partly_kept(x: torch.Tensor, v: torch.Tensor) -> tuple[torch.Tensor, ...]:
    v = 0.5 * v + x
    spike = fire(v)
    return spike, torch.where(spike > 0, 0.5 * v, v)


def held_above(x: torch.Tensor, v: torch.Tensor) -> tuple[torch.Tensor, ...]:
    v = 0.5 * v + x
    spike = fire(v)
    return spike, nn.functional.relu(v - 3.0 * spike + 1.0) - 1.0


def rectified(x: torch.Tensor, v: torch.Tensor) -> tuple[torch.Tensor, ...]:
    v = torch.clamp(0.5 * v + x, min=0.25)
    spike = fire(v)
    return spike, v - 2.0 * spike


# Several states.


def synapse(x: torch.Tensor, i: torch.Tensor, v: torch.Tensor) -> tuple[torch.Tensor, ...]:
    """The membrane reads the current of this step, and is reset late."""
    reset = fire(v)
    i = 0.5 * i + x
    v = 0.5 * v + i - 3.0 * reset
    return fire(v), i, v


def synapse_lost(x: torch.Tensor, i: torch.Tensor, v: torch.Tensor) -> tuple[torch.Tensor, ...]:
    """What reaches the membrane after a spike is lost; the synapse goes on."""
    reset = fire(v)
    i = 0.5 * i + x
    v = (1 - reset) * (0.5 * v + i)
    return fire(v), i, v


def jump_first(x: torch.Tensor, i: torch.Tensor, v: torch.Tensor) -> tuple[torch.Tensor, ...]:
    """The membrane reads the current with the jump, before it decays."""
    jump = i + x
    v = v + 0.5 * ((0.0 - v) + jump)
    spike = fire(v)
    return spike, jump - 0.5 * jump, (1 - spike) * v


def old_synapse(x: torch.Tensor, i: torch.Tensor, v: torch.Tensor) -> tuple[torch.Tensor, ...]:
    """The membrane reads its input, and the current of the step before."""
    v = 0.5 * v + 0.25 * i + x
    spike = fire(v)
    return spike, 0.5 * i + 2.0 * x, v * (1 - spike)


def two_synapses(
    x: torch.Tensor, a: torch.Tensor, b: torch.Tensor, v: torch.Tensor
) -> tuple[torch.Tensor, ...]:
    """The membrane is made of two currents anew in every step."""
    reset = fire(v)
    a = 0.5 * a + x
    b = 0.25 * b - x
    v = 2.0 * (a + b) - reset * 3.0
    return fire(v), a, b, v


def adaptive(x: torch.Tensor, b: torch.Tensor, v: torch.Tensor) -> tuple[torch.Tensor, ...]:
    """The threshold rises with every spike, and the membrane loses it."""
    v = 0.5 * v + x
    spike = (v - (1.0 + b) > 0).double()
    return spike, 0.5 * b + spike, v - spike * (1.0 + b)


# What never fires.


def membrane(x: torch.Tensor, v: torch.Tensor) -> tuple[torch.Tensor, ...]:
    v = 0.5 * v + x
    return v, v


def membrane_of_a_synapse(
    x: torch.Tensor, i: torch.Tensor, v: torch.Tensor
) -> tuple[torch.Tensor, ...]:
    jump = i + x
    v = v + 0.5 * ((0.25 - v) + jump)
    return v + 1.0, 0.5 * jump, v


# What fires, and whose membrane is the answer.


def read_while_firing(x: torch.Tensor, v: torch.Tensor) -> tuple[torch.Tensor, ...]:
    reset = fire(v)
    v = 0.5 * v + x - 3.0 * reset
    return v, v


def read_behind_the_reset(x: torch.Tensor, v: torch.Tensor) -> tuple[torch.Tensor, ...]:
    v = 0.5 * v + x
    v = v - 2.0 * fire(v)
    return v, v


def read_behind_a_synapse(
    x: torch.Tensor, i: torch.Tensor, v: torch.Tensor
) -> tuple[torch.Tensor, ...]:
    """The spike takes from the membrane in the next step, and from the synapse at once."""
    reset = fire(v)
    v = 0.5 * v + 0.5 * i + x - 3.0 * reset
    i = 0.5 * i + x - 0.5 * fire(v)
    return v, i, v


def twice_compared(x: torch.Tensor, v: torch.Tensor) -> tuple[torch.Tensor, ...]:
    v = 0.5 * v + x
    up, down = fire(v), fire(-v)
    return up - down, v - 3.0 * up + 3.0 * down


def read_after_zero(x: torch.Tensor, v: torch.Tensor) -> tuple[torch.Tensor, ...]:
    v = 0.5 * v + x
    spike = fire(v)
    return v, v * (1 - spike)


def held_within(x: torch.Tensor, v: torch.Tensor) -> tuple[torch.Tensor, ...]:
    v = torch.clamp(0.5 * v + x, -4.0, 4.0)
    spike = fire(v)
    return spike, v * (1 - spike)


def rotating(x: torch.Tensor, v: torch.Tensor, w: torch.Tensor) -> tuple[torch.Tensor, ...]:
    """Each of two states reads what the other one was, as resonate-and-fire neurons do."""
    after = v + 0.5 * w
    spike = fire(after)
    return spike, 0.5 * v - 0.25 * w + x, after * (1 - spike)


NEURONS: tuple[tuple[Step, int], ...] = (
    *((step, 1) for step in (late_subtract, late_all, no_reset, own_amount)),
    *((step, 1) for step in (partly_kept, held_above, rectified, held_within)),
    *((step, 2) for step in (synapse, synapse_lost, jump_first, old_synapse, adaptive, rotating)),
    (two_synapses, 3),
)
READOUTS: tuple[tuple[Step, int], ...] = (
    *((membrane, 1), (membrane_of_a_synapse, 2), (read_after_zero, 1), (twice_compared, 1)),
    *((read_while_firing, 1), (read_behind_the_reset, 1), (read_behind_a_synapse, 2)),
)
LIFS: tuple[Step, ...] = (late_zero, zero_at_once)


def leaks_of_their_own(self: Looped, x: torch.Tensor) -> Any:
    """A leak and a threshold for each neuron, as they are when they are learned."""
    leaks = torch.tensor([0.5, 0.25, 0.75, 0.5, 1.0, 0.0, 0.25, 0.5], dtype=torch.float64)
    levels = torch.tensor([3.0, 2.0, 3.0, 4.0] * 2, dtype=torch.float64)
    v, out = zeros(x), []
    for frame in x:
        reset = (v - levels > 0).double()
        v = leaks * v + self.first(frame) - reset * levels
        out.append((v - levels > 0).double())
    return torch.stack(out)


class Channels(nn.Module):
    """A leak for each channel of an image."""

    leak: torch.Tensor

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(1, 3, 3)
        self.register_buffer("leak", torch.tensor([0.5, 0.25, 0.75]).reshape(3, 1, 1))
        weight = torch.arange(-9, 18, dtype=torch.float64).reshape(3, 1, 3, 3)
        self.conv.weight.data = weight / 16
        self.double().eval()

    def forward(self, x: torch.Tensor) -> Any:
        v, out = torch.zeros_like(self.conv(x[0])), []
        for frame in x:
            current, amount = self.conv(frame), 2.0
            v = self.leak * v + current
            spike = fire(v)
            v = v - amount * spike
            out.append(spike.flatten(1))
        return torch.stack(out)


def pair(self: Looped, x: torch.Tensor) -> Any:
    """Spikes and membranes of the last layer: the spikes are the answer."""
    reset, v, w = torch.zeros(1), zeros(x), zeros(x, CLASSES)
    spikes, membranes = [], []
    for frame in x:
        _, v = late_subtract(self.first(frame), v)
        spike, w = late_subtract(self.second(fire(v)), w)
        spikes.append(spike)
        membranes.append(w)
    del reset
    return torch.stack(spikes), torch.stack(membranes)


class Hidden(nn.Module):
    """A neuron that keeps its membrane itself, to be called once a step."""

    def __init__(self) -> None:
        super().__init__()
        self.v: torch.Tensor | float = 0.0

    def reset(self) -> None:
        self.v = 0.0

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        v = self.v if isinstance(self.v, torch.Tensor) else torch.zeros_like(x)
        spike, self.v = late_subtract(x, v)
        return spike


class Called(nn.Module):
    """Takes one frame a call; the loop over time is around it."""

    def __init__(self) -> None:
        super().__init__()
        like = Looped(pair)
        self.net = nn.Sequential(like.first, Hidden(), like.second, Hidden()).double().eval()

    def forward(self, x: torch.Tensor) -> Any:
        return self.net(x)


# What has no form.


def squared(x: torch.Tensor, v: torch.Tensor) -> tuple[torch.Tensor, ...]:
    v = 0.5 * v + 0.125 * v * v + x
    spike = fire(v)
    return spike, v * (1 - spike)


def exponential(x: torch.Tensor, v: torch.Tensor) -> tuple[torch.Tensor, ...]:
    v = 0.5 * v + torch.exp(v) + x
    spike = fire(v)
    return spike, v * (1 - spike)


def counted(x: torch.Tensor, v: torch.Tensor) -> tuple[torch.Tensor, ...]:
    """Several spikes in one step."""
    v = 0.5 * v + x
    count = torch.div(v, 3.0, rounding_mode="trunc")
    return count, v - 3.0 * count


def subtracted_at_once(x: torch.Tensor, v: torch.Tensor) -> tuple[torch.Tensor, ...]:
    """The reset that is worked out anew may find a membrane that is still above the threshold."""
    reset = fire(v)
    v = 0.5 * v + x - reset * 3.0
    spike = fire(v)
    return spike, v - (spike - reset) * 3.0


def held_after_its_reset(x: torch.Tensor, v: torch.Tensor) -> tuple[torch.Tensor, ...]:
    """The upper end is that of a membrane from which the spike is taken off already."""
    v = v + x
    spike = fire(v)
    return spike, torch.clamp(v - 3.0 * spike, max=4.0)


def halved_above_zero(x: torch.Tensor, v: torch.Tensor) -> tuple[torch.Tensor, ...]:
    v = v + x
    spike = fire(v)
    return spike, 0.5 * torch.relu(torch.clamp(v * (1 - spike), max=9.0))


NO_FORM: tuple[tuple[Step, str], ...] = (
    (held_after_its_reset, "a spike acts on it before it is held within numbers"),
    (halved_above_zero, "a spike acts on it before it is held within numbers"),
    (squared, "a state with itself"),
    (exponential, "exp in it is no part of a neuron"),
    (counted, "a value is rounded in it that may be below 0"),
    (subtracted_at_once, "it compares 2 times"),
)
__all__ = ["HIDDEN", "LIFS", "NEURONS", "NO_FORM", "READOUTS", "Called", "Channels", "spikes"]
