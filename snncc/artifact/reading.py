"""Reading files as bytes: what the system refuses is one coded error."""

import stat
from pathlib import Path

from snncc.diagnostics import SnnccError


def bytes_of(path: Path, help: str) -> bytes:
    """What a file holds. Raises SnnccError (SNN015) with the system's reason, and what to give."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise _unreadable(path, error, help) from error


def require_readable(path: Path, help: str) -> None:
    """Raises SnnccError (SNN015) for a regular file that cannot be read, or where there is none."""
    try:
        regular = stat.S_ISREG(path.stat().st_mode)
        if not regular:
            return  # a pipe gives what it holds once; who reads it says what is wrong
        with path.open("rb"):
            pass
    except OSError as error:
        raise _unreadable(path, error, help) from error


def _unreadable(path: Path, error: OSError, help: str) -> SnnccError:
    reason = error.strerror or str(error)
    return SnnccError("SNN015", f"{path} cannot be read", why=reason, help=help)
