"""Units of a plan that are matrix products: bits of the source unpacked, multiplied, written."""

from typing import Any

import numpy as np

from snncc.backends.cpu.dense.products import Product, product_with
from snncc.backends.cpu.plan.dense import DenseBlock, DenseUnit
from snncc.ir import Array

CHUNK = 1 << 22
"""Bytes of a left operand that is gathered from taps; it should stay in cache."""


class DenseLayer:
    """A dense unit made ready.

    Args:
        unit: of a plan.
    """

    def __init__(self, unit: DenseUnit) -> None:
        self.unit = unit
        reach = unit.sum.reach
        self._products: list[list[Product]] = [
            [product_with(bank, reach) for bank in block.matrix] for block in unit.sum.blocks
        ]
        self._silent = any((block.taps < 0).any() for block in unit.sum.blocks)

    def run(self, values: Array, first_step: int, last_step: int, origin: int) -> None:
        """Computes steps of the unit.

        Args:
            values: the working memory, uint8.
            first_step: from which step.
            last_step: to which, excluded.
            origin: the step that lies first in the memory.
        """
        if first_step >= last_step:
            return
        spikes = self._spikes(values, first_step - origin, last_step - origin)
        out = self._result(values, first_step - origin, last_step - origin)
        for block, products in zip(self.unit.sum.blocks, self._products, strict=True):
            for a, b, product in _by_bank(products, first_step, len(spikes)):
                target = out[a:b]
                own = self._whole(block, target)
                if own is None:
                    own = np.empty((b - a, len(block.rows), out.shape[-1]), out.dtype)
                    _multiply(block, product, spikes[a:b], own)
                    _write_rows(target, block.rows, own)
                else:
                    _multiply(block, product, spikes[a:b], own)

    def _spikes(self, values: Array, first: int, last: int) -> Array:
        """uint8 [steps, rows of the source, lanes]; a silent row more where taps name one."""
        dense, (planes, _) = self.unit.sum, self.unit.planes
        bits = self._bits(values, first, last, 0)
        for plane in range(1, planes):
            bits |= self._bits(values, first, last, plane) << np.uint8(plane)
        grid = bits.reshape(last - first, dense.source_rows, dense.source_lanes)
        if not self._silent:
            return grid
        return np.pad(grid, ((0, 0), (0, 1), (0, 0)))

    def _bits(self, values: Array, first: int, last: int, plane: int) -> Array:
        """One plane, uint8 [steps * rows, lanes]."""
        dense, (place, row) = self.unit.sum, self.unit.source
        step = row * dense.source_rows
        place += plane * self.unit.planes[1]
        packed = values[place + first * step : place + last * step].reshape(-1, row)
        return np.unpackbits(packed, axis=1, count=dense.source_lanes, bitorder="little")

    def _whole(self, block: DenseBlock, target: Array) -> Array | None:
        """The result as [steps, rows, lanes] to write into, where the block is all of it.

        None where it has gaps in memory (it lies within a concat, say): bringing such a result to
        other axes makes a copy, and what is written there would be lost.
        """
        if len(self.unit.sum.blocks) > 1 or not target.flags.c_contiguous:
            return None
        return target.reshape(len(target), len(block.rows), target.shape[-1])

    def _result(self, values: Array, first: int, last: int) -> Array:
        """The result's place in the memory, [steps, *its axes]."""
        unit = self.unit
        kind = np.dtype(np.int16 if unit.size == 2 else np.int32)
        return np.ndarray(
            (last - first, *unit.shape), kind, values.data, unit.place + first * unit.strides[0],
            unit.strides,
        )  # fmt: skip


def _by_bank(
    products: list[Product], first_step: int, steps: int
) -> list[tuple[int, int, Product]]:
    """Ranges of steps that share a matrix: all of them, or each by itself."""
    if len(products) == 1:
        return [(0, steps, products[0])]
    return [(at, at + 1, products[first_step + at]) for at in range(steps)]


def _write_rows(target: Array, rows: Array, own: Array) -> None:
    """Writes [steps, rows of a block, lanes] to where they lie in [steps, *axes, lanes].

    Indexing by place writes through any strides; a reshaped target might be a copy.
    """
    if target.ndim == 2:
        target[...] = own[:, 0]
        return
    places: tuple[Array, ...] = np.unravel_index(rows, target.shape[1:-1])
    every_step: tuple[Any, ...] = (slice(None), *places)
    target[every_step] = own


def _multiply(block: DenseBlock, product: Product, spikes: Array, out: Array) -> None:
    """Writes a block's sums, [steps, rows of the block, lanes], a part of the rows at a time.

    `out` is contiguous: only then is its reshaped form certainly itself and not a copy.
    """
    if not out.flags.c_contiguous:
        raise ValueError("sums of a matrix product would be written to a copy")
    steps, rows, lanes = spikes.shape
    count, taps = block.taps.shape
    inputs, results = spikes.reshape(-1, lanes), out.reshape(steps * count, -1)
    each = max(1, CHUNK // (taps * lanes))
    places = _places(block, steps, rows)
    for first in range(0, steps * count, each):
        part = slice(first, first + each)
        left = inputs[part]
        if places is not None:
            left = inputs[places[part]].reshape(-1, taps * lanes)
        np.copyto(results[part], product(left), casting="unsafe")


def _places(block: DenseBlock, steps: int, rows: int) -> Array | None:
    """Tapped rows among those of all steps, [steps * rows of the block, taps]; None: in order."""
    count, taps = block.taps.shape
    if taps == 1 and np.array_equal(block.taps[:, 0], np.arange(rows)):
        return None
    own = np.remainder(block.taps, rows)  # -1 becomes the last row, which is silent
    starts = np.arange(0, steps * rows, rows)
    return np.add.outer(starts, own).reshape(steps * count, taps)
