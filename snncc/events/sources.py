"""What readers are given, and what they give."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from snncc.artifact.paths import is_file, is_folder
from snncc.diagnostics import SnnccError
from snncc.events.errors import unreadable
from snncc.events.record import Column, Sensor, Where, by_number
from snncc.events.text_headers import TextHeader

LOOKED_AT = 1 << 26
"""Bytes from which a file is held against the memory that is free."""


@dataclass(frozen=True)
class Source:
    """A file of events, read whole: what readers make of it is in proportion to its size.

    Attributes:
        path: of the file.
        data: its bytes; empty for formats that another library opens.
        chip: camera by whose layout addresses are read, where the file does not say it.
    """

    path: Path
    data: bytes = field(repr=False)
    chip: str | None = None

    @property
    def name(self) -> str:
        """What it is called in messages."""
        return str(self.path)


@dataclass(frozen=True, eq=False)
class Decoded:
    """Columns as a file has them: nothing about them is checked yet.

    Attributes:
        x: of each event.
        y: of each event.
        polarity: of each event.
        time: of each event in microseconds.
        sensor: as the file says it, or None.
        polarities: 2, or 1 where events have none.
        label: class of the recording, or None.
        left_out: what else the file holds, and how often.
        where: the place of an event in the file.
    """

    x: Column
    y: Column
    polarity: Column
    time: Column
    sensor: Sensor | None = None
    polarities: int = 2
    label: int | None = None
    left_out: Mapping[str, int] = field(default_factory=dict[str, int])
    where: Where = by_number


def check_file(path: Path) -> None:
    """Refuses what is no file before it is opened: opening a pipe waits for a writer.

    Raises:
        SnnccError: SNN015 when it is no file, is empty, or beyond the memory.
    """
    name = str(path)
    if is_folder(path):
        raise unreadable(name, "it is a folder", "give the files in it, one by one")
    try:
        size = path.stat().st_size
    except OSError as error:
        raise cannot_open(path, error) from error
    except ValueError as error:  # a zero byte in the name
        raise unreadable(repr(name), str(error), "give a file of events") from error
    if not is_file(path):
        raise unreadable(name, "it is a device, a pipe or a socket", "give a file")
    if not size:
        raise unreadable(name, "it is empty", "leave it out, or fetch it again")
    if size > LOOKED_AT:
        from snncc.data.arrays import require_room

        require_room(path, size)


def cannot_open(path: Path, error: OSError) -> SnnccError:
    """SNN015 with the system's reason."""
    reason = error.strerror or "it cannot be opened"
    return unreadable(str(path), reason, "give a file of events")


def read_source(path: Path, chip: str | None, *, whole: bool = True) -> Source:
    """The bytes of a file.

    Args:
        path: of the file.
        chip: camera by whose layout addresses are read.
        whole: False where another library opens the file by its name.

    Raises:
        SnnccError: SNN015 when it cannot be opened.
    """
    try:
        return Source(path, path.read_bytes() if whole else b"", chip)
    except OSError as error:
        raise cannot_open(path, error) from error


def check_header(source: Source, header: TextHeader) -> None:
    """Raises SnnccError (SNN015) where it is not clear whether the header has ended."""
    if header.doubtful:
        reason = f"the line at byte {header.end} of its header ends otherwise than the first"
        raise unreadable(source.name, reason, "end all lines of the header alike, by CR LF or LF")
