"""Files of events, written from the descriptions of their formats, byte by byte.

An event is (x, y, polarity, microseconds). Nothing here is shared with the readers.
"""

import struct
from collections.abc import Iterable, Sequence

Event = tuple[int, int, int, int]


def atis(events: Iterable[Event]) -> bytes:
    """N-MNIST: five bytes each; a time of 2^23 us and more needs `mark`."""
    found = bytearray()
    for x, y, p, t in events:
        found += bytes([x, y, p << 7 | t >> 16, t >> 8 & 255, t & 255])
    return bytes(found)


def dat(events: Iterable[Event], header: str = "% Version 2\n% Width 64\n% Height 48\n") -> bytes:
    """Prophesee .dat."""
    body = b"".join(
        struct.pack("<II", t % 2**32, p * 2**28 + y * 2**14 + x) for x, y, p, t in events
    )
    return header.encode() + bytes([12, 8]) + body


EVT2_HEADER = "% evt 2.0\n% format EVT2;height=48;width=64\n% end\n"


def evt2(events: Iterable[Event], header: str = EVT2_HEADER, order: str = "<") -> bytes:
    """Prophesee EVT 2.0: a word of the high bits of the time wherever they change."""
    words: list[int] = []
    high = -1
    for x, y, p, t in events:
        if t // 64 != high:
            high = t // 64
            words.append(8 * 2**28 + high % 2**28)
        words.append(p * 2**28 + t % 64 * 2**22 + x * 2**11 + y)
    return header.encode() + struct.pack(f"{order}{len(words)}I", *words)


AEDAT2_HEADER = (
    "#!AER-DAT2.0\r\n# This is a raw AE data file - do not edit\r\n"
    "# Data format is int32 address, int32 timestamp (8 bytes total),\repeated for each event\r\n"
    "# AEChip: eu.seebetter.ini.chips.davis.Davis240C\r\n"
)


def davis(events: Iterable[Event], header: str = AEDAT2_HEADER) -> bytes:
    """AEDAT 2.0 of a DAVIS."""
    pairs = [
        struct.pack(">II", y * 2**22 + x * 2**12 + p * 2**11, t % 2**32) for x, y, p, t in events
    ]
    return header.encode() + b"".join(pairs)


DVS128_HEADER = "#!AER-DAT2.0\r\n# AEChip: ch.unizh.ini.jaer.chip.retina.DVS128\r\n"


def dvs128(events: Iterable[Event], header: str = DVS128_HEADER) -> bytes:
    """AEDAT 2.0 of a DVS128."""
    pairs = [struct.pack(">II", y * 2**8 + x * 2 + p, t % 2**32) for x, y, p, t in events]
    return header.encode() + b"".join(pairs)


AEDAT3_HEADER = (
    "#!AER-DAT3.1\r\n#Format: RAW\r\n#Source 1: DVS128\r\n"
    "#Start-Time: 2017-01-01 10:00:00 (TZ+0100)\r\n#!END-HEADER\r\n"
)


def aedat3(
    events: Sequence[Event],
    header: str = AEDAT3_HEADER,
    each: int = 7,
    between: bytes = b"",
    spare: int = 0,
) -> bytes:
    """AEDAT 3.1: packets of `each` events of one overflow, with `between` after each packet."""
    found = [header.encode()]
    part: list[Event] = []

    def close() -> None:
        if not part:
            return
        full, places = part[0][3] // 2**31, len(part) + spare
        found.append(struct.pack("<hhiiiiii", 1, 1, 8, 4, full, places, len(part), len(part)))
        for x, y, p, t in part:
            found.append(struct.pack("<Ii", x * 2**17 + y * 4 + p * 2 + 1, t % 2**31))
        found.append(bytes(8 * spare) + between)
        part.clear()

    for event in events:
        if len(part) == each or (part and part[0][3] // 2**31 != event[3] // 2**31):
            close()
        part.append(event)
    close()
    return b"".join(found)
