"""The libraries of the extra: `pip install 'snncc[onnx]'`."""

import importlib
from typing import Any

from snncc.diagnostics import SnnccError

PACKAGES = {"onnx": "onnx", "onnx_ir": "onnx-ir", "onnxruntime": "onnxruntime"}


def library(name: str) -> Any:
    """A module of the extra, imported when it is asked for.

    Args:
        name: of the module, a key of `PACKAGES`.

    Raises:
        SnnccError: SNN050 when it is not installed.
    """
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise SnnccError(
            "SNN050",
            f"ONNX graphs need the package {PACKAGES[name]}",
            why=f"{name} cannot be imported here: {error}",
            help="pip install 'snncc[onnx]'",
        ) from error
