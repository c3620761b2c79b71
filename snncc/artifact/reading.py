"""Reading files as bytes: what the system refuses is one coded error."""

from pathlib import Path

from snncc.diagnostics import SnnccError


def bytes_of(path: Path, help: str) -> bytes:
    """What a file holds. Raises SnnccError (SNN015) with the system's reason, and what to give."""
    try:
        return path.read_bytes()
    except OSError as error:
        reason = error.strerror or str(error)
        raise SnnccError("SNN015", f"{path} cannot be read", why=reason, help=help) from error
