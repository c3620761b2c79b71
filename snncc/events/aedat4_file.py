"""AEDAT 4.0 of iniVation: compressed packets of streams; read by the package `aedat`."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from snncc.events.errors import unreadable
from snncc.events.extras import library
from snncc.events.record import Sensor
from snncc.events.sources import Decoded, Source

HELP = "fetch it again, or look whether another program opens it"


def read(source: Source) -> Iterator[Decoded]:
    """The one recording of a file.

    Raises:
        SnnccError: SNN050 without the package, SNN015 when it cannot be read or holds several
            streams of events.
    """
    aedat = library("aedat", source.name)
    try:
        decoder = aedat.Decoder(str(source.path))
        streams: dict[int, dict[str, Any]] = decoder.id_to_stream()
        packets: list[dict[str, Any]] = list(decoder)
    except (KeyboardInterrupt, SystemExit):
        raise
    except BaseException as error:  # a panic of its decoder is no Exception
        reason = str(error).partition("\n")[0] or type(error).__name__
        raise unreadable(source.name, f"aedat says: {reason}", HELP) from error
    of_events = [key for key, stream in streams.items() if stream["type"] == "events"]
    if len(of_events) != 1:
        reason = f"it holds {len(of_events)} streams of events; one is read"
        raise unreadable(source.name, reason, "export the stream of one camera")
    stream = streams[of_events[0]]
    parts = [packet["events"] for packet in packets if packet["stream_id"] == of_events[0]]
    columns = {
        name: np.concatenate([np.empty(0, dtype), *(part[name] for part in parts)])
        for name, dtype in (("t", np.uint64), ("x", np.uint16), ("y", np.uint16), ("on", np.bool_))
    }
    yield Decoded(
        x=columns["x"],
        y=columns["y"],
        polarity=columns["on"],
        time=columns["t"],
        sensor=Sensor(int(stream["width"]), int(stream["height"])),
        left_out={"packets of other streams": len(packets) - len(parts)},
    )
