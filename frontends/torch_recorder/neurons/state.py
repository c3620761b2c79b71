"""Where the membranes of neuron modules start, and what is left of an earlier run."""

import math
from typing import Any

import torch
from torch import nn

from snncc.frontends.torch_recorder.neurons.known import handler_for
from snncc.frontends.torch_recorder.neurons.parameters import NeuronRefused
from snncc.frontends.torch_recorder.neurons.unknown import keeps_state

_HELP = (
    "give one number for all neurons (module.v = 0.5 * module.v_threshold); or, if it is left from "
    "an earlier run, reset the model (functional.reset_net(model))"
)


class Starts:
    """What stands in `v` of every known neuron module before the model is reset.

    A number is where its owner wants every run to start, a recipe of converted networks. A tensor
    of a batch's shape is left from an earlier run and goes with the reset.
    """

    def __init__(self, model: nn.Module) -> None:
        self._given: dict[int, Any] = {}
        self._states = _library_states(model)
        for module in model.modules():
            if handler_for(module) is not None and not _is_rest(module, membrane(module)):
                self._given[id(module)] = membrane(module)

    def reset(self, model: nn.Module) -> None:
        """Puts every module back to its initial state, and membranes to where they start."""
        for module in model.modules():
            reset = getattr(module, "reset", None)
            if callable(reset):
                reset()
            given = self._given.get(id(module))
            if given is not None:
                _set_membrane(module, given)
        for module, name, buffer, content in self._states:
            setattr(module, name, buffer)
            buffer.detach().copy_(content)

    def found(self, module: nn.Module, shape: tuple[int, ...]) -> float | NeuronRefused:
        """As `enter`, with what it raises as the answer."""
        try:
            return self.enter(module, shape)
        except NeuronRefused as refusal:
            return refusal

    def enter(self, module: nn.Module, shape: tuple[int, ...]) -> float:
        """The membrane of a known neuron module as its first call finds it.

        Args:
            module: the neuron module.
            shape: of one step of its input, [B, ...].

        Raises:
            NeuronRefused: it is no number, and not what an earlier run left behind.
        """
        rest, value = _rest(module), membrane(module)
        if value is None:
            return rest
        if isinstance(value, int | float) and math.isfinite(value):
            return float(value)
        if not isinstance(value, torch.Tensor):
            raise NeuronRefused(
                f"the membrane v of {type(module).__name__} is {value!r}"[:120],
                "neurons start from a number",
                _HELP,
            )
        if _is_rest(module, value):
            return rest
        if _is_left_over(value, shape):
            self._given.pop(id(module), None)
            _set_membrane(module, rest)
            return rest
        raise NeuronRefused(
            f"the membrane v of {type(module).__name__} starts from a tensor of shape "
            f"{tuple(value.shape)}",
            "a program starts all neurons of a layer from one number",
            _HELP,
        )


_State = tuple[nn.Module, str, torch.Tensor, torch.Tensor]
"""A module, a buffer's name, the buffer and its content."""


def _library_states(model: nn.Module) -> list[_State]:
    """Buffers of stateful modules that cannot reset themselves, as they are before any run."""
    return [
        (module, name, buffer, buffer.detach().clone())
        for module in model.modules()
        if keeps_state(module) and not callable(getattr(module, "reset", None))
        for name, buffer in module.named_buffers(recurse=False)
    ]


def membrane(module: nn.Module) -> Any:
    """The membrane, or None for modules that keep none between runs."""
    return getattr(module, "v", None)


def _set_membrane(module: Any, value: Any) -> None:
    module.v = value


def _rest(module: nn.Module) -> float:
    value = getattr(module, "v_reset", None)
    try:
        return 0.0 if value is None else float(value)
    except (TypeError, ValueError, RuntimeError):  # the module's handler refuses it by name
        return 0.0


def _is_rest(module: nn.Module, value: Any) -> bool:
    if isinstance(value, torch.Tensor):
        return bool((value == _rest(module)).all())
    return value is None or value == _rest(module)


def _is_left_over(value: torch.Tensor, shape: tuple[int, ...]) -> bool:
    """Whether it holds one membrane for every image of a batch, and they differ."""
    if value.dim() != len(shape) or value.shape[0] < 2:
        return False
    return not bool((value == value[:1]).all())
