"""What commands share: lines, facts and tables, styled and fitted where they go to a terminal."""

import json
import re
import sys
import textwrap
from collections.abc import Sequence
from itertools import zip_longest
from typing import Any, cast

import click

from snncc.cli.manner import in_colour, manner, styled, width_of
from snncc.diagnostics import printable

_OPENINGS = (
    (re.compile(r"error\[SNN\d{3}\]:|internal error:"), "error"),
    (re.compile(r"note:"), "note"),
    (re.compile(r"warning:"), "error"),
    (re.compile(r"  -->|   \|  +\^+$|   \|"), "place"),
    (re.compile(r"   = \w+:"), "help"),
)
"""How lines begin that are styled, and in which style."""
_NARROWEST = 12
"""Characters that a column keeps."""


def say(line: str = "", *, err: bool = False) -> None:
    """One line for people: the only way in which text reaches a terminal.

    Whatever is no character to be seen is escaped, newlines too: names, source lines and messages
    come from files that others wrote.
    """
    text, stream = printable(line), sys.stderr if err else sys.stdout
    if err and manner().quiet and text.startswith("note:"):
        return
    colour = in_colour(stream)
    if colour:
        for pattern, style in _OPENINGS:
            if found := pattern.match(text):
                text = styled(found[0], style, err=err) + text[found.end() :]
                break
    click.echo(text, err=err, color=colour)


def print_json(record: Any) -> None:
    click.echo(json.dumps(record))


def print_table(rows: Sequence[Sequence[object]], header: Sequence[str], left: int = 1) -> None:
    """Columns as wide as needed; the first `left` are flush left, the rest flush right.

    On a terminal that is narrower, texts of the columns at the left go on in further lines.
    """
    cells = [[printable(str(cell)) for cell in row] for row in (header, *rows)]
    columns = list(zip(*cells, strict=True))
    widths = _fitted(columns, left, width_of(sys.stdout))
    for number, row in enumerate(cells):
        lines = [
            _lines(text, width) if i < left else [text]
            for i, (text, width) in enumerate(zip(row, widths, strict=True))
        ]
        for texts in zip_longest(*lines, fillvalue=""):
            parts = [
                text.ljust(width) if i < left else text.rjust(width)
                for i, (text, width) in enumerate(zip(texts, widths, strict=True))
            ]
            line = "  " + "  ".join(parts).rstrip()
            if number or not in_colour(sys.stdout):
                say(line)
            else:
                click.echo(styled(line, "head"), color=True)


def print_facts(facts: Sequence[tuple[str, object]]) -> None:
    """Names and values in two columns; a value that is a tuple takes a line for each part."""
    width = max(len(name) for name, _ in facts)
    columns = width_of(sys.stdout)
    for name, value in facts:
        parts = cast("tuple[object, ...]", value) if isinstance(value, tuple) else (value,)
        texts = [text for part in parts for text in _wrapped(printable(str(part)), width, columns)]
        for place, text in enumerate(texts):
            say(f"{('' if place else name).ljust(width)}  {text}")


def _fitted(columns: Sequence[Sequence[str]], left: int, room: int | None) -> list[int]:
    """Widths of columns, in order; of the first `left` less where a terminal is narrower.

    Sentences give way first, to the width of their longest word; names only where that is not
    enough.
    """
    widths = [max(map(len, column)) for column in columns]
    if room is None:
        return widths
    words = [
        max(len(word) for text in column for word in [*text.split(), ""]) for column in columns
    ]
    for least in (words, [0] * left):
        for _ in range(left):
            over = 2 * len(widths) + sum(widths) - room
            spare = [widths[i] - max(least[i], _NARROWEST) for i in range(left)]
            most = max(range(left), key=spare.__getitem__)
            if over > 0 and spare[most] > 0:
                widths[most] -= min(over, spare[most])
    return widths


def _lines(text: str, width: int) -> list[str]:
    if len(text) <= width:
        return [text]
    return textwrap.wrap(text, width, break_on_hyphens=False)


def _wrapped(text: str, indent: int, columns: int | None) -> list[str]:
    room = 0 if columns is None else columns - indent - 2
    if room < 2 * _NARROWEST or len(text) <= room:
        return [text]
    return textwrap.wrap(text, room, break_long_words=False, break_on_hyphens=False)
