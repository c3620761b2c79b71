"""Recordings of event cameras and of spike trains: read from files, and made into frames.

    events = read_events("user01.aedat")
    framed = make_frames(events, Framing(ByTime(steps=16)))
    framed.values     # [T, C, H, W], whole numbers

Nothing here imports torch. docs/events.md says what each format and each rule means.
"""

from snncc.events.frames import Framed, Loss, make_frames
from snncc.events.framing import Framing
from snncc.events.framing_records import framing_from_json
from snncc.events.reading import Reading, read_events, recordings
from snncc.events.record import Events, Sensor
from snncc.events.rules import ByWindow, Rule
from snncc.events.spikingjelly_rules import ByDuration, ByNumber, ByTime
from snncc.events.tonic_rules import (
    TonicEventBins,
    TonicEventCount,
    TonicTimeBins,
    TonicTimeWindow,
)

__all__ = [
    "ByDuration",
    "ByNumber",
    "ByTime",
    "ByWindow",
    "Events",
    "Framed",
    "Framing",
    "Loss",
    "Reading",
    "Rule",
    "Sensor",
    "TonicEventBins",
    "TonicEventCount",
    "TonicTimeBins",
    "TonicTimeWindow",
    "framing_from_json",
    "make_frames",
    "read_events",
    "recordings",
]
