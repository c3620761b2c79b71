"""Prophesee `.raw` in EVT 2.0: text, then words of 32 bits whose top four bits say what they are.

    0 OFF, 1 ON      bits 27..22: low bits of the time, 21..11: x, 10..0: y
    8 time           bits 27..0: bits 33..6 of the time of what follows; starts again at 2^34 us
    10 trigger, 14 others, 15 continued: no events of pixels, counted and left out

Words are little-endian, or big-endian where the header says so.
"""

import re
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from snncc.events.clocks import unwrapped
from snncc.events.errors import unreadable
from snncc.events.record import Sensor, at_bytes
from snncc.events.sources import Decoded, Source, check_header
from snncc.events.text_headers import TextHeader, read_header

OFF, ON, TIME = 0, 1, 8
BESIDE = {10: "triggers", 14: "words of other events", 15: "words that go on"}
WORD = 4
CONVERT = "convert it, for example with Prophesee's metavision_file_to_dat"


def read(source: Source) -> Iterator[Decoded]:
    """The one recording of a file.

    Raises:
        SnnccError: SNN015 for another encoding, a word of no known kind, or when it is cut off.
    """
    header = read_header(source.data, b"%", "end")
    check_header(source, header)
    options = _options(header)
    _check_encoding(source, header, options)
    order = _byte_order(source, header, options)
    count, rest = divmod(len(source.data) - header.end, WORD)
    if rest:
        place = header.end + count * WORD
        reason = f"it ends within word {count} at byte {place}, after {rest} of {WORD} bytes"
        raise unreadable(source.name, reason, "fetch it again")
    words = np.frombuffer(source.data, f"{order}u4", offset=header.end).astype(np.uint32)
    kinds = (words >> 28).astype(np.uint8)
    _check_kinds(source, kinds, words, header.end)
    change = kinds <= ON
    is_time = kinds == TIME
    highs = unwrapped(words[is_time] & 0xFFFFFFF, 28)
    latest = np.cumsum(is_time, dtype=np.int64) - 1
    timed = change & (latest >= 0)
    found = words[timed]
    left = {what: int((kinds == kind).sum()) for kind, what in BESIDE.items()}
    left["events before the first time"] = int((change & ~timed).sum())
    yield Decoded(
        x=found >> 11 & 0x7FF,
        y=found & 0x7FF,
        polarity=kinds[timed],
        time=highs[latest[timed]] << 6 | (found >> 22 & 0x3F).astype(np.int64),
        sensor=_sensor(header, options),
        left_out=left,
        where=at_bytes(header.end + WORD * np.flatnonzero(timed)),
    )


def _options(header: TextHeader) -> dict[str, str]:
    """What stands behind "% format EVT2;height=720;width=1280", by name; the encoding as ""."""
    encoding, *rest = (header.value("format") or "").split(";")
    pairs = (option.partition("=") for option in rest)
    return {"": encoding, **{key.strip(): value.strip() for key, _, value in pairs}}


def _check_encoding(source: Source, header: TextHeader, options: dict[str, str]) -> None:
    said = options[""] or f"EVT{header.value('evt') or '?'}".removesuffix(".0")
    if said == "EVT?":
        reason = "its header does not say how events are encoded"
        raise unreadable(source.name, reason, "give a file with a line '% evt 2.0'")
    if said.upper() not in ("EVT2", "EVT2.0"):
        raise unreadable(source.name, f"its events are encoded as {said}; EVT2 is read", CONVERT)


def _byte_order(source: Source, header: TextHeader, options: dict[str, str]) -> str:
    said = options.get("endianness") or header.value("endianness") or "little"
    if said not in ("little", "big"):
        raise unreadable(source.name, f"its header says endianness {said!r}", CONVERT)
    return "<" if said == "little" else ">"


def _check_kinds(
    source: Source, kinds: NDArray[np.uint8], words: NDArray[np.uint32], start: int
) -> None:
    known = np.isin(kinds, [OFF, ON, TIME, *BESIDE])
    if not known.all():
        first = int((~known).argmax())
        word = f"word {first} at byte {start + first * WORD} is {int(words[first]):#010x}"
        reason = f"{word}: no kind of event of EVT2 has the number {kinds[first]}"
        raise unreadable(source.name, reason, "it is damaged, or of another encoding")


def _sensor(header: TextHeader, options: dict[str, str]) -> Sensor | None:
    """From "width" and "height" of the format, or from "% geometry 1280x720"."""
    said = f"{options.get('width')}x{options.get('height')}"
    for text in (said, header.value("geometry") or ""):
        sides = re.fullmatch(r"([0-9]{1,5})x([0-9]{1,5})", text)
        if sides:
            return Sensor(int(sides[1]), int(sides[2]))
    return None
