"""Where a network comes from: a checkpoint that is recognised, or a factory of the user's."""

import importlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from snncc.diagnostics import SnnccError

if TYPE_CHECKING:
    from torch import nn

Json = Any


@dataclass
class Source:
    """A module ready to be traced and where it came from.

    Attributes:
        module: in evaluation mode.
        network: its name.
        facts: in JSON form, for the report.
        input_shape: of one image, or None where only the user knows it.
        steps: T, or None.
        notes: what was assumed.
        steps_are_fixed: whether the network works with this T alone.
    """

    module: "nn.Module"
    network: str
    facts: dict[str, Json] = field(default_factory=dict[str, Json])
    input_shape: tuple[int, ...] | None = None
    steps: int | None = None
    notes: tuple[str, ...] = ()
    steps_are_fixed: bool = False


def load_source(
    path: Path | None,
    model: str | None,
    arguments: Mapping[str, str],
    neuron: Mapping[str, str] | None,
    weights: str | None = None,
) -> Source:
    """Loads a checkpoint, or calls a factory and loads its weights.

    Args:
        path: of the checkpoint, or None.
        model: "pkg.module:factory", "mixer-snn", or None to recognise the checkpoint.
        arguments: for the factory.
        neuron: parameters of a recognised network's neurons.
        weights: which of the checkpoint's sets of weights, see `load_checkpoint`.

    Raises:
        SnnccError: SNN050 without torch, SNN001 to SNN034 for what is wrong with the file, the
            factory or the options.
    """
    require_torch()
    from snncc.frontends.checkpoint import load_checkpoint
    from snncc.frontends.factory import load_factory
    from snncc.frontends.mixer_snn import load_mixer, neuron_options, recognise, steps_of
    from snncc.frontends.weights.fit import load_weights

    if path is None and weights is not None:
        raise SnnccError(
            "SNN001",
            f"--weights {weights} without a checkpoint",
            why="it says which of a checkpoint's sets of weights is meant",
            help="give the checkpoint too, or leave --weights out",
        )
    if model is not None and model != "mixer-snn":
        if neuron:
            raise SnnccError(
                "SNN001",
                f"--neuron does not go with --model {model}",
                why="a module of your own holds its neurons' parameters",
                help="set them in the factory",
            )
        module = load_factory(model, arguments)
        source = Source(module, model)
        if path is not None:
            checkpoint = load_checkpoint(path, weights)
            fitted = load_weights(module, checkpoint.state, path.name)
            source.facts["checkpoint"] = path.name
            source.notes = (*checkpoint.notes, *fitted)
            source.facts |= {"weights": checkpoint.weights} if weights else {}
        return source
    if arguments:
        raise SnnccError(
            "SNN001",
            f"--arg {next(iter(arguments))} without --model pkg.module:factory",
            why="only a factory of your own takes arguments; a checkpoint says what it is",
            help="leave --arg out, or give --model",
        )
    if path is None:
        raise _no_checkpoint(model)
    checkpoint = load_checkpoint(path, weights)
    if model is None and not recognise(checkpoint.state):
        raise SnnccError(
            "SNN013",
            f"{path.name} is not of a network that is recognised",
            why="its tensors are not named as those of a Mixer-SNN",
            help="give --model pkg.module:factory to compile a network of your own",
        )
    module, config, notes = load_mixer(checkpoint, neuron_options(neuron))
    if config.learned_tau and neuron and "tau" in neuron:
        raise SnnccError(
            "SNN001",
            f"--neuron tau={neuron['tau']}, but this network has learned its time constants",
            why="they are in the checkpoint",
            help="leave tau out",
        )
    facts = {
        "variant": config.variant,
        "dim": config.dim,
        "depths": list(config.depths),
        "alpha": config.alpha,
        "patch_size": config.patch_size,
        "image_size": config.image_size,
        "classes": config.num_classes,
        "checkpoint": path.name,
    }
    facts |= {"weights": checkpoint.weights} if weights else {}
    shape = (config.in_channels, config.image_size, config.image_size)
    steps = config.scale_steps or steps_of(checkpoint)
    return Source(module, "mixer-snn", facts, shape, steps, notes, bool(config.scale_steps))


def _no_checkpoint(model: str | None) -> SnnccError:
    if model is not None:
        return SnnccError(
            "SNN001",
            f"--model {model} without a checkpoint",
            why="the network's sizes and weights are read from its checkpoint",
            help="give the checkpoint too",
        )
    return SnnccError(
        "SNN001",
        "neither a checkpoint nor --model pkg.module:factory is given",
        why="there is no network to read",
        help="give a checkpoint, or a factory that brings its weights",
    )


def require_torch() -> None:
    """Raises SnnccError (SNN050) when torch is not installed."""
    try:
        importlib.import_module("torch")
    except ModuleNotFoundError as error:
        raise SnnccError(
            "SNN050",
            "compiling needs torch, which is not installed",
            why="programs run without it, but a checkpoint is a torch network",
            help="pip install 'snncc[compile]', or torch alone; where CUDA is not wanted, from "
            "torch's index of CPU builds, which PyTorch's installation page names",
        ) from error
