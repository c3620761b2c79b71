"""The name of a user's factory, looked at before torch is imported."""

import os
import sys
from importlib.util import find_spec

from snncc.diagnostics import SnnccError

HELP = "give --model package.module:factory, a callable that returns a torch.nn.Module"


def require_factory(spec: str) -> None:
    """Says whether there can be such a factory; runs none of the user's code.

    The working folder comes first where modules are looked for, from here on.

    Args:
        spec: "package.module:factory".

    Raises:
        SnnccError: SNN003 when it is of another form, or there is no such package.
    """
    module, colon, name = spec.partition(":")
    if not colon or not module or not name:
        raise SnnccError("SNN003", f"--model {spec} is not of the form module:factory", help=HELP)
    if os.getcwd() not in sys.path:
        sys.path.insert(0, os.getcwd())
    top = module.partition(".")[0]
    if not top or top in sys.modules:
        return
    if find_spec(top) is None:
        raise SnnccError(
            "SNN003",
            f"{spec} cannot be imported",
            why=f"ModuleNotFoundError: No module named {top!r}",
            help=HELP,
        )
