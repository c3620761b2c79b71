"""What SQLite keeps beside a store, and deletes there, whosever it was."""

import os
from pathlib import Path

from snncc.artifact.paths import is_file, is_folder, is_there
from snncc.diagnostics import SnnccError

HEADS = {
    "-journal": (b"\xd9\xd5\x05\xf9\x20\xa1\x63\xd7",),
    "-wal": (b"\x37\x7f\x06\x82", b"\x37\x7f\x06\x83"),
    "-shm": (b"\x18\xe2\x2d\x00", b"\x00\x2d\xe2\x18"),
}
"""First bytes of SQLite's own files by the ending that it adds to a name."""
SECTOR_SIZE, PAGE_SIZE = slice(20, 24), slice(24, 28)
"""Where the header of a rollback journal has them."""


def companions(store: Path) -> tuple[Path, ...]:
    """Files that SQLite makes and deletes with a store: beside what a link leads to."""
    place = os.path.realpath(store) if os.path.islink(store) else str(store)
    return tuple(Path(place + ending) for ending in HEADS)


def require_own(store: Path) -> None:
    """Sees to it that a store is a file or nothing yet, and what lies beside it SQLite's.

    Raises:
        SnnccError: SNN002 where it is something else.
    """
    if is_there(store) and not is_file(store) and not is_folder(store):
        raise SnnccError(
            "SNN002",
            f"{store} cannot be written",
            why="it is a device, a pipe or a socket",
            help="choose another path",
        )
    for path, heads in zip(companions(store), HEADS.values(), strict=True):
        if os.path.lexists(path) and not _begins(path, heads):
            raise SnnccError(
                "SNN002",
                f"the store {store} cannot be written: {path} is in its place",
                why="SQLite would delete or overwrite it, and it is none of its files",
                help="choose another path for the store, or move that file away",
            )


def _begins(path: Path, heads: tuple[bytes, ...]) -> bool:
    """Whether a file is SQLite's; an empty one is what it leaves that was killed early."""
    if not is_file(path) or os.path.islink(path):
        return False
    try:
        with path.open("rb") as file:
            head = file.read(PAGE_SIZE.stop)
    except FileNotFoundError:  # its process has just ended
        return True
    except OSError:
        return False
    return head[: len(heads[0])] in (b"", *heads) or _unsynced(head)


def _unsynced(head: bytes) -> bool:
    """Whether a rollback journal begins so whose process ended before it was on the disk.

    SQLite writes the first 12 bytes, of zeros until then, last; sizes of sectors and pages, powers
    of two, are there before (https://sqlite.org/fileformat2.html, section 3).
    """
    sizes = [int.from_bytes(head[place], "big") for place in (SECTOR_SIZE, PAGE_SIZE)]
    known = len(head) == PAGE_SIZE.stop and all(n >= 32 and n & (n - 1) == 0 for n in sizes)
    return not any(head[:12]) and (known or not any(head))
