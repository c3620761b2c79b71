"""Mixer-SNN: its network, and its checkpoints recognised by their tensors' names."""

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
