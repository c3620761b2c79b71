"""Neuron modules that become one node, known by package and class name; nothing is imported."""

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import torch
from torch import nn

from snncc.frontends.torch_recorder.axis_solver import AxisError, AxisSolver, Dim
from snncc.frontends.torch_recorder.neurons.parameters import (
    LEAVE_OUT,
    NeuronRefused,
    comparison,
    number,
    per_neuron,
)
from snncc.frontends.torch_recorder.steps import Build, Naming
from snncc.ir.dialects.traced import Lif

DYNAMICS = (
    "forward",
    "single_step_forward",
    "multi_step_forward",
    "single_step_functional_forward",
    "multi_step_functional_forward",
    "materialize_states",
    "apply_hard_reset",
    "apply_soft_reset",
    "neuronal_charge",
    "neuronal_fire",
    "neuronal_reset",
)
"""A subclass, or an object, that overrides one of these is another neuron."""


def _lif(module: Any) -> Lif:
    tau = number(module, "tau")
    return _leaky(module, tau)


def _if(module: Any) -> Lif:
    return Lif(tau=None, v_reset=_reset(module), compare=comparison(module))


def _parametric_lif(module: Any) -> Lif:
    """The learned tau is 1 / sigmoid(w)."""
    return _leaky(module, 1.0 + _exponential(-number(module, "w", finite=False)))


def _leaky(module: Any, tau: float) -> Lif:
    decays = bool(module.decay_input)
    if math.isnan(tau) or tau < 1.0:
        raise NeuronRefused(
            f"tau of {type(module).__name__} is {tau:g}",
            "1 - 1/tau remains of a membrane from step to step, which must lie in 0 to 1",
            "give a tau of at least 1",
        )
    if math.isinf(tau) and decays:
        raise NeuronRefused(
            f"tau of {type(module).__name__} is {tau:g}",
            "such a membrane takes nothing from its input: the neurons never fire",
            f"give a finite tau, or an IF neuron; {LEAVE_OUT}",
        )
    return Lif(
        tau=None if math.isinf(tau) else tau,  # V - V / inf + X is V + X
        v_reset=_reset(module),
        decay_input=decays,
        compare=comparison(module),
    )


def _exponential(power: float) -> float:
    try:
        return math.exp(power)
    except OverflowError:
        return math.inf


def _reset(module: Any) -> float | None:
    return None if module.v_reset is None else number(module, "v_reset")


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
    base = known_base(module)
    if base is None or overridden(module, base):
        return None
    return HANDLERS[_key(base)]


def known_base(module: nn.Module) -> type | None:
    """The nearest class of the module that has a handler."""
    return next((base for base in type(module).__mro__ if _key(base) in HANDLERS), None)


def overridden(module: nn.Module, base: type) -> tuple[str, ...]:
    """Those dynamics that the module's class, or the object itself, has of its own."""
    cls = type(module)
    return tuple(
        name
        for name in DYNAMICS
        if getattr(cls, name, None) is not getattr(base, name, None) or name in vars(module)
    )


def _key(cls: type) -> tuple[str, str]:
    return cls.__module__.split(".")[0], cls.__qualname__


def is_multi_step(module: nn.Module) -> bool:
    """Whether a neuron takes [T, B, ...]; without a step mode it does."""
    return getattr(module, "step_mode", "m") == "m"


def build_of(
    module: nn.Module, handler: Handler, solver: AxisSolver, dims: tuple[Dim, ...], start: float
) -> Build:
    """How to build the op of a neuron module.

    Args:
        module: the neuron module.
        handler: of its class.
        solver: which dimension is which.
        dims: of one step of its input.
        start: the membrane before the first step.

    Raises:
        NeuronRefused: a parameter has no form here.
    """
    op = handler(module)
    op = op if start == op.rest else replace(op, start=start)
    shape = tuple(solver.length(solver.roots(d)) for d in dims)
    threshold = per_neuron(module, "v_threshold", shape)
    if isinstance(threshold, float):
        scalar = replace(op, v_threshold=threshold)
        return lambda _n: scalar
    return lambda n: replace(op, threshold=_stored(n, threshold, dims))


def _stored(n: Naming, threshold: torch.Tensor, dims: tuple[Dim, ...]) -> Any:
    kept = [i for i in range(-threshold.dim(), 0) if threshold.shape[i] != 1]
    try:
        return n.param("threshold", threshold, *(dims[i] for i in kept))
    except AxisError as error:
        raise AxisError(f"v_threshold: {error}") from error
