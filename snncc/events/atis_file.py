"""N-MNIST and N-Caltech101: `.bin`, five bytes an event and nothing else.

    byte 0      x
    byte 1      y; 240 says that no event is meant, and that time went on by 2^13 us
    byte 2      bit 7: polarity; bits 6..0: bits 22..16 of the time
    byte 3, 4   bits 15..0 of the time, the high byte first; microseconds

The file does not say how large the sensor is: N-MNIST has 34 x 34 pixels.
"""

from collections.abc import Iterator

import numpy as np

from snncc.events.errors import unreadable
from snncc.events.record import at_bytes
from snncc.events.sources import Decoded, Source

RECORD = 5
LATER = 240
STEP = 1 << 13


def read(source: Source) -> Iterator[Decoded]:
    """The one recording of a file.

    Raises:
        SnnccError: SNN015 when the last event is cut off.
    """
    count, rest = divmod(len(source.data), RECORD)
    if rest:
        reason = f"it ends within event {count} at byte {count * RECORD}, after {rest} of 5 bytes"
        raise unreadable(source.name, reason, "fetch it again, or name its --format")
    records = np.frombuffer(source.data, np.uint8).reshape(count, RECORD)
    later = records[:, 1] == LATER
    passed = np.cumsum(later, dtype=np.int64) * STEP
    event = ~later
    offsets = np.flatnonzero(event) * RECORD
    x, y, high, middle, low = records[event].astype(np.int64).T
    yield Decoded(
        x=x,
        y=y,
        polarity=high >> 7,
        time=((high & 0x7F) << 16 | middle << 8 | low) + passed[event],
        left_out={"marks of time that went on": int(later.sum())},
        where=at_bytes(offsets),
    )
