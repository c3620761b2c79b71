"""Where the user keeps what can be made again."""

import os
import sys
from pathlib import Path


def cache_folder() -> Path:
    """The package's folder; it may not exist, and it may be impossible to make.

    SNNCC_CACHE_DIR if it is set, else `snncc` in the system's usual place.
    """
    if own := os.environ.get("SNNCC_CACHE_DIR"):
        return Path(own)
    if sys.platform == "win32":
        base = Path(os.environ.get("LOCALAPPDATA", Path.home() / "AppData" / "Local"))
    elif sys.platform == "darwin":
        base = Path.home() / "Library" / "Caches"
    else:
        base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return base / "snncc"


def keep(path: Path, content: bytes) -> bool:
    """Writes a file under a temporary name, then renames it; says whether it could."""
    own = path.with_name(f"{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        own.write_bytes(content)
        own.replace(path)
    except OSError:
        return False
    return True
