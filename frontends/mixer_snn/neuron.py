"""The leaky integrate-and-fire neuron of Mixer-SNN, for training and for inference."""

import math
from typing import Any

import torch
from torch import nn

from snncc.frontends.mixer_snn.neuron_options import NeuronOptions, neuron_options

__all__ = ["LIF", "NeuronOptions", "ParametricLIF", "neuron_options"]
SURROGATE_SLOPE = 4.0


class _Spike(torch.autograd.Function):
    """A step at zero whose gradient is that of a sigmoid of slope 4 (SpikingJelly's default)."""

    @staticmethod
    def forward(ctx: Any, x: torch.Tensor, strict: bool) -> torch.Tensor:
        ctx.save_for_backward(x)
        return (x > 0).to(x) if strict else (x >= 0).to(x)

    @staticmethod
    def backward(ctx: Any, *grads: torch.Tensor) -> tuple[torch.Tensor, None]:
        (x,) = ctx.saved_tensors
        soft = torch.sigmoid(SURROGATE_SLOPE * x)
        return grads[0] * SURROGATE_SLOPE * soft * (1.0 - soft), None


class LIF(nn.Module):
    """Leaky integrate-and-fire neurons over all time steps, [T, B, ...] to spikes [T, B, ...].

    V = V + (X - (V - v_reset)) / tau   (decay_input; otherwise V = V - (V - v_reset) / tau + X)
    S = 1 if V >= v_threshold; V = v_reset where S = 1, or V - S * v_threshold if v_reset is None.
    The reset is not part of the gradient. Source: SpikingJelly's LIFNode in multi-step mode.
    """

    def __init__(
        self,
        tau: float = 2.0,
        v_threshold: float = 1.0,
        v_reset: float | None = 0.0,
        decay_input: bool = True,
        compare: str = "ge",
    ) -> None:
        super().__init__()
        self.tau = tau
        self.v_threshold = v_threshold
        self.v_reset = v_reset
        self.decay_input = decay_input
        self.compare = compare

    def share(self, x: torch.Tensor) -> torch.Tensor:
        """The share of a distance that one step covers: x / tau."""
        return x / self.tau

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        rest = 0.0 if self.v_reset is None else self.v_reset
        v = torch.full_like(x[0], rest)
        spikes: list[torch.Tensor] = []
        for current in x:
            if self.decay_input:
                v = v + self.share(current - (v - rest))
            else:
                v = v - self.share(v - rest) + current
            spike = _fire(v - self.v_threshold, self.compare == "gt")
            fired = spike.detach()
            v = v - fired * self.v_threshold if self.v_reset is None else (1.0 - fired) * v
            if self.v_reset is not None:
                v = v + fired * self.v_reset
            spikes.append(spike)
        return torch.stack(spikes)

    def extra_repr(self) -> str:
        return f"tau={self.tau}, v_threshold={self.v_threshold}, v_reset={self.v_reset}"


class ParametricLIF(LIF):
    """The same with a learned time constant, tau = 1 / sigmoid(w) (SpikingJelly's name and form).

    Source: Fang et al. 2021, "Incorporating Learnable Membrane Time Constant to Enhance Learning
    of Spiking Neural Networks".
    """

    def __init__(self, tau: float = 2.0, **options: Any) -> None:
        super().__init__(tau, **options)
        self.w = nn.Parameter(torch.tensor(-math.log(tau - 1.0)))

    def share(self, x: torch.Tensor) -> torch.Tensor:
        return x * self.w.sigmoid()

    def extra_repr(self) -> str:
        return f"w={float(self.w.detach()):.4f}, v_threshold={self.v_threshold}"


def _fire(x: torch.Tensor, strict: bool) -> torch.Tensor:
    spike: torch.Tensor = _Spike.apply(x, strict)  # type: ignore[no-untyped-call]  # untyped in torch
    return spike
