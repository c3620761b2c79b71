"""Mixer-SNN: its network, and its checkpoints recognised by their tensors' names."""

from snncc.frontends.mixer_snn.config import MixerConfig
from snncc.frontends.mixer_snn.load import load_mixer, recognise, steps_of
from snncc.frontends.mixer_snn.model import MixerSNN

__all__ = ["MixerConfig", "MixerSNN", "load_mixer", "recognise", "steps_of"]
