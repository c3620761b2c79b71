"""Prophesee `.dat`, version 2: text, two bytes, then eight bytes an event, little-endian.

header        lines "% Keyword value", Version mandatory, Width and Height if known
byte 0        kind of events: 0 or 12 (CD)
byte 1        bytes an event: 8
each event    u32 time in microseconds, which starts again at 2^32
              u32 x in bits 0..13, y in bits 14..27, polarity in bits 28..31
"""

from collections.abc import Iterator

import numpy as np

from snncc.events.clocks import unwrapped
from snncc.events.errors import unreadable
from snncc.events.record import Sensor, at_bytes
from snncc.events.sources import Decoded, Source, check_header
from snncc.events.text_headers import TextHeader, read_header

CHANGES = (0, 12)
RECORD = 8
VERSION = "2"


def read(source: Source) -> Iterator[Decoded]:
    """The one recording of a file.

    Raises:
        SnnccError: SNN015 for another version, other events than changes of light, or when it is
            cut off.
    """
    header = read_header(source.data, b"%", "end")
    check_header(source, header)
    version = header.value("Version")
    if version != VERSION:
        said = "says no version" if version is None else f"is of version {version}"
        reason = f"its header {said}; version {VERSION} is read"
        raise unreadable(source.name, reason, "convert it with Prophesee's own tools")
    start = header.end + 2
    if len(source.data) < start:
        reason = f"it ends at byte {len(source.data)}, where the kind of its events should be"
        raise unreadable(source.name, reason, "fetch it again")
    kind, size = source.data[start - 2 : start]
    if kind not in CHANGES or size != RECORD:
        reason = f"byte {start - 2} says events of kind {kind} and {size} bytes; "
        reason += f"kinds {CHANGES[0]} and {CHANGES[1]} of {RECORD} bytes are read"
        raise unreadable(source.name, reason, "give a file of CD events")
    count, rest = divmod(len(source.data) - start, RECORD)
    if rest:
        place = start + count * RECORD
        reason = f"it ends within event {count} at byte {place}, after {rest} of {RECORD} bytes"
        raise unreadable(source.name, reason, "fetch it again")
    words = np.frombuffer(source.data, "<u4", offset=start).reshape(count, 2)
    packed = words[:, 1]
    yield Decoded(
        x=packed & 0x3FFF,
        y=packed >> 14 & 0x3FFF,
        polarity=packed >> 28,
        time=unwrapped(words[:, 0], 32),
        sensor=_sensor(source, header),
        where=at_bytes(start + RECORD * np.arange(count)),
    )


def _sensor(source: Source, header: TextHeader) -> Sensor | None:
    width, height = header.value("Width"), header.value("Height")
    if width is None or height is None:
        return None
    if not (width.isdecimal() and height.isdecimal() and len(width + height) < 10):
        reason = f"its header says Width {width!r} and Height {height!r}"
        raise unreadable(source.name, reason, "fetch it again")
    return Sensor(int(width), int(height))
