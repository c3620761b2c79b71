"""How a call speaks: in colour or not, with progress and notes or without, wide or narrow.

Every command takes `-q`, `-v` and `--color`, and so does `snncc` itself before the command's name.
"""

import os
import shutil
import sys
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TYPE_CHECKING, Any, TextIO

import click

if TYPE_CHECKING:
    from collections.abc import Mapping

WHEN = ("auto", "always", "never")
STYLES: "Mapping[str, Mapping[str, Any]]" = {
    "error": {"fg": "red", "bold": True},
    "note": {"fg": "cyan"},
    "place": {"fg": "blue", "bold": True},
    "help": {"fg": "green"},
    "head": {"bold": True},
}
"""What parts of the output look like where there is colour."""


@dataclass(frozen=True)
class Manner:
    """How the present call speaks.

    Attributes:
        quiet: neither progress nor notes; results, warnings and errors stay.
        verbose: seconds of every stage, and what runs, on stderr.
        color: "auto", "always" or "never".
    """

    quiet: bool = False
    verbose: bool = False
    color: str = "auto"


_now = [Manner()]


def manner() -> Manner:
    """Of the present call."""
    return _now[0]


def begin(arguments: list[str]) -> None:
    """A new call: nothing of the one before is left.

    Args:
        arguments: of the command line; a colour that they ask for holds for usage errors too,
            which end the reading before it comes to an option.
    """
    asked = [word.partition("=")[2] for word in arguments if word.startswith("--color=")]
    asked += [value for name, value in pairwise(arguments) if name == "--color"]
    _now[0] = Manner(color=next((word for word in reversed(asked) if word in WHEN), "auto"))


def in_colour(stream: TextIO) -> bool:
    """Whether text for a stream is styled.

    `--color` decides; without it a terminal does, unless NO_COLOR is set to anything or TERM is
    dumb.
    """
    when = manner().color
    if when != "auto":
        return when == "always"
    if os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb":
        return False
    return stream.isatty()


def width_of(stream: TextIO) -> int | None:
    """Columns of a terminal; None where text goes elsewhere and no line is too long."""
    return shutil.get_terminal_size().columns if stream.isatty() else None


def styled(text: str, style: str, *, err: bool = False) -> str:
    """Printable text in a style, where its stream shows colours."""
    stream = sys.stderr if err else sys.stdout
    return click.style(text, **STYLES[style]) if in_colour(stream) else text


def _set(ctx: click.Context, param: click.Parameter, value: Any) -> None:
    if ctx.resilient_parsing or value in (None, False):
        return
    before = manner()
    changes: dict[str, Any] = {param.name or "": value}
    if (before.verbose and param.name == "quiet") or (before.quiet and param.name == "verbose"):
        raise click.UsageError("-q and -v exclude each other", ctx)
    _now[0] = replace(before, **changes)


def shared_options() -> list[click.Parameter]:
    """The options that every command takes, new ones for each."""
    return [
        click.Option(
            ["-q", "--quiet"],
            is_flag=True,
            expose_value=False,
            callback=_set,
            help="Neither progress nor notes.",
        ),
        click.Option(
            ["-v", "--verbose"],
            is_flag=True,
            expose_value=False,
            callback=_set,
            help="Versions and seconds of every stage, on stderr.",
        ),
        click.Option(
            ["--color"],
            type=click.Choice(WHEN),
            expose_value=False,
            callback=_set,
            help="Of the output; auto: on a terminal, unless NO_COLOR is set.",
        ),
    ]
