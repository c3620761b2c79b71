"""Writing files so that a reader sees the old one or the new one, never a part."""

import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

from snncc.diagnostics import SnnccError


def check_writable(path: Path) -> None:
    """Finds out before long work whether a file can be written.

    Raises:
        SnnccError: SNN002 with the reason.
    """
    folder = path.parent
    if path.is_dir():
        raise _cannot(path, "it is a folder")
    if not folder.is_dir():
        raise _cannot(path, f"there is no folder {folder}")
    try:
        handle, name = tempfile.mkstemp(dir=folder, prefix=".snncc-")
        os.close(handle)
        os.unlink(name)
    except OSError as error:
        raise _cannot(path, error.strerror or str(error)) from error


def write_atomically(path: Path, write: Callable[[BinaryIO], object]) -> None:
    """Writes through a temporary file in the same folder, which then takes the path's place.

    Raises:
        SnnccError: SNN002 when anything fails; nothing is left behind.
    """
    check_writable(path)
    temporary = ""
    try:
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=".snncc-")
        with os.fdopen(handle, "wb") as file:
            write(file)
            file.flush()
            os.fsync(file.fileno())
        umask = os.umask(0)
        os.umask(umask)
        os.chmod(temporary, 0o666 & ~umask)
        os.replace(temporary, path)
    except OSError as error:
        if temporary and os.path.exists(temporary):
            os.unlink(temporary)
        raise _cannot(path, error.strerror or str(error)) from error
    except BaseException:
        if temporary and os.path.exists(temporary):
            os.unlink(temporary)
        raise


def _cannot(path: Path, reason: str) -> SnnccError:
    return SnnccError("SNN002", f"{path} cannot be written", why=reason, help="choose another path")
