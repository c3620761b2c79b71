"""Whether files hold what this user put there: nobody else may have written them.

Kept machine code is run, and Numba's own cache is unpickled, which can run anything. So neither is
read from a place that another user owns or may write. The superuser's files are trusted, for the
superuser can do anything anyway.
"""

import os
import stat
import sys
import warnings
from collections.abc import Iterable
from pathlib import Path

from snncc.diagnostics.notices import Notice

WRITABLE = stat.S_IWGRP | stat.S_IWOTH


def distrust(status: os.stat_result, as_far_as: os.stat_result | None = None) -> str:
    """Why a file or folder is not trusted; "" when it is.

    Args:
        status: of it.
        as_far_as: of a file that is trusted already: its owner and those who may write it can do
            no more harm here than there.
    """
    if sys.platform == "win32":
        return ""  # the user's profile is the user's; there are no modes to look at
    owners, writable = {0, os.geteuid()}, WRITABLE
    if as_far_as is not None:
        owners.add(as_far_as.st_uid)
        same_group = as_far_as.st_gid == status.st_gid
        writable &= ~(as_far_as.st_mode if same_group else as_far_as.st_mode & ~stat.S_IWGRP)
    if status.st_uid not in owners:
        return f"it belongs to user {status.st_uid}"
    if status.st_mode & writable:
        who = "everybody" if status.st_mode & writable & stat.S_IWOTH else "its group"
        return f"{who} may write it"
    return ""


def read_trusted(path: Path) -> bytes | None:
    """The content of a file that nobody else may have written; None for any other, and for none.

    What was looked at is what is read: the folder and the file are held open meanwhile.
    """
    if sys.platform == "win32":
        return path.read_bytes() if path.is_file() else None
    try:
        folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    except OSError:
        return None
    try:
        flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK
        handle = os.open(path.name, flags, dir_fd=folder)
        with os.fdopen(handle, "rb") as file:
            status = os.fstat(file.fileno())
            if distrust(os.fstat(folder)) or distrust(status) or not stat.S_ISREG(status.st_mode):
                return None
            return file.read()
    except OSError:
        return None
    finally:
        os.close(folder)


def why_not(paths: Iterable[Path]) -> str:
    """The first of some paths that is there and not trusted, and why; "" when all are."""
    for path in paths:
        try:
            reason = distrust(path.stat())
        except OSError:
            continue
        if reason:
            return f"{path}: {reason}"
    return ""


def tell(what: str, reason: str, remedy: str) -> None:
    """Warns once that a cache is left alone."""
    warnings.warn(f"{what} is not used: {reason} ({remedy})", Notice, stacklevel=3)
