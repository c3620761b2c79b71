"""Cameras by name: how many pixels they have, and how AEDAT 2.0 packs addresses of each."""

from collections.abc import Mapping
from dataclasses import dataclass

from snncc.events.record import Sensor


@dataclass(frozen=True)
class Layout:
    """Where an address of 32 bits has what.

    Attributes:
        x: lowest bit and number of bits of the column.
        y: likewise of the row.
        polarity: bit of the polarity.
        other: bits that are set where the address is of no pixel's event.
    """

    x: tuple[int, int]
    y: tuple[int, int]
    polarity: int
    other: int


DVS128 = Layout(x=(1, 7), y=(8, 7), polarity=0, other=0xFFFF8000)
DAVIS = Layout(x=(12, 10), y=(22, 9), polarity=11, other=1 << 31 | 1 << 10)


@dataclass(frozen=True)
class Chip:
    """A camera.

    Attributes:
        sensor: its pixels.
        layout: of its addresses in AEDAT 2.0; None where there are none.
    """

    sensor: Sensor
    layout: Layout | None


CHIPS: Mapping[str, Chip] = {
    "dvs128": Chip(Sensor(128, 128), DVS128),
    "davis240": Chip(Sensor(240, 180), DAVIS),
    "davis346": Chip(Sensor(346, 260), DAVIS),
    "dvxplorer": Chip(Sensor(640, 480), None),
}
CHIPS_OF_AEDAT2 = tuple(name for name, chip in CHIPS.items() if chip.layout is not None)


def chip_in(text: str) -> str | None:
    """The camera that a line of a header names, or None: "DVS128", "...davis.Davis346cBSI"."""
    lowered = text.lower()
    return next((name for name in CHIPS if name in lowered), None)
