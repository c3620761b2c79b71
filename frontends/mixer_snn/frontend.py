"""The frontend of Mixer-SNN: a checkpoint is recognised and says what network it is of."""

from pathlib import Path

from snncc.diagnostics import SnnccError
from snncc.frontends.frontend import ModelSpec, Source
from snncc.frontends.mixer_snn.neuron_options import neuron_options
from snncc.frontends.torch_modules import check_spec, require_torch, source_of

NAME = "mixer-snn"


class MixerFrontend:
    """Reads checkpoints of Mixer-SNNs."""

    def recognises(self, spec: ModelSpec) -> bool:
        """True where nothing but a checkpoint is named, or this network."""
        return not spec.is_live and spec.model in (None, NAME)

    def check(self, spec: ModelSpec) -> None:
        """Raises SnnccError (SNN001) for options that make no such network."""
        check_spec(spec)
        if spec.arguments:
            raise SnnccError(
                "SNN001",
                f"--arg {next(iter(spec.arguments))} without --model pkg.module:factory",
                why="only a factory of your own takes arguments; a checkpoint says what it is",
                help="leave --arg out, or give --model",
            )
        if spec.checkpoint is None:
            raise _no_checkpoint(spec.model)
        neuron_options(spec.neuron)

    def read(self, spec: ModelSpec) -> Source:
        """Loads a checkpoint and builds its network.

        Raises:
            SnnccError: SNN050 without torch, SNN013 for a checkpoint of another network, SNN001 to
                SNN034 for what is wrong with the file or the options.
        """
        self.check(spec)
        require_torch()
        return _loaded(spec.checkpoint or Path(), spec)


def _loaded(path: Path, spec: ModelSpec) -> Source:
    from snncc.frontends.checkpoint import load_checkpoint
    from snncc.frontends.mixer_snn.load import load_mixer, recognise, steps_of

    if spec.answer is not None:
        raise SnnccError(
            "SNN001",
            f"--answer {spec.answer} does not go with this model",
            why="a Mixer-SNN answers with its logits alone",
            help="leave --answer out",
        )
    checkpoint = load_checkpoint(path, spec.weights)
    if spec.model is None and not recognise(checkpoint.state):
        raise SnnccError(
            "SNN013",
            f"{path.name} is not of a network that is recognised",
            why="its tensors are not named as those of a Mixer-SNN",
            help="give --model pkg.module:factory to compile a network of your own",
        )
    module, config, notes = load_mixer(checkpoint, neuron_options(spec.neuron))
    if config.learned_tau and spec.neuron and "tau" in spec.neuron:
        raise SnnccError(
            "SNN001",
            f"--neuron tau={spec.neuron['tau']}, but this network has learned its time constants",
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
    facts |= {"weights": checkpoint.weights} if spec.weights else {}
    return source_of(
        module,
        NAME,
        facts=facts,
        input_shape=(config.in_channels, config.image_size, config.image_size),
        steps=config.scale_steps or steps_of(checkpoint),
        notes=notes,
        steps_are_fixed=bool(config.scale_steps),
    )


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
