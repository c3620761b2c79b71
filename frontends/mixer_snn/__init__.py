"""Mixer-SNN: its network, and its checkpoints recognised by their tensors' names.

Every name is loaded when it is first used: whether a model is one is asked without torch.
"""

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from snncc.frontends.mixer_snn.config import MixerConfig
    from snncc.frontends.mixer_snn.load import load_mixer, recognise, steps_of
    from snncc.frontends.mixer_snn.model import MixerSNN
    from snncc.frontends.mixer_snn.neuron import NeuronOptions, neuron_options

__all__ = [
    "MixerConfig",
    "MixerSNN",
    "NeuronOptions",
    "load_mixer",
    "neuron_options",
    "recognise",
    "steps_of",
]
_HOMES = {
    "MixerConfig": "config",
    "MixerSNN": "model",
    "NeuronOptions": "neuron",
    "load_mixer": "load",
    "neuron_options": "neuron",
    "recognise": "load",
    "steps_of": "load",
}


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value: object = getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
    globals()[name] = value
    return value
