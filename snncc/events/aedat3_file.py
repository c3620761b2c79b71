"""AEDAT 3.1: lines that begin with "#", the last "#!END-HEADER", then packets, little-endian.

A packet is a header of 28 bytes (i16 kind, i16 source, i32 bytes an event, i32 place of the time
in it, i32 times the clock was full, i32 places for events, i32 events, i32 valid ones) and its
events. Those of kind 1 are changes of light, 8 bytes each:

    u32    bit 0: valid, bit 1: polarity, bits 2..16: y, bits 17..31: x
    i32    time in microseconds, on top of 2^31 for every time the clock was full
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from snncc.events.chips import CHIPS, chip_in
from snncc.events.errors import unreadable
from snncc.events.record import Sensor, at_bytes
from snncc.events.sources import Decoded, Source
from snncc.events.text_headers import TextHeader, read_header

VERSION, LAST = "!AER-DAT3.1", "!END-HEADER"
HEADER = struct.Struct("<hhiiiiii")
CHANGE = 1
RECORD = 8
AGAIN = "it is damaged or cut off; fetch it again"


@dataclass(frozen=True, slots=True)
class _Packet:
    """Header of a packet.

    Attributes:
        start: byte of the packet.
        kind: of its events.
        size: bytes an event.
        time_at: place of the time in an event.
        full: how often the clock was full.
        capacity: places for events that the file has.
        number: of them that are taken.
    """

    start: int
    kind: int
    size: int
    time_at: int
    full: int
    capacity: int
    number: int

    @property
    def events_at(self) -> int:
        return self.start + HEADER.size

    @property
    def end(self) -> int:
        return self.events_at + self.size * self.capacity


def read(source: Source) -> Iterator[Decoded]:
    """The one recording of a file.

    Raises:
        SnnccError: SNN015 for another version, a packet that cannot be, or when it is cut off.
    """
    header = read_header(source.data, b"#", LAST)
    if header.lines[:1] != (VERSION,) or header.lines[-1] != LAST:
        reason = f"its text does not go from #{VERSION} to #{LAST}"
        raise unreadable(source.name, reason, AGAIN)
    packets = list(_packets(source, header.end))
    changes = [packet for packet in packets if packet.kind == CHANGE]
    words = [_words(source, packet) for packet in changes]
    all_words = np.concatenate([np.empty((0, 2), "<u4"), *words])
    counts = [len(part) for part in words]
    starts = np.repeat(np.array([p.events_at for p in changes], np.int64), counts)
    firsts = np.repeat(np.cumsum([0, *counts])[:-1], counts)
    offsets = starts + RECORD * (np.arange(len(all_words)) - firsts)
    full = np.repeat(np.array([p.full for p in changes], np.int64), counts)
    valid = all_words[:, 0] & 1 == 1
    data, clock, offsets = all_words[valid, 0], all_words[valid, 1], offsets[valid]
    _check_clock(source, clock, offsets)
    yield Decoded(
        x=data >> 17 & 0x7FFF,
        y=data >> 2 & 0x7FFF,
        polarity=data >> 1 & 1,
        time=full[valid] << 31 | clock.astype(np.int64),
        sensor=_sensor(header),
        left_out={
            "events that are marked invalid": int((~valid).sum()),
            "events of other kinds": sum(p.number for p in packets if p.kind != CHANGE),
        },
        where=at_bytes(offsets),
    )


def _packets(source: Source, place: int) -> Iterator[_Packet]:
    size = len(source.data)
    while place < size:
        if size - place < HEADER.size:
            reason = f"it ends within the header of a packet at byte {place}"
            raise unreadable(source.name, reason, AGAIN)
        kind, _, *rest, _ = HEADER.unpack_from(source.data, place)
        packet = _Packet(place, kind, *rest)
        told = f"the packet at byte {place}"
        numbers = (packet.size, packet.full, packet.capacity, packet.number)
        if min(kind, *numbers) < 0 or packet.number > packet.capacity or packet.size == 0:
            reason = f"{told} says kind {kind}, {packet.size} bytes an event, clock full "
            reason += f"{packet.full} times, {packet.number} of {packet.capacity} events"
            raise unreadable(source.name, reason, AGAIN)
        if kind == CHANGE and (packet.size, packet.time_at) != (RECORD, 4):
            reason = f"{told} has events of {packet.size} bytes with the time at {packet.time_at}"
            raise unreadable(source.name, f"{reason}; 8 bytes with it at 4 are read", AGAIN)
        if packet.end > size:
            reason = f"{told} ends at byte {packet.end}, the file at {size}"
            raise unreadable(source.name, reason, AGAIN)
        yield packet
        place = packet.end


def _words(source: Source, packet: _Packet) -> NDArray[np.uint32]:
    flat = np.frombuffer(source.data, "<u4", 2 * packet.number, packet.events_at)
    return flat.reshape(packet.number, 2)


def _check_clock(source: Source, clock: NDArray[np.uint32], offsets: NDArray[np.int64]) -> None:
    negative = clock >> 31 == 1
    if negative.any():
        first = int(negative.argmax())
        reason = f"the time of the event at byte {int(offsets[first])} is negative"
        raise unreadable(source.name, reason, AGAIN)


def _sensor(header: TextHeader) -> Sensor | None:
    """Of the first camera that the header names: "Source 1: DVS128"."""
    lines = [line for line in header.lines if line.startswith("Source ")]
    named = next((chip for line in lines if (chip := chip_in(line))), None)
    return None if named is None else CHIPS[named].sensor
