"""Libraries for formats that one does not read by hand: `pip install snncc[events]`."""

import importlib
from typing import Any

from snncc.diagnostics import SnnccError


def library(name: str, source: str) -> Any:
    """A module of the extra.

    Raises:
        SnnccError: SNN050 when it is not installed.
    """
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise SnnccError(
            "SNN050",
            f"{source} needs the package {name}",
            why=f"{name} is not installed here",
            help="pip install 'snncc[events]'",
        ) from error
