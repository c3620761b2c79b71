"""Files and folders under construction: named `.snncc-*.tmp` beside what they will be.

Whoever makes one holds a lock on it. The system takes the lock back when the process ends, however
it ends, so one that nobody holds was left by a process that was killed; the next one that writes
into the folder removes it, and never one that is being written. What others own is left alone.
"""

import os
import shutil
import sys
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path

if sys.platform != "win32":
    import fcntl

PREFIX, SUFFIX = ".snncc-", ".tmp"
OLD, TARGET = "old", "target"
"""In a folder under construction: what it replaces, and the name that this had."""


@contextmanager
def temporary(folder: Path, *, directory: bool = False) -> Generator[Path]:
    """A new file or folder that only this process writes; what is left of it goes at the end.

    Raises:
        OSError: it cannot be made.
    """
    clear_stale(folder)
    path, handle = _made(folder, directory)
    try:
        yield path
    finally:
        _remove(path)
        if handle is not None:
            os.close(handle)


def clear_stale(folder: Path) -> None:
    """Removes what killed processes of this user left in a folder."""
    if sys.platform == "win32":
        return  # a file that is open cannot be removed there, nor can a folder be locked
    with suppress(OSError), os.scandir(folder) as entries:
        for entry in list(entries):
            if entry.name.startswith(PREFIX) and entry.name.endswith(SUFFIX):
                with suppress(OSError):
                    _clear(Path(entry.path))


def _made(folder: Path, directory: bool) -> tuple[Path, int | None]:
    """A new one, locked; another if somebody cleared it before it was."""
    while True:
        path = folder / f"{PREFIX}{os.urandom(8).hex()}{SUFFIX}"
        if directory:
            path.mkdir(mode=0o700)
        else:
            os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
        try:
            handle = _opened(path)
        except FileNotFoundError:
            continue
        if handle is None or (_locked(handle) and _leads_to(path, handle)):
            return path, handle
        os.close(handle)


def _opened(path: Path) -> int | None:
    """A handle to lock; None where an open file cannot be renamed."""
    return None if sys.platform == "win32" else os.open(path, os.O_RDONLY)


def _clear(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    try:
        own = os.fstat(handle).st_uid == os.geteuid()
        if own and _locked(handle, wait=False) and _leads_to(path, handle):
            _restore(path)
            _remove(path)
    finally:
        os.close(handle)


def _restore(path: Path) -> None:
    """Puts back a folder that was moved away for a new one that never came."""
    if (path / OLD).is_dir() and (path / TARGET).is_file():
        name = (path / TARGET).read_text()
        target = path.parent / name
        if name == Path(name).name and not os.path.lexists(target):
            os.rename(path / OLD, target)


def _locked(handle: int, wait: bool = True) -> bool:
    """Whether the lock is ours now; where a file system has none, nothing there is ever cleared."""
    if sys.platform == "win32":
        return True
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except OSError:
        return wait
    return True


def _leads_to(path: Path, handle: int) -> bool:
    try:
        there, mine = os.lstat(path), os.fstat(handle)
    except OSError:
        return False
    return (there.st_dev, there.st_ino) == (mine.st_dev, mine.st_ino)


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        with suppress(OSError):
            path.unlink()
