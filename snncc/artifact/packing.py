"""Constants of few bits as they lie in a file: bit after bit, without gaps between integers.

Element i of an array of b bits has the bits i * b to i * b + b - 1, lowest first, in two's
complement; bit k is bit k mod 8 of byte k // 8, and what is left of the last byte is 0.
"""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from snncc.ir import Array

FEWEST, MOST = 2, 7
"""Bits of a packed integer; what needs 8 is a byte."""
SMALLEST_SAVING = 64
"""Bytes that packing an array must save: about what its entry in the header takes."""
WORTH = 20
"""A program is packed where that saves one part in so many of its constants' bytes."""


def packed_bits(constants: Mapping[str, Array]) -> dict[str, int]:
    """The constants that are packed in a program's file, and their bits; none where not worth it.

    A rule and not a choice: equal programs give equal bytes.
    """
    found: dict[str, int] = {}
    saved = 0
    for name, array in sorted(constants.items()):
        bits = _needed(array)
        less = array.nbytes - packed_bytes(array.size, bits)
        if array.dtype == np.int8 and bits <= MOST and less >= SMALLEST_SAVING:
            found[name] = bits
            saved += less
    total = sum(array.nbytes for array in constants.values())
    return found if saved * WORTH >= total else {}


def packed_bytes(elements: int, bits: int) -> int:
    """Bytes of so many integers."""
    return -(-elements * bits // 8)


def _needed(array: Array) -> int:
    low, high = int(array.min(initial=0)), int(array.max(initial=0))
    return max(FEWEST, max(high, ~low).bit_length() + 1)


def pack(array: Array, bits: int) -> NDArray[np.uint8]:
    """The bytes of an int8 array whose integers have so many bits; uint8 [bytes]."""
    flat = array.reshape(-1).view(np.uint8)
    each = np.empty((len(flat), bits), np.uint8)
    for place in range(bits):
        each[:, place] = (flat >> place) & 1
    return np.packbits(each, bitorder="little")


def unpack(content: NDArray[np.uint8], bits: int, elements: int) -> NDArray[np.int8]:
    """The integers of such bytes; int8 [elements]. There are `packed_bytes` of them."""
    each = np.unpackbits(content, count=elements * bits, bitorder="little").reshape(-1, bits)
    flat = np.zeros(elements, np.uint8)
    for place in range(bits):
        flat |= each[:, place] << np.uint8(place)
    return (flat << np.uint8(8 - bits)).view(np.int8) >> np.int8(8 - bits)
