"""A plan's tables and constants as arrays, read the way the compiled kernels read them."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from snncc.backends.cpu import fields as f
from snncc.backends.cpu.checking.exact import Ints
from snncc.backends.cpu.checking.wrong import require

WIDTHS = {1: np.int8, 2: np.int16, 4: np.int32, 8: np.int64}
READ_ON = 64
"""Bytes past the last number that a vector may read."""


@dataclass(frozen=True)
class Row:
    """One row of a table, by its columns."""

    cells: tuple[int, ...]

    def __getitem__(self, column: int) -> int:
        return self.cells[column]


def rows_of(table: NDArray[np.int64], columns: int, what: str) -> list[Row]:
    """The rows of a table."""
    require(table.ndim == 2 and table.shape[1] == columns, f"the table of {what} is misshapen")
    return [Row(tuple(int(cell) for cell in row)) for row in table]


def row(table: list[Row], number: int, what: str) -> Row:
    """One row, when there is such a one."""
    require(0 <= number < len(table), f"there is no {what} {number}")
    return table[number]


class Block:
    """The constants of a plan.

    Args:
        data: bytes.
    """

    def __init__(self, data: NDArray[np.uint8]) -> None:
        self._data = data

    def take(self, address: int, count: int, size: int, what: str) -> Ints:
        """So many numbers of 1, 2, 4 or 8 bytes."""
        end = address + count * size
        inside = address >= 0 and count >= 0 and end + READ_ON <= len(self._data)
        require(inside, f"{what} lie outside the plan's constants")
        return self._data[address:end].view(WIDTHS[size]).astype(np.int64)

    def taps(self, part: Row, rows: int) -> Ints:
        """Taps of a part, [rows, taps, 2]."""
        count = part[f.P_TAP_COUNT]
        taken = self.take(part[f.P_TAPS], rows * count * 2, 4, "taps")
        taps = taken.reshape(rows, count, 2)
        if part[f.P_KIND] == f.PLANE and part[f.P_WORDS] != 0:
            # The kernel reads the weight row of the first of 64 taps; the others follow it.
            first = np.arange(count) & ~63
            taps[..., 1] = taps[:, first, 1] + np.arange(count) - first
            if part[f.P_WORDS] == f.IN_A_ROW:  # and 64 pixels at once, but for the last ones
                whole = np.arange(count & ~63)
                taps[:, whole, 0] = taps[:, first[whole], 0] + whole - first[whole]
        return taps

    def weights(self, part: Row, bank: int, lanes: int, tile: int) -> Ints:
        """Weights of one step: [weight rows, lanes], of MASKED [weights, 1]."""
        kind, wide, count = part[f.P_KIND], part[f.P_WIDE] != 0, part[f.P_INPUTS]
        base = part[f.P_WEIGHTS] + bank * part[f.P_WEIGHT_STEP]
        if kind == f.MASKED:
            return self.take(base, count, 4 if wide else 2, "weights").reshape(count, 1)
        size = 4 if wide else 1
        if kind == f.MASKED_LANES:
            padded = -(-lanes // f.TILE) * f.TILE
            whole = self.take(base, count * padded, size, "weights")
            return whole.reshape(count, padded)[:, :lanes]
        found: list[Ints] = []
        for first in range(0, lanes, tile):
            here = min(tile, lanes - first)
            across = -(-here // f.GROUP) * f.GROUP
            start = base + size * count * first
            whole = self.take(start, count * across, size, "weights")
            found.append(whole.reshape(count, across)[:, :here])
        return np.concatenate(found, axis=1)

    def constant(self, table: Row, step: int, rows: int, lanes: int, size: int = 4) -> Ints:
        """A population's constant at one step: [rows or 1, lanes or 1]."""
        address = table[f.C_ADDRESS] + step * table[f.C_STEP]
        across = lanes if table[f.C_LANES] != 0 else 1
        count = rows if table[f.C_ROW] != 0 else 1
        each = [
            self.take(address + r * table[f.C_ROW], across, size, "a population's constant")
            for r in range(count)
        ]
        return np.stack(each)
