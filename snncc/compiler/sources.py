"""Where a network comes from: what the user names, read by the frontend that recognises it."""

from collections.abc import Mapping
from pathlib import Path

from snncc.compiler.options import CompileOptions, without_images, without_shape
from snncc.frontends.frontend import ModelSpec, Source
from snncc.frontends.registry import check_model, read_model


def check_source(
    path: Path | None,
    model: str | None,
    arguments: Mapping[str, str],
    options: CompileOptions,
    *,
    images: bool,
) -> None:
    """What names and options say of a model before its library is imported.

    Args:
        path: of the checkpoint, or None.
        model: as `load_source` takes it, and likewise its arguments.
        arguments: for the factory.
        options: all others.
        images: whether there are any.

    Raises:
        SnnccError: SNN001 or SNN003.
    """
    neuron, weights = options.neuron, options.weights
    spec = ModelSpec(
        path,
        model,
        arguments,
        neuron,
        weights,
        convention=options.convention,
        dt=options.dt,
    )
    check_model(spec)
    if options.agreement is not None and not images:
        raise without_images()
    if spec.is_factory and options.input_shape is None and options.preset is None:
        raise without_shape()


def load_source(
    path: Path | None,
    model: str | None,
    arguments: Mapping[str, str],
    neuron: Mapping[str, str] | None,
    weights: str | None = None,
    convention: str | None = None,
    dt: float | None = None,
    answer: str | None = None,
) -> Source:
    """Reads a model by name.

    Args:
        path: of the checkpoint, or None.
        model: "pkg.module:factory", "mixer-snn", or None to recognise the checkpoint.
        arguments: for the factory.
        neuron: parameters of a recognised network's neurons.
        weights: which of the checkpoint's sets of weights, see `load_checkpoint`.
        convention: how a .nir file is run, by name.
        dt: seconds of one of its time steps.
        answer: which part of what a module returns is its answer.

    Raises:
        SnnccError: SNN050 without torch, SNN001 to SNN034 for what is wrong with the file, the
            factory or the options.
    """
    return read_model(
        ModelSpec(
            path, model, arguments, neuron, weights, convention=convention, dt=dt, answer=answer
        )
    )
