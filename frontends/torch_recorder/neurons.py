"""Neuron modules that become one node, known by package and class name; nothing is imported."""

import math
from collections.abc import Callable
from typing import Any

from torch import nn

from snncc.ir.traced_ops import Lif

DYNAMICS = (
    "forward",
    "single_step_forward",
    "multi_step_forward",
    "single_step_functional_forward",
    "multi_step_functional_forward",
    "neuronal_charge",
    "neuronal_fire",
    "neuronal_reset",
)
"""A subclass that overrides one of these is another neuron."""


def _lif(module: Any) -> Lif:
    return Lif(
        tau=float(module.tau),
        v_threshold=float(module.v_threshold),
        v_reset=None if module.v_reset is None else float(module.v_reset),
        decay_input=bool(module.decay_input),
        compare=getattr(module, "compare", "ge"),
    )


def _if(module: Any) -> Lif:
    return Lif(
        tau=None,
        v_threshold=float(module.v_threshold),
        v_reset=None if module.v_reset is None else float(module.v_reset),
    )


def _parametric_lif(module: Any) -> Lif:
    """The learned tau is 1 / sigmoid(w)."""
    return Lif(
        tau=1.0 + math.exp(-float(module.w.detach())),
        v_threshold=float(module.v_threshold),
        v_reset=None if module.v_reset is None else float(module.v_reset),
        decay_input=bool(module.decay_input),
        compare=getattr(module, "compare", "ge"),
    )


Handler = Callable[[Any], Lif]
HANDLERS: dict[tuple[str, str], Handler] = {
    ("snncc", "LIF"): _lif,
    ("snncc", "ParametricLIF"): _parametric_lif,
    ("spikingjelly", "LIFNode"): _lif,
    ("spikingjelly", "IFNode"): _if,
    ("spikingjelly", "ParametricLIFNode"): _parametric_lif,
}


def handler_for(module: nn.Module) -> Handler | None:
    """The handler of a module's class, or of a base class whose dynamics it does not override."""
    cls = type(module)
    for base in cls.__mro__:
        handler = HANDLERS.get((base.__module__.split(".")[0], base.__qualname__))
        if handler is None:
            continue
        same = all(getattr(cls, name, None) is getattr(base, name, None) for name in DYNAMICS)
        return handler if same else None
    return None


def is_multi_step(module: nn.Module) -> bool:
    """Whether a neuron takes [T, B, ...]; without a step mode it does."""
    return getattr(module, "step_mode", "m") == "m"
