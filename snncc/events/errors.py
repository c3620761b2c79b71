"""The errors of event files, each with its place and its remedy."""

from snncc.diagnostics import SnnccError


def unreadable(source: str, reason: str, help: str) -> SnnccError:
    """SNN015: the file is cut off, damaged, or of another kind."""
    return SnnccError("SNN015", f"{source} cannot be read", why=reason, help=help)


def invalid(source: str, reason: str, help: str) -> SnnccError:
    """SNN080: the file can be read, and what it holds is no recording of events."""
    return SnnccError("SNN080", f"{source} is not a valid recording of events", None, reason, help)


def not_framed(source: str, reason: str, help: str) -> SnnccError:
    """SNN081: the recording is valid, and cannot become frames as asked."""
    return SnnccError("SNN081", f"{source} does not fit the frames", None, reason, help)


def wrong_option(message: str, why: str, help: str) -> SnnccError:
    """SNN001: an argument that no recording fits."""
    return SnnccError("SNN001", message, None, why, help)
