"""A user's own model: a factory that is named on the command line."""

import ast
import importlib
import sys
import sysconfig
import traceback
from collections.abc import Mapping
from pathlib import Path

from torch import nn

import snncc
from snncc.diagnostics import SnnccError
from snncc.frontends.factory_name import HELP, require_factory
from snncc.frontends.raised import reason_of

_HOME = Path(snncc.__file__).parent
OURS = [(_HOME / name).resolve() for name in ("", "frontends", "backends", "runtime")]
LIBRARIES = [
    Path(sysconfig.get_path(name)).resolve()
    for name in ("stdlib", "platstdlib", "purelib", "platlib")
]
"""Where Python's own modules and installed packages lie."""


def load_factory(spec: str, arguments: Mapping[str, str]) -> nn.Module:
    """Imports and calls a factory; this runs the user's code.

    Args:
        spec: "package.module:factory", found as `python -m` finds modules (working folder first).
        arguments: keyword arguments; Python literals are read as such, the rest is text.

    Raises:
        SnnccError: SNN003 with what went wrong and the user's line.
    """
    module_name, _, name = spec.partition(":")
    require_factory(spec)
    try:
        factory: object = importlib.import_module(module_name)
        for part in name.split("."):
            factory = getattr(factory, part)
    except (Exception, SystemExit) as error:  # importing runs the user's code
        raise _failed(f"{spec} cannot be imported", error, module_name) from error
    if not callable(factory):
        raise SnnccError("SNN003", f"{spec} cannot be called", help=HELP)
    values = {key: _literal(text) for key, text in arguments.items()}
    try:
        model: object = factory(**values)
    except (Exception, SystemExit) as error:
        raise _failed(f"{spec} raised an exception", error, module_name) from error
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


def _failed(message: str, error: BaseException, module: str) -> SnnccError:
    frames = [f for f in traceback.extract_tb(error.__traceback__) if _of_user(f.filename, module)]
    where = f" ({Path(frames[-1].filename).name}:{frames[-1].lineno})" if frames else ""
    return SnnccError(
        "SNN003", message, why=f"{type(error).__name__}: {reason_of(error)}{where}", help=HELP
    )


def _of_user(filename: str, module: str) -> bool:
    """Whether a file is the user's: of no library, unless the factory itself is in that one."""
    if filename.startswith("<"):
        return False
    path = Path(filename).resolve()
    top = sys.modules.get(module.partition(".")[0])
    inside = [Path(each).resolve() for each in getattr(top, "__path__", ())]
    if any(path.is_relative_to(folder) for folder in OURS):
        return False
    foreign = any(path.is_relative_to(folder) for folder in LIBRARIES)
    return not foreign or any(path.is_relative_to(folder) for folder in inside)
