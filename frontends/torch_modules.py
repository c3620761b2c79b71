"""What the frontends that end in a PyTorch module have in common; imports torch when it is used."""

import importlib
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from snncc.diagnostics import SnnccError
from snncc.frontends.frontend import ModelSpec, Source, Traced

if TYPE_CHECKING:
    from torch import nn

Json = Any


def check_spec(spec: ModelSpec) -> None:
    """Raises SnnccError (SNN001) for an option that goes with other models; imports nothing."""
    for option, value in (("--convention", spec.convention), ("--dt", spec.dt)):
        if value is not None:
            raise SnnccError(
                "SNN001",
                f"{option} {value} does not go with this model",
                why="it says how a .nir file is run; a torch module says that itself",
                help=f"leave {option} out",
            )
    if spec.checkpoint is None and spec.weights is not None:
        raise SnnccError(
            "SNN001",
            f"--weights {spec.weights} without a checkpoint",
            why="it says which of a checkpoint's sets of weights is meant",
            help="give the checkpoint too, or leave --weights out",
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


def source_of(
    module: "nn.Module",
    network: str,
    *,
    facts: Mapping[str, Json] | None = None,
    input_shape: tuple[int, ...] | None = None,
    steps: int | None = None,
    notes: tuple[str, ...] = (),
    steps_are_fixed: bool = False,
    answer: str | None = None,
) -> Source:
    """A module as what the compiler takes; the attributes are those of `Source`.

    Args:
        module: in evaluation mode; it is not changed.
        network: its name.
        facts: for the report.
        input_shape: of one image, or None.
        steps: T, or None.
        notes: what was assumed.
        steps_are_fixed: whether it works with this T alone.
        answer: see `trace_model`.
    """

    def trace(shape: tuple[int, ...], steps: int, layout: str) -> Traced:
        from snncc.frontends.state_spaces.structure import is_spiking_state_space
        from snncc.frontends.torch_recorder import trace_model

        if is_spiking_state_space(module):
            from snncc.frontends.state_spaces.reading import trace_state_spaces

            return trace_state_spaces(module, shape, steps, layout)
        found = trace_model(module, shape, steps, layout, answer)
        return Traced(found.graph, found.findings, found.notes)

    def parameters() -> int:
        return sum(parameter.numel() for parameter in module.parameters())

    return Source(
        network, trace, parameters, facts or {}, input_shape, steps, notes, steps_are_fixed
    )
