"""The user's cache folder."""

import os
import sys
from pathlib import Path

from snncc.artifact.writing import write_atomically
from snncc.diagnostics import SnnccError
from snncc.machine.trust import WRITABLE, why_not


def cache_folder() -> Path | None:
    """The package's folder; it may not exist, and it may be impossible to make.

    SNNCC_CACHE_DIR if it is set, else `snncc` in the system's usual place; None where there is none
    because the user has no home.
    """
    if own := os.environ.get("SNNCC_CACHE_DIR"):
        return Path(own)
    named, usual = {
        "win32": ("LOCALAPPDATA", "AppData/Local"),
        "darwin": (None, "Library/Caches"),
    }.get(sys.platform, ("XDG_CACHE_HOME", ".cache"))
    if named is not None and (base := os.environ.get(named)):
        return Path(base) / "snncc"
    try:
        return Path.home() / usual / "snncc"
    except RuntimeError:  # a number without a name, as in many containers, and no HOME
        return None


def keep(path: Path, content: bytes) -> bool:
    """Writes a file as a whole or not at all; says whether it could.

    A folder that is made for it is the user's alone. Others may read the file and not write it:
    what they may write is not read again (`trust`).
    """
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        if why_not([path.parent]):
            return False
        write_atomically(path, lambda file: file.write(content))
        path.chmod(path.stat().st_mode & ~WRITABLE)
    except (OSError, SnnccError):
        return False
    return True
