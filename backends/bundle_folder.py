"""The directory of a bundle: appears whole or not at all, and replaces nothing but a bundle."""

import ctypes
import hashlib
import json
import os
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from snncc.artifact.paths import is_folder, is_there
from snncc.artifact.temporaries import OLD, TARGET, temporary
from snncc.diagnostics import SnnccError

MANIFEST = "manifest.json"
CACHE = "__pycache__"
"""Python makes it when the bundle runs."""
OTHER = "choose another directory with -o"
SHOWN = 5
AT_FDCWD, RENAME_EXCHANGE = -100, 2
"""Of Linux's renameat2, which swaps two names in one move."""


def check_free(folder: Path, force: bool) -> None:
    """Says before the work whether a directory may be taken.

    Raises:
        SnnccError: SNN002 when it is a file, is not empty, or with `force` holds anything that no
            export has written.
    """
    try:
        if not any(folder.iterdir()):
            return
        foreign = foreign_in(folder)
    except FileNotFoundError:
        return
    except OSError as error:
        reason = error.strerror or str(error)
        what = "it is a file" if is_there(folder) and not is_folder(folder) else reason
        raise _cannot(folder, what) from error
    if not force:
        again = "give --force to replace the bundle in it" if not foreign else OTHER
        raise _cannot(folder, "it is not empty", again)
    if _is_kept(folder):
        raise _cannot(folder, "it is the working folder, the home folder or holds one of them")
    if foreign:
        raise _cannot(folder, f"--force replaces bundles alone, and {foreign}")


def foreign_in(folder: Path) -> str:
    """What a directory holds besides an unchanged bundle, as a sentence; "" for nothing."""
    try:
        manifest: Any = json.loads((folder / MANIFEST).read_bytes())
        files: dict[str, str] = dict(manifest["files"])
        bundle = bool(manifest["program"] and manifest["snncc"])
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        bundle, files = False, {}
    if not bundle:
        return f"it has no {MANIFEST} of an export"
    found = sorted(entry.name for entry in folder.iterdir() if not _is_cache(entry))
    unknown = [name for name in found if name != MANIFEST and name not in files]
    if unknown:
        return f"it also holds {_some(unknown)}"
    changed = [name for name in found if name in files and not _has(folder / name, files[name])]
    return f"{_some(changed)} in it changed since the export" if changed else ""


def place_files(folder: Path, content: Mapping[str, bytes]) -> None:
    """Writes files into a new directory, which then takes the folder's place.

    Raises:
        SnnccError: SNN002 when that fails; the folder is then as it was.
    """
    folder = Path(os.path.realpath(folder))
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with temporary(folder.parent, directory=True) as made:
            new = made / "new"
            new.mkdir()
            for name, data in content.items():
                (new / name).write_bytes(data)
            if not folder.exists() or not any(folder.iterdir()):
                os.replace(new, folder)
            elif _exchanged(new, folder):
                if foreign := foreign_in(new):  # somebody wrote there since it was looked at
                    _exchanged(new, folder)
                    raise _cannot(folder, foreign)
            else:
                _replace(new, folder, made)
    except OSError as error:
        raise _cannot(folder, error.strerror or str(error)) from error


def _replace(new: Path, folder: Path, made: Path) -> None:
    """In two moves; should the process be killed between, the next one puts the old back."""
    (made / TARGET).write_text(folder.name)
    os.replace(folder, made / OLD)
    try:
        os.replace(new, folder)
    except BaseException:
        os.replace(made / OLD, folder)
        raise


def _exchanged(one: Path, two: Path) -> bool:
    """Swaps two directories in one move; False where the system or the disk cannot."""
    if sys.platform != "linux":
        return False
    try:
        swap = ctypes.CDLL(None, use_errno=True).renameat2
    except AttributeError:  # a C library without it
        return False
    names = (AT_FDCWD, os.fsencode(one), AT_FDCWD, os.fsencode(two))
    return int(swap(*names, RENAME_EXCHANGE)) == 0


def _is_kept(folder: Path) -> bool:
    """Whether a directory is one that nobody wants replaced, whatever is in it."""
    real = folder.resolve()
    kept = [Path.cwd().resolve(), Path("/")]
    with suppress(RuntimeError):  # there may be no home
        kept.append(Path.home().resolve())
    return any(real == each or real in each.parents for each in kept)


def _is_cache(entry: Path) -> bool:
    if entry.name != CACHE or entry.is_symlink() or not entry.is_dir():
        return False
    return all(each.suffix == ".pyc" for each in entry.iterdir())


def _has(path: Path, sha: str) -> bool:
    if path.is_symlink() or not path.is_file():
        return False
    return hashlib.sha256(path.read_bytes()).hexdigest() == sha


def _some(names: list[str]) -> str:
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join(names[:SHOWN]) + more


def _cannot(folder: Path, why: str, help: str = OTHER) -> SnnccError:
    return SnnccError("SNN002", f"{folder} cannot be written", why=why, help=help)
