"""The leaky integrate-and-fire neuron of Mixer-SNN, for training and for inference."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from difflib import get_close_matches
from typing import Any

import torch
from torch import nn

from snncc.diagnostics import SnnccError

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


@dataclass(frozen=True)
class NeuronOptions:
    """What a checkpoint does not say about its neurons; the defaults are the public code's.

    Attributes:
        tau: membrane time constant, in steps; not used where tau was learned.
        v_threshold: the neuron fires when V reaches it.
        v_reset: V after a spike, and at the start; None to subtract the threshold instead.
        decay_input: whether the input decays as the membrane does.
        compare: "ge" to fire at V >= v_threshold, "gt" at V > v_threshold.
    """

    tau: float = 2.0
    v_threshold: float = 1.0
    v_reset: float | None = 0.0
    decay_input: bool = True
    compare: str = "ge"

    def __str__(self) -> str:
        reset = "soft reset" if self.v_reset is None else f"hard reset to {self.v_reset:g}"
        sign = {"ge": ">=", "gt": ">"}[self.compare]
        text = f"tau {self.tau:g}, V {sign} {self.v_threshold:g}, {reset}"
        return text if self.decay_input else f"{text}, input does not decay"


def neuron_options(given: Mapping[str, str] | None) -> NeuronOptions | None:
    """Options from text, as the command line has them; None for none.

    Raises:
        SnnccError: SNN001 for a name that is unknown, or a value that makes no neuron.
    """
    if not given:
        return None
    known = {f.name for f in fields(NeuronOptions)}
    unknown = sorted(set(given) - known)
    if unknown:
        each = ", ".join(f"{name}={ALLOWED[name]}" for name in sorted(known))
        close = "".join(f"perhaps {n}; " for n in get_close_matches(unknown[0], known, 1))
        raise SnnccError(
            "SNN001", f"neurons have no {unknown[0]!r}", help=f"{close}there are {each}"
        )
    values: dict[str, Any] = {}
    for name, text in given.items():
        try:
            values[name] = _PARSERS[name](text)
        except (ValueError, KeyError) as error:
            raise SnnccError(
                "SNN001", f"--neuron {name}={text}: that is no {name}", help=f"give {ALLOWED[name]}"
            ) from error
    options = NeuronOptions(**values)
    rest = options.v_reset or 0.0
    for name, value in (
        ("tau", options.tau),
        ("v_threshold", options.v_threshold),
        ("v_reset", rest),
    ):
        if not math.isfinite(value):
            raise SnnccError(
                "SNN001",
                f"--neuron {name}={value:g} is no finite number",
                why="a membrane that never leaks, fires or rests is no neuron of this network",
                help=f"give {ALLOWED[name]}",
            )
    if options.tau < 1.0:
        raise SnnccError(
            "SNN001",
            f"--neuron tau={options.tau:g} is below 1",
            why="the membrane would oscillate",
            help=f"give {ALLOWED['tau']}",
        )
    if not options.v_threshold > rest:
        raise SnnccError(
            "SNN001",
            f"the threshold {options.v_threshold:g} is not above the reset {rest:g}",
            why="such neurons fire without input at every step",
            help="give --neuron v_threshold=... above v_reset",
        )
    return options


ALLOWED: Mapping[str, str] = {
    "tau": "a number from 1",
    "v_threshold": "a number above v_reset",
    "v_reset": "a number, or none for a soft reset",
    "decay_input": "true or false",
    "compare": "ge or gt",
}
_PARSERS: Mapping[str, Callable[[str], Any]] = {
    "tau": float,
    "v_threshold": float,
    "v_reset": lambda text: None if text == "none" else float(text),
    "decay_input": {"true": True, "false": False}.__getitem__,
    "compare": {"ge": "ge", "gt": "gt", ">=": "ge", ">": "gt"}.__getitem__,
}


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
