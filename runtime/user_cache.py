"""Where the user keeps what can be made again."""

import os
import sys
from contextlib import suppress
from pathlib import Path


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
    """Writes a file under a temporary name, then renames it; says whether it could.

    The name is random because processes of two containers may have one number. Others may read the
    file as they may read any other that the user writes, which a file of `tempfile` denies them.
    """
    own = path.with_name(f"{path.name}.{os.urandom(8).hex()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with own.open("xb") as file:
            file.write(content)
        own.replace(path)
    except OSError:
        _remove(own)
        return False
    return True


def _remove(path: Path) -> None:
    with suppress(OSError):
        path.unlink()
