"""Texts of an HDF5 file, read from its bytes: libhdf5 may look for those of a damaged one for ever.

A data set of texts holds for each its length (4 bytes), the place of a heap (8) and a number (4). A
heap is a row of objects from its head to its end, each with its length before it:

    heap    "GCOL", version 1, three zeros, its length (8)
    object  number (2), uses (2), zeros (4), length (8), then so many bytes, filled up to eights;
            number 0 is what is free at the end, whose length counts its own head
"""

import struct

HEAD = b"GCOL\x01\x00\x00\x00"
REFERENCE = 16
"""Bytes of a data set for each text."""
_SIZE = 16
"""Of a heap's head, and of an object's."""
_WIDTHS = {0: slice(13, 15), 1: slice(13, 15), 2: slice(9, 11), 3: slice(9, 11)}
"""Where a file of some version says how long its addresses and lengths are."""


class TextHeaps:
    """All heaps of a file, each walked when it is first asked for.

    Args:
        data: the whole file.

    Raises:
        ValueError: addresses or lengths are not of 8 bytes.
    """

    def __init__(self, data: bytes) -> None:
        widths = data[_WIDTHS.get(data[8], slice(0, 0))] if len(data) > _SIZE else b""
        if widths != b"\x08\x08":
            raise ValueError("its addresses and lengths are not of 8 bytes")
        self._data = data
        self._heaps: dict[int, dict[int, bytes]] = {}
        self._left = len(data)  # more objects than this there are only where heaps overlap

    def texts(self, start: int, count: int) -> list[bytes]:
        """The texts of a data set.

        Args:
            start: the byte of the file at which its references begin.
            count: how many they are.

        Raises:
            ValueError: a reference leads to none.
        """
        whole = self._data[start : start + REFERENCE * count]
        if len(whole) < REFERENCE * count:
            raise ValueError("its texts lie beyond the end of the file")
        found: list[bytes] = []
        for length, place, number in struct.iter_unpack("<IQI", whole):
            held = self._heap(place).get(number)
            if held is None or length > len(held):
                raise ValueError(f"there is no text {number} of {length} bytes at byte {place:,}")
            found.append(held[:length])
        return found

    def _heap(self, place: int) -> dict[int, bytes]:
        if place not in self._heaps:
            self._heaps[place] = self._walk(place)
        return self._heaps[place]

    def _walk(self, place: int) -> dict[int, bytes]:
        head = self._data[place : place + _SIZE]
        if head[: len(HEAD)] != HEAD or len(head) < _SIZE:
            raise ValueError(f"no texts begin at byte {place:,}")
        (length,) = struct.unpack("<Q", head[len(HEAD) :])
        end, at = place + length, place + _SIZE
        found: dict[int, bytes] = {}
        while end <= len(self._data) and end - at >= _SIZE:
            self._left -= 1
            number, size = struct.unpack("<H6xQ", self._data[at : at + _SIZE])
            need = size if number == 0 else _SIZE + -(-size // 8) * 8
            if not _SIZE <= need <= end - at or self._left < 0:
                raise ValueError(f"the texts at byte {at:,} do not fit each other")
            if number:
                found[number] = self._data[at + _SIZE : at + _SIZE + size]
            at += need
        return found
