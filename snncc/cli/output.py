"""What commands share: progress on stderr, tables on stdout."""

import json
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from typing import Any, Protocol, cast

import click

from snncc.diagnostics import printable


class Advance(Protocol):
    """Tells a progress display how far the work is."""

    def __call__(self, done: int, total: int) -> None: ...


@contextmanager
def progress(what: str, quiet: bool = False) -> Generator[Advance]:
    """A bar on a terminal's stderr; nothing elsewhere."""
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
    )

    console = Console(stderr=True)
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    hidden = quiet or not console.is_terminal
    with Progress(*columns, console=console, transient=True, disable=hidden) as bar:
        task = bar.add_task(what, total=None)

        def advance(done: int, total: int) -> None:
            bar.update(task, completed=done, total=total)

        yield advance


def say(line: str = "", *, err: bool = False) -> None:
    """One line for people: the only way in which text reaches a terminal.

    Whatever is no character to be seen is escaped, newlines too: names, source lines and messages
    come from files that others wrote.
    """
    click.echo(printable(line), err=err)


def print_json(record: Any) -> None:
    click.echo(json.dumps(record))


def print_table(rows: Sequence[Sequence[object]], header: Sequence[str], left: int = 1) -> None:
    """Columns as wide as needed; the first `left` are flush left, the rest flush right."""
    cells = [[printable(str(cell)) for cell in row] for row in (header, *rows)]
    widths = [max(len(row[i]) for row in cells) for i in range(len(header))]
    for row in cells:
        parts = [
            text.ljust(width) if i < left else text.rjust(width)
            for i, (text, width) in enumerate(zip(row, widths, strict=True))
        ]
        say("  " + "  ".join(parts).rstrip())


def print_facts(facts: Sequence[tuple[str, object]]) -> None:
    """Names and values in two columns; a value that is a tuple takes a line for each part."""
    width = max(len(name) for name, _ in facts)
    for name, value in facts:
        parts = cast("tuple[object, ...]", value) if isinstance(value, tuple) else (value,)
        for place, part in enumerate(parts):
            say(f"{('' if place else name).ljust(width)}  {part}")
