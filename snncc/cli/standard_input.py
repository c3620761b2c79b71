"""A program that comes through a pipe: `snncc verify - < net.snncc`."""

import shutil
import sys
import tempfile
from pathlib import Path

import click

from snncc.diagnostics import SnnccError

DASH = Path("-")
NAME = "stdin.snncc"


def from_stdin(ctx: click.Context) -> Path:
    """What comes through stdin as a file, which is removed when the command ends.

    A program is read more than once, and its bytes are named by their sha256; a pipe gives them
    once.

    Raises:
        SnnccError: SNN015 when nothing is piped in, or it cannot be kept.
    """
    stream = sys.stdin
    if stream is None or stream.isatty():
        raise SnnccError(
            "SNN015",
            "stdin cannot be read",
            why="- stands for a program that is piped in, and nothing is",
            help="snncc verify - < net.snncc, or give the name of a file",
        )
    folder = ctx.with_resource(tempfile.TemporaryDirectory(prefix="snncc-"))
    path = Path(folder) / NAME
    try:
        with path.open("wb") as file:
            shutil.copyfileobj(stream.buffer, file)
    except OSError as error:
        raise SnnccError(
            "SNN015",
            "stdin cannot be read",
            why=f"it is kept in {path.parent.parent} while the command runs: {error.strerror}",
            help="give the name of a file",
        ) from error
    return path
