"""Numba's cache of compiled loops, which it unpickles: used only where nobody else may write."""

import importlib
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from snncc.runtime.trust import WRITABLE, distrust, tell

REMEDY = "chmod go-w it, or set NUMBA_CACHE_DIR to a folder of your own"


def cache_of(function: Callable[..., Any]) -> Path | None:
    """Where Numba keeps what it makes of a function; None where it can write nowhere."""
    try:
        caching: Any = importlib.import_module("numba.core.caching")
        return Path(caching.FunctionCache(function).cache_path)
    except (ImportError, RuntimeError):
        return None


def may_cache(function: Callable[..., Any]) -> bool:
    """Whether Numba may keep and read code of a function; warns where others could change it.

    Beside the package, its cache is trusted as far as the package itself.
    """
    folder = cache_of(function)
    if folder is None:
        return False
    reason = _why_not(folder, Path(function.__code__.co_filename).parent)
    if reason:
        tell("Numba's cache", reason, REMEDY)
    return not reason


def _why_not(folder: Path, package: Path) -> str:
    try:
        beside = package.stat() if package in folder.parents else None
        kept = list(folder.glob("*.nb[ci]"))
        if not kept and beside is None and _is_own(folder):
            folder.chmod(folder.stat().st_mode & ~WRITABLE)  # new, as the user's umask made it
        for path in (folder, *kept):
            if reason := distrust(path.stat(), beside):
                return f"{path}: {reason}"
    except OSError as error:
        return f"{folder}: {error.strerror}"
    return ""


def _is_own(folder: Path) -> bool:
    return sys.platform != "win32" and folder.stat().st_uid == os.geteuid()
