"""From a checkpoint of the public training script to a Mixer-SNN ready for tracing."""

from collections.abc import Mapping

import torch

from snncc.diagnostics import SnnccError
from snncc.frontends.checkpoint import Checkpoint
from snncc.frontends.mixer_snn.config import (
    MixerConfig,
    infer_config,
    is_mixer,
    is_mixer_name,
    plain_keys,
)
from snncc.frontends.mixer_snn.model import MixerSNN
from snncc.frontends.mixer_snn.neuron import NeuronOptions
from snncc.frontends.weights.fit import load_weights
from snncc.frontends.weights.names import base_of
from snncc.frontends.weights.network_part import network_part
from snncc.frontends.weights.reparametrised import plain_weights


def recognise(state: Mapping[str, torch.Tensor]) -> bool:
    """Whether a state_dict is that of a Mixer-SNN, of any variant, under names of any wrapper."""
    names, _ = network_part(state, is_mixer_name, "the file")
    return is_mixer({base_of(name) or name: tensor for name, tensor in names.items()})


def steps_of(checkpoint: Checkpoint) -> int | None:
    """T as the training script was given it, or None."""
    steps = checkpoint.arguments.get("T")
    return steps if isinstance(steps, int) and steps > 0 else None


def load_mixer(
    checkpoint: Checkpoint, neuron: NeuronOptions | None = None
) -> tuple[MixerSNN, MixerConfig, tuple[str, ...]]:
    """Infers the configuration, builds the network and loads it strictly.

    Args:
        checkpoint: of any variant, with BatchNorm keys plain or converted to SyncBatchNorm, under
            names of any wrapper, pruned or not.
        neuron: what no checkpoint says; None for what the public implementation uses.

    Returns:
        The network in evaluation mode, its configuration, and what was assumed.

    Raises:
        SnnccError: SNN012, SNN013, SNN020 or SNN025; see `infer_config` and `load_weights`.
    """
    name = checkpoint.path.name
    state, told = network_part(checkpoint.state, is_mixer_name, name)
    state, computed = plain_weights(state, is_mixer_name, name)
    state = plain_keys(state)
    config = infer_config(state)
    try:
        model = MixerSNN(config, neuron)
    except (ValueError, RuntimeError) as error:
        raise SnnccError(
            "SNN012",
            f"{name} does not describe a network that can be built",
            why=str(error),
            help="the file belongs to another network, or its tensors have been changed",
        ) from error
    fitted = load_weights(model, state, name)
    own = neuron or NeuronOptions()
    source = "as in the public implementation" if neuron is None else "as given"
    learned = ", tau learned" if config.learned_tau else ""
    notes = (
        *checkpoint.notes,
        *told,
        *[f"weights computed: {text}" for text in computed],
        *fitted,
        f"neurons {source}: {own}{learned}",
        "readout: mean over time of the logits",
    )
    return model.eval(), config, notes
