"""Writing files so that a reader sees the old one or the new one, never a part."""

import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

from snncc.artifact.paths import is_folder
from snncc.artifact.temporaries import temporary
from snncc.diagnostics import SnnccError


def check_writable(path: Path) -> None:
    """Finds out before long work whether a file can be written.

    Raises:
        SnnccError: SNN002 with the reason.
    """
    target = _target(path)
    folder = target.parent
    if is_folder(target):
        raise _cannot(path, "it is a folder")
    try:
        regular = stat.S_ISREG(target.stat().st_mode)
    except (FileNotFoundError, NotADirectoryError):
        regular = True
    except OSError as error:  # a name that is too long, a folder without permission
        raise _cannot(path, error.strerror or str(error)) from error
    if not regular:
        raise _cannot(path, "it is a device, a pipe or a socket, which a file would replace")
    if not is_folder(folder):
        raise _cannot(path, f"there is no folder {folder}")
    try:
        with temporary(folder):
            pass
    except OSError as error:
        raise _cannot(path, error.strerror or str(error)) from error


def write_atomically(path: Path, write: Callable[[BinaryIO], object]) -> None:
    """Writes through a temporary file in the same folder, which then takes the path's place.

    Links are followed: what they lead to is replaced, and they stay. A process that is killed
    leaves the temporary file, which the next one that writes there removes (`temporaries`).

    Raises:
        SnnccError: SNN002 when anything fails; then nothing is left behind.
    """
    check_writable(path)
    target = _target(path)
    try:
        with temporary(target.parent) as made:
            with made.open("wb") as file:
                write(file)
                file.flush()
                os.fsync(file.fileno())
            made.chmod(0o666 & ~_umask())
            os.replace(made, target)
    except OSError as error:
        raise _cannot(path, error.strerror or str(error)) from error


def _umask() -> int:
    umask = os.umask(0)
    os.umask(umask)
    return umask


def _target(path: Path) -> Path:
    return Path(os.path.realpath(path))


def _cannot(path: Path, reason: str) -> SnnccError:
    return SnnccError("SNN002", f"{path} cannot be written", why=reason, help="choose another path")
