"""All frontends by name; the package of one is imported when it is asked for."""

import importlib
from collections.abc import Callable
from typing import Any

from snncc.frontends.frontend import Frontend, ModelSpec, Source


def _lazy(module: str, name: str) -> Callable[[], Any]:
    """A class of a module that is imported with the first call."""
    return lambda: getattr(importlib.import_module(module), name)()


FRONTENDS: dict[str, Callable[[], Frontend]] = {
    "torch": _lazy("snncc.frontends.torch_recorder.frontend", "TorchFrontend"),
    "mixer-snn": _lazy("snncc.frontends.mixer_snn.frontend", "MixerFrontend"),
    "nir": _lazy("snncc.frontends.nir.frontend", "NirFrontend"),
    "lava-dl": _lazy("snncc.frontends.lava_dl.frontend", "LavaDlFrontend"),
}
"""The first takes whatever no other one recognises; of the others the last is asked first."""


def frontend_for(spec: ModelSpec) -> Frontend:
    """The frontend that reads a model."""
    *others, general = (make() for make in reversed(FRONTENDS.values()))
    return next((frontend for frontend in others if frontend.recognises(spec)), general)


def check_model(spec: ModelSpec) -> None:
    """Raises SnnccError for what is wrong with a model's name and options, without its library."""
    frontend_for(spec).check(spec)


def read_model(spec: ModelSpec) -> Source:
    """Reads a model by the frontend that recognises it.

    Raises:
        SnnccError: of the frontend.
    """
    return frontend_for(spec).read(spec)
