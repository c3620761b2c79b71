"""Formats of event files by name, and which one a file is of."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from snncc.events import (
    aedat2_file,
    aedat3_file,
    aedat4_file,
    atis_file,
    dat_file,
    evt2_file,
    numpy_file,
    spikes_file,
)
from snncc.events.errors import unreadable
from snncc.events.sources import Decoded, Source, cannot_open
from snncc.events.text_headers import read_header


@dataclass(frozen=True)
class Format:
    """A kind of file.

    Attributes:
        read: its recordings.
        whole: whether the reader takes the bytes of the file; else it opens the file itself.
        takes_chip: whether it may need to be told the camera.
    """

    read: Callable[[Source], Iterator[Decoded]]
    whole: bool = True
    takes_chip: bool = False


FORMATS: Mapping[str, Format] = {
    "npz": Format(numpy_file.read, whole=False),
    "nmnist": Format(atis_file.read),
    "dat": Format(dat_file.read),
    "evt2": Format(evt2_file.read),
    "aedat2": Format(aedat2_file.read, takes_chip=True),
    "aedat3": Format(aedat3_file.read),
    "aedat4": Format(aedat4_file.read, whole=False),
    "shd": Format(spikes_file.read, whole=False),
}
HEADS = {
    b"PK\x03\x04": "npz",
    b"\x89HDF\r\n\x1a\n": "shd",
    b"#!AER-DAT2.0": "aedat2",
    b"#!AER-DAT3.1": "aedat3",
    b"#!AER-DAT4.0": "aedat4",
}
HEAD = 1 << 16
"""Bytes in which the header of a file of Prophesee says what it is."""


def format_of(path: Path) -> str:
    """Name of the format that a file is of, by its first bytes.

    Files of N-MNIST begin with nothing of their own; they are known by `.bin`.

    Raises:
        SnnccError: SNN015 when it is of none, or cannot be opened.
    """
    if path.suffix.lower() == ".bin":
        return "nmnist"
    try:
        with path.open("rb") as file:
            head = file.read(HEAD)
    except OSError as error:
        raise cannot_open(path, error) from error
    for start, name in HEADS.items():
        if head.startswith(start):
            return name
    if head.startswith(b"%"):
        header = read_header(head, b"%", "end")
        raw = header.value("evt") is not None or header.value("format") is not None
        return "evt2" if raw else "dat"
    reason = f"no format of events begins with the bytes {head[:8].hex(' ')}"
    if head.startswith(b"#!AER-DAT"):
        version = head[9:12].decode("ascii", "replace").strip()
        reason = f"it is AEDAT {version}; 2.0, 3.1 and 4.0 are read"
    help_ = f"formats are {', '.join(FORMATS)}; name one with --format (in Python, format=)"
    raise unreadable(str(path), reason, help_)
