"""Command lines that click refuses, told as everything else is."""

import re
from collections.abc import Sequence
from difflib import get_close_matches
from typing import Any, cast

import click
from click.core import ParameterSource

from snncc.cli.places import option_of
from snncc.cli.project_file import FILE
from snncc.cli.registered import Registered
from snncc.diagnostics import Finding, SnnccError

CODE = "SNN005"


class UnknownName(click.UsageError):
    """A name that stands for nothing.

    Args:
        message: what there is none of.
        name: as it was given.
        names: those that there are.
        ctx: of the call.
    """

    def __init__(
        self, message: str, name: str, names: Sequence[str], ctx: click.Context | None = None
    ) -> None:
        super().__init__(message, ctx)
        self.close, self.names = get_close_matches(name, names, 2), tuple(names)


def as_error(error: click.ClickException) -> SnnccError:
    """What click refuses, as one of our own errors.

    Options that do not exist, that lack a value or have a wrong one, missing arguments, commands
    that there are not: all are SNN005, with the nearest names where some are near.
    """
    ctx = getattr(error, "ctx", None)
    path = "snncc" if ctx is None else ctx.command_path
    help_ = f"see `{path} --help`"
    message = error.format_message().rstrip(".")
    why = ""
    if isinstance(error, UnknownName):
        why = "" if error.close else f"there are {', '.join(error.names)}"
        help_ = f"perhaps {' or '.join(error.close)}" if error.close else help_
    elif isinstance(error, click.NoSuchOption):
        message = f"there is no option {error.option_name}"
        known = [] if ctx is None else _options_of(ctx)
        close = list(error.possibilities or ()) or get_close_matches(error.option_name, known, 2)
        help_ = f"perhaps {' or '.join(close)}; {help_}" if close else help_
    elif isinstance(error, click.MissingParameter):
        pass  # click's own words name it
    elif isinstance(error, click.BadParameter) and error.param is not None:
        message = f"{option_of(error.param)}: {error.message.rstrip('.')}"
        close = _close_choices(error.param.type, error.message)
        help_ = f"perhaps {' or '.join(close)}; {help_}" if close else help_
        if ctx and ctx.get_parameter_source(error.param.name or "") == ParameterSource.DEFAULT_MAP:
            why = f"it stands in {FILE}"
    return SnnccError.of([Finding(CODE, message, None, why, help_)])


def _options_of(ctx: click.Context) -> list[str]:
    return [name for param in ctx.command.get_params(ctx) for name in param.opts]


def _close_choices(kind: object, message: str) -> list[str]:
    """Of click's words on a choice, the names near to what was given."""
    given = re.match(r"'(.*)' is not one of ", message)
    if not given or not isinstance(kind, (click.Choice, Registered)):
        return []
    names: Any = (
        kind.names() if isinstance(kind, Registered) else getattr(cast("Any", kind), "choices", ())
    )
    return get_close_matches(given[1], [str(name) for name in names], 2)
