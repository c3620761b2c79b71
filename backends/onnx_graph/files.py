"""A graph as a file: appears whole or not at all, and replaces nothing but an earlier graph."""

import os
from pathlib import Path
from typing import Any

from snncc.artifact.kinds import EMPTY, kind_of
from snncc.artifact.paths import is_there
from snncc.artifact.temporaries import temporary
from snncc.artifact.writing import check_writable, write_atomically
from snncc.backends.onnx_graph.library import library
from snncc.backends.onnx_graph.model import IR_VERSION, PRODUCER, serialised
from snncc.diagnostics import SnnccError

LARGEST = (1 << 31) - (1 << 24)
"""Bytes of constants of one file: protobuf holds 2 GiB, names and nodes among them."""
HEAD = bytes([0x08, IR_VERSION, 0x12, len(PRODUCER)]) + PRODUCER.encode()
"""How a graph that was written here begins: its version of the format, and who made it."""
SMALL = 1024
"""Bytes of a constant that stays in the graph when others have a file of their own."""


def check_free(path: Path, force: bool) -> None:
    """Says before the work whether a file may be written.

    Raises:
        SnnccError: SNN002 where there is a file, and `force` is not given or no export wrote it.
    """
    check_writable(path)
    if is_there(path) and kind_of(path) != EMPTY:
        if not _is_graph(path):
            raise _kept(path, "it is no graph that an export wrote", "give another path with -o")
        if not force:
            raise _kept(path, "a graph is there", "give --force to replace it")
    elif is_there(data_path(path)):
        other = "what would be written beside a large graph is there, without a graph"
        raise _kept(data_path(path), other, "move it away, or give another path with -o")


def write_model(path: Path, model: Any, largest: int = LARGEST) -> tuple[Path, ...]:
    """Writes a model; equal models give equal files.

    Args:
        path: of the graph.
        model: of onnx_ir.
        largest: bytes of constants from which on they go into a file of their own beside it.

    Returns:
        The files, the graph first.

    Raises:
        SnnccError: SNN002 when they cannot be written.
    """
    if sum(value.const_value.nbytes for value in model.graph.initializers.values()) <= largest:
        content = serialised(model)
        write_atomically(path, lambda file: file.write(content))
        return (path,)
    target, data = Path(os.path.realpath(path)), data_path(Path(os.path.realpath(path)))
    try:
        with temporary(target.parent, directory=True) as made:
            new = made / target.name
            library("onnx_ir").save(model, new, external_data=data.name, size_threshold_bytes=SMALL)
            for file in (made / data.name, new):
                with file.open("rb") as written:
                    os.fsync(written.fileno())
            os.replace(made / data.name, data)
            os.replace(new, target)
    except OSError as error:
        reason = error.strerror or str(error)
        raise SnnccError(
            "SNN002", f"{path} cannot be written", why=reason, help="choose another path"
        ) from error
    return path, data


def data_path(path: Path) -> Path:
    """The file of the constants of a large graph."""
    return path.with_name(path.name + ".data")


def _is_graph(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            return file.read(len(HEAD)) == HEAD
    except OSError:
        return False


def _kept(path: Path, why: str, help_: str) -> SnnccError:
    return SnnccError("SNN002", f"{path} is not replaced", why=why, help=help_)
