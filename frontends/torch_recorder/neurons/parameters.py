"""The parameters of a neuron module as numbers, or why they cannot be."""

import math
from typing import Any

import torch

LEAVE_OUT = (
    "where only the membranes are wanted, leave the neurons out: a last linear layer is averaged "
    "over the steps"
)
_PROBES = (-100.0, -1.0, -1e-9, 0.0, 1e-9, 1.0, 100.0)
"""Where a surrogate function is looked at."""
_STEPS = {
    (0.0, 0.0, 0.0, 1.0, 1.0, 1.0, 1.0): "ge",
    (0.0, 0.0, 0.0, 0.0, 1.0, 1.0, 1.0): "gt",
}


class NeuronRefused(ValueError):
    """A neuron's parameter or state that cannot be modelled.

    Attributes:
        message, why, help: as in a finding.
    """

    def __init__(self, message: str, why: str, help: str) -> None:
        super().__init__(message)
        self.message, self.why, self.help = message, why, help


def number(module: Any, name: str, *, finite: bool | None = None) -> float:
    """A parameter that all neurons of a module share.

    Args:
        module: the neuron module.
        name: of the attribute.
        finite: whether infinity and NaN are refused; None: those of tau are left to its reader.

    Raises:
        NeuronRefused: it is no number, differs between neurons, or is not finite.
    """
    value = getattr(module, name)
    if isinstance(value, torch.Tensor) and value.numel() > 1:
        if not bool((value == value.flatten()[0]).all()):
            raise NeuronRefused(
                f"{name} of {_class(module)} differs between neurons: "
                f"a tensor of shape {tuple(value.shape)}",
                f"a program holds one {name} for a layer; only thresholds may differ",
                f"give all neurons of the layer one {name}, or split the layer",
            )
        value = value.flatten()[0]
    found = _real(module, name, value)
    if finite is None:
        finite = name != "tau"
    if finite and not math.isfinite(found):
        raise _not_finite(module, name, found)
    return found


def per_neuron(module: Any, name: str, shape: tuple[int, ...]) -> float | torch.Tensor:
    """A parameter that is one number, or a tensor that lies over the neurons' dimensions.

    Args:
        module: the neuron module.
        name: of the attribute.
        shape: of one step of the module's input, [B, ...].

    Raises:
        NeuronRefused: it is no number, is not finite, or makes the neurons more.
    """
    value = getattr(module, name)
    if not isinstance(value, torch.Tensor) or value.numel() == 1:
        return number(module, name)
    _real(module, name, value.flatten()[0])
    if not bool(torch.isfinite(value).all()):
        bad = value.detach().flatten()[~torch.isfinite(value).flatten()][0]
        raise _not_finite(module, name, float(bad))
    if value.dim() > len(shape) or any(
        size not in (1, own) for size, own in zip(value.shape[::-1], shape[::-1], strict=False)
    ):
        raise NeuronRefused(
            f"{name} of {_class(module)} has shape {tuple(value.shape)}, one step of its input "
            f"has {shape}",
            "a threshold that is broadcast over its neurons makes more neurons of them",
            "give one number, or one for each channel: (C, 1, 1) for images, (C,) for features",
        )
    return value.detach()


def comparison(module: Any) -> str:
    """Whether a neuron fires at the threshold ("ge") or above it ("gt"), as its surrogate does.

    Raises:
        NeuronRefused: the surrogate function is no step at zero.
    """
    surrogate = getattr(module, "surrogate_function", None)
    if surrogate is None:
        return str(getattr(module, "compare", "ge"))
    with torch.no_grad():
        given = surrogate(torch.tensor(_PROBES, dtype=torch.float64))
    found = tuple(float(v) for v in given.flatten()) if isinstance(given, torch.Tensor) else ()
    if found in _STEPS:
        return _STEPS[found]
    spiking = getattr(surrogate, "spiking", True)
    raise NeuronRefused(
        f"{type(surrogate).__name__} of {_class(module)} is no step from 0 to 1 at zero",
        "it has spiking=False and gives real numbers"
        if spiking is False
        else "a spike is 1 at or above the threshold and 0 below it; this function gives others",
        "use a surrogate function that gives spikes at inference (spiking=True)",
    )


def _real(module: Any, name: str, value: Any) -> float:
    """Raises NeuronRefused when it is no real number."""
    plain = value.detach() if isinstance(value, torch.Tensor) else value
    try:
        if isinstance(plain, bool | complex | str) or (
            isinstance(plain, torch.Tensor) and plain.is_complex()
        ):
            raise TypeError("no real number")
        return float(plain)
    except (TypeError, ValueError) as error:
        raise NeuronRefused(
            f"{name} of {_class(module)} is {type(value).__name__} {value!r}"[:120],
            "it must be a real number",
            f"give {name} as a float",
        ) from error


def _not_finite(module: Any, name: str, value: float) -> NeuronRefused:
    never = name == "v_threshold" and value > 0
    return NeuronRefused(
        f"{name} of {_class(module)} is {value:g}",
        "these neurons never fire: whatever reads their spikes gets zeros"
        if never
        else "integers hold finite numbers only",
        f"give a finite {name}; {LEAVE_OUT}" if never else f"give a finite {name}",
    )


def _class(module: Any) -> str:
    return type(module).__name__
