"""A user's own model: a factory that is named on the command line."""

import ast
import importlib
import os
import sys
import traceback
from collections.abc import Mapping
from pathlib import Path

from torch import nn

from snncc.diagnostics import SnnccError
from snncc.frontends.raised import reason_of

HELP = "give --model package.module:factory, a callable that returns a torch.nn.Module"


def load_factory(spec: str, arguments: Mapping[str, str]) -> nn.Module:
    """Imports and calls a factory; this runs the user's code.

    Args:
        spec: "package.module:factory", found as `python -m` finds modules (working folder first).
        arguments: keyword arguments; Python literals are read as such, the rest is text.

    Raises:
        SnnccError: SNN003 with what went wrong and the user's line.
    """
    module_name, colon, name = spec.partition(":")
    if not colon or not module_name or not name:
        raise SnnccError("SNN003", f"--model {spec} is not of the form module:factory", help=HELP)
    if os.getcwd() not in sys.path:
        sys.path.insert(0, os.getcwd())
    try:
        factory: object = importlib.import_module(module_name)
        for part in name.split("."):
            factory = getattr(factory, part)
    except (Exception, SystemExit) as error:  # importing runs the user's code
        raise _failed(f"{spec} cannot be imported", error) from error
    if not callable(factory):
        raise SnnccError("SNN003", f"{spec} cannot be called", help=HELP)
    values = {key: _literal(text) for key, text in arguments.items()}
    try:
        model: object = factory(**values)
    except (Exception, SystemExit) as error:
        raise _failed(f"{spec} raised an exception", error) from error
    if not isinstance(model, nn.Module):
        raise SnnccError(
            "SNN003", f"{spec} returned a {type(model).__name__}, not a module", help=HELP
        )
    return model


def _literal(text: str) -> object:
    try:
        value: object = ast.literal_eval(text)
        return value
    except (ValueError, SyntaxError):
        return text


def _failed(message: str, error: BaseException) -> SnnccError:
    frames = traceback.extract_tb(error.__traceback__)
    own = str(Path(__file__).resolve())
    users = [f for f in frames if f.filename != own and not f.filename.startswith("<")]
    where = f" ({Path(users[-1].filename).name}:{users[-1].lineno})" if users else ""
    return SnnccError(
        "SNN003", message, why=f"{type(error).__name__}: {reason_of(error)}{where}", help=HELP
    )
