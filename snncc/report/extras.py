"""Libraries of the report: `pip install 'snncc[report]'`."""

import importlib
from typing import Any

from snncc.diagnostics import SnnccError


def library(name: str, what: str) -> Any:
    """A module of the extra.

    Args:
        name: of the module, "matplotlib.figure".
        what: needs it, for the message.

    Raises:
        SnnccError: SNN050 when it is not installed.
    """
    package = name.partition(".")[0]
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise SnnccError(
            "SNN050",
            f"{what} needs the package {package}",
            why=f"{package} cannot be imported here: {error}",
            help="pip install 'snncc[report]'",
        ) from error


def require_libraries() -> None:
    """Raises SnnccError (SNN050) where a page could not be made, before any long work."""
    library("jinja2", "a report")
    library("matplotlib.figure", "a report")
