"""Static memory: constant tables, and arrays that share their places when their times differ.

There is one array for each width, since C lets memory of one type not be used as another's.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from snncc.backends.c99.integers import BITS, bytes_of, holding
from snncc.ir import Array

FOREVER = 1 << 60
LINE = 96
"""Characters of a line of a table."""
PACKED = (2, 4)
"""Bits of which several fit into a byte."""


@dataclass
class Buffer:
    """An array in RAM.

    Attributes:
        name: by which the code calls it.
        ctype: of its elements.
        size: how many there are.
        born: the place in the code where it is written first.
        last: where it is read for the last time; `FOREVER` for what lasts from step to step.
    """

    name: str
    ctype: str
    size: int
    born: int
    last: int

    @property
    def width(self) -> int:
        """Bytes of an element."""
        return bytes_of(self.ctype)


@dataclass(frozen=True)
class Table:
    """Constants in flash.

    Attributes:
        name: by which the code calls it.
        ctype: of its elements.
        size: how many there are.
        make: gives them.
    """

    name: str
    ctype: str
    size: int
    make: Callable[[], Array]

    @property
    def bytes(self) -> int:
        return self.size * bytes_of(self.ctype)

    def text(self) -> str:
        """Its definition."""
        lines, line = list[str](), ""
        for word in map(str, self.make().reshape(-1).tolist()):
            if len(line) + len(word) + 1 > LINE:
                lines.append(line)
                line = ""
            line += f"{word},"
        body = "\n".join([*lines, line])
        return f"static const {self.ctype} {self.name}[{self.size}] = {{\n{body}\n}};"


@dataclass(frozen=True)
class Arenas:
    """Where every buffer lies.

    Attributes:
        sizes: by width in bytes, how many elements there are.
        places: by buffer, the first element.
    """

    sizes: dict[int, int]
    places: dict[str, int]

    @property
    def bytes(self) -> int:
        return sum(width * size for width, size in self.sizes.items())

    def text(self, buffers: Sequence[Buffer]) -> list[str]:
        """Definitions of the arrays and of the buffers in them."""
        signed = {bits // 8: ctype for ctype, bits in BITS.items()}
        lines = [f"static {signed[w]} {_arena(w)}[{n}];" for w, n in sorted(self.sizes.items())]
        for each in buffers:
            place = f"{_arena(each.width)} + {self.places[each.name]}"
            if each.ctype not in BITS:
                place = f"({each.ctype} *){place}"
            lines.append(f"#define {each.name} ({place})")
        return lines


def arranged(buffers: Sequence[Buffer]) -> Arenas:
    """Places for buffers, the largest first; two share one when their times differ."""
    sizes: dict[int, int] = {}
    places: dict[str, int] = {}
    for width in sorted({each.width for each in buffers}):
        put: list[tuple[int, Buffer]] = []
        same = [each for each in buffers if each.width == width]
        for each in sorted(same, key=lambda b: -b.size):
            taken = sorted(
                (p, b.size) for p, b in put if b.born <= each.last and each.born <= b.last
            )
            place = 0
            for start, size in taken:
                if place + each.size <= start:
                    break
                place = max(place, start + size)
            put.append((place, each))
            places[each.name] = place
        sizes[width] = max(place + each.size for place, each in put)
    return Arenas(sizes, places)


def packed_bits(low: int, high: int) -> int:
    """Bits of an integer of a table: some that share a byte, or those of a type."""
    for bits in PACKED:
        if -1 << (bits - 1) <= low and high < 1 << (bits - 1):
            return bits
    return BITS[holding(low, high)]


def packed(rows: Array, bits: int) -> Array:
    """Integers of a few bits in bytes; every row begins a byte.

    What lies in the same bits of a row's bytes are neighbours, the first of them in the lowest.

    Args:
        rows: [rows, integers].
        bits: 2 or 4.
    """
    each = 8 // bits
    padded = np.pad(rows, ((0, 0), (0, -rows.shape[1] % each))).reshape(len(rows), each, -1)
    found = np.zeros((len(rows), padded.shape[2]), np.uint8)
    for place in range(each):
        digit = (padded[:, place] & ((1 << bits) - 1)).astype(np.uint8)
        found |= digit << np.uint8(bits * place)
    return found


def _arena(width: int) -> str:
    return f"net_memory{8 * width}"
