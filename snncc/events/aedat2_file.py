"""AEDAT 2.0: lines that begin with "#", then pairs of an address and a time, big-endian u32 each.

How an address holds x, y and polarity depends on the camera (`chips`), which the header's line
"AEChip" names, or the caller. Coordinates and polarity are given as the file has them: for many
cameras y points up, and jAER mirrors x of the DVS128 and calls its polarity 0 ON. CIFAR10-DVS as
SpikingJelly reads it is `orient("swap", "flip-x", "flip-y", "flip-polarity")`.
"""

from collections.abc import Iterator

import numpy as np

from snncc.events.chips import CHIPS, CHIPS_OF_AEDAT2, chip_in
from snncc.events.clocks import unwrapped
from snncc.events.errors import unreadable, wrong_option
from snncc.events.record import at_bytes
from snncc.events.sources import Decoded, Source, check_header
from snncc.events.text_headers import TextHeader, read_header

VERSION = "!AER-DAT2.0"
RECORD = 8


def read(source: Source) -> Iterator[Decoded]:
    """The one recording of a file.

    Raises:
        SnnccError: SNN015 for another version, or when it is cut off; SNN001 when nobody says of
            which camera it is.
    """
    header = read_header(source.data, b"#", "!END-HEADER")
    check_header(source, header)
    if header.lines[:1] != (VERSION,):
        reason = f"its first line is not #{VERSION}"
        raise unreadable(source.name, reason, "name its --format, if it is another")
    chip = CHIPS[_chip(source, header)]
    layout = chip.layout
    if layout is None:
        raise _no_chip(source, "has no addresses in AEDAT 2.0")
    count, rest = divmod(len(source.data) - header.end, RECORD)
    if rest:
        place = header.end + count * RECORD
        reason = f"it ends within event {count} at byte {place}, after {rest} of {RECORD} bytes"
        raise unreadable(source.name, reason, "fetch it again")
    pairs = np.frombuffer(source.data, ">u4", offset=header.end).reshape(count, 2)
    address, times = pairs[:, 0].astype(np.uint32), unwrapped(pairs[:, 1], 32)
    pixel = address & np.uint32(layout.other) == 0
    address = address[pixel]
    yield Decoded(
        x=address >> layout.x[0] & ((1 << layout.x[1]) - 1),
        y=address >> layout.y[0] & ((1 << layout.y[1]) - 1),
        polarity=address >> layout.polarity & 1,
        time=times[pixel],
        sensor=chip.sensor,
        left_out={"addresses of other events": int((~pixel).sum())},
        where=at_bytes(header.end + RECORD * np.flatnonzero(pixel)),
    )


def _chip(source: Source, header: TextHeader) -> str:
    if source.chip is not None:
        return source.chip
    said = header.value("AEChip")
    named = None if said is None else chip_in(said)
    if named is None:
        raise _no_chip(source, f"names {said!r}" if said else "names no camera (AEChip)")
    return named


def _no_chip(source: Source, why: str) -> Exception:
    message = f"{source.name}: how its addresses are packed is not known"
    return wrong_option(message, f"its header {why}", f"give --chip {'|'.join(CHIPS_OF_AEDAT2)}")
