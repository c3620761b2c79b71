"""The leaky integrate-and-fire neuron of Mixer-SNN, for training and for inference."""

from typing import Any

import torch
from torch import nn

SURROGATE_SLOPE = 4.0


class _Spike(torch.autograd.Function):
    """A step at zero whose gradient is that of a sigmoid of slope 4 (SpikingJelly's default)."""

    @staticmethod
    def forward(ctx: Any, x: torch.Tensor) -> torch.Tensor:
        ctx.save_for_backward(x)
        return (x >= 0).to(x)

    @staticmethod
    def backward(ctx: Any, *grads: torch.Tensor) -> torch.Tensor:
        (x,) = ctx.saved_tensors
        soft = torch.sigmoid(SURROGATE_SLOPE * x)
        return grads[0] * SURROGATE_SLOPE * soft * (1.0 - soft)


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
    ) -> None:
        super().__init__()
        self.tau = tau
        self.v_threshold = v_threshold
        self.v_reset = v_reset
        self.decay_input = decay_input

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        rest = 0.0 if self.v_reset is None else self.v_reset
        v = torch.full_like(x[0], rest)
        spikes: list[torch.Tensor] = []
        for current in x:
            if self.decay_input:
                v = v + (current - (v - rest)) / self.tau
            else:
                v = v - (v - rest) / self.tau + current
            spike = _fire(v - self.v_threshold)
            fired = spike.detach()
            v = v - fired * self.v_threshold if self.v_reset is None else (1.0 - fired) * v
            if self.v_reset is not None:
                v = v + fired * self.v_reset
            spikes.append(spike)
        return torch.stack(spikes)

    def extra_repr(self) -> str:
        return f"tau={self.tau}, v_threshold={self.v_threshold}, v_reset={self.v_reset}"


def _fire(x: torch.Tensor) -> torch.Tensor:
    spike: torch.Tensor = _Spike.apply(x)  # type: ignore[no-untyped-call]  # untyped in torch
    return spike
