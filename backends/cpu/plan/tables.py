"""How numbers are laid out in a plan's tables."""

from typing import Any

import numpy as np

from snncc.backends.cpu import fields as f
from snncc.backends.cpu.arrangement import NotExpressible
from snncc.ir import Array


def tile_of(lanes: int) -> int:
    """Lanes of a tile: as few tiles as can be, of about equal size."""
    tiles = -(-lanes // f.TILE)
    return -(-lanes // (tiles * f.GROUP)) * f.GROUP


def exactly(values: Array, dtype: type[np.signedinteger[Any]], what: str) -> Array:
    """The same numbers in a type of a table.

    Raises:
        NotExpressible: one of them does not fit.
    """
    info = np.iinfo(dtype)
    low, high = int(values.min(initial=0)), int(values.max(initial=0))
    if low < info.min or high > info.max:
        raise NotExpressible(f"{what} needs more than {info.bits} bits")
    return values.astype(dtype)


def bits_in_use(mantissas: Array) -> tuple[int, int]:
    """The lowest bit that any mantissa has, and the place of the sign above all of them."""
    any_bit = int(np.bitwise_or.reduce(np.where(mantissas < 0, ~mantissas, mantissas), axis=None))
    lowest = int(np.bitwise_or.reduce(mantissas, axis=None))
    low = (lowest & -lowest).bit_length() - 1 if lowest else 0
    return low, max(any_bit.bit_length(), low)


def in_a_row(places: Array) -> bool:
    """Whether in each row every place follows the one before, and none is missing."""
    return bool((places >= 0).all() and (np.diff(places, axis=1) == 1).all())


def tiled(weights: Array, tile: int) -> Array:
    """[steps, rows, lanes] as tiles one after another, each [rows, its lanes, padded]."""
    steps, _, lanes = weights.shape
    tiles: list[Array] = []
    for first in range(0, lanes, tile):
        part = weights[:, :, first : first + tile]
        pad = -part.shape[2] % f.GROUP
        tiles.append(np.pad(part, ((0, 0), (0, 0), (0, pad))).reshape(steps, -1))
    return np.ascontiguousarray(np.concatenate(tiles, axis=1))
