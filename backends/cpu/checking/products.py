"""Units that are matrix products: their taps, matrices, places and formats."""

from dataclasses import dataclass

import numpy as np

from snncc.backends.cpu.checking.exact import INT16, INT32, Ints, product, within
from snncc.backends.cpu.checking.shadow import Numbers, Shadow
from snncc.backends.cpu.checking.wrong import require
from snncc.backends.cpu.plan.dense import DenseBlock, DenseUnit

BYTE = (1 << 7) - 1
"""The largest left operand of which two products with 8 bits fit into 16."""


@dataclass(frozen=True)
class Span:
    """Which steps are looked at.

    Attributes:
        first: of the program.
        count: how many; they lie one after the other from the first place in memory.
    """

    first: int
    count: int


def multiplied(unit: DenseUnit, shadow: Shadow, span: Span) -> None:
    """Computes a product's result and stores it."""
    rows = int(np.prod(unit.shape[:-1], dtype=np.int64))
    lanes = unit.shape[-1]
    probe = np.zeros((span.count, rows, lanes), np.int64)
    ends = np.zeros((2, span.count, rows, lanes), np.int64)
    times = np.zeros(rows, np.int64)
    for block in unit.sum.blocks:
        require(not len(block.rows) or int(block.rows.max()) < rows, "a row that there is not")
        times[block.rows] += 1
        for s in range(span.count):
            bank = block.matrix[(span.first + s) % len(block.matrix)].astype(np.int64)
            taken = np.minimum(bank, 0), np.maximum(bank, 0)
            counts = (block.taps >= 0).astype(np.int64) * _most(unit, shadow)
            ones = np.repeat(counts, unit.sum.source_lanes, axis=1)
            for end in range(2):
                ends[end, s, block.rows] = product(ones, taken[end])
            probe[s, block.rows] = product(_left(unit, block, shadow, s), bank, modulo=True)
    require((times == 1).all(), "a row of a matrix product is computed not once")
    within(ends[0], ends[1], (-unit.sum.reach, unit.sum.reach), "a matrix product")
    require(unit.size in (2, 4), f"a product of {unit.size} bytes an element")
    within(ends[0], ends[1], INT16 if unit.size == 2 else INT32, "a matrix product")
    addresses = np.full((1,) * (1 + len(unit.shape)), unit.place, np.int64)
    for axis, (size, stride) in enumerate(
        zip((span.count, *unit.shape), unit.strides, strict=True)
    ):
        shape = [1] * (1 + len(unit.shape))
        shape[axis] = size
        addresses = addresses + (np.arange(size) * stride).reshape(shape)
    shadow.store(addresses.reshape(probe.shape), unit.size, Numbers(probe, ends[0], ends[1]))


def _most(unit: DenseUnit, shadow: Shadow) -> int:
    """The largest count that is multiplied: the shares of its planes say it."""
    planes, stride = unit.planes
    require(planes >= 1, "a product reads no plane")
    shares = [shadow.share(unit.source[0] + plane * stride) for plane in range(planes)]
    most = sum(share << plane for plane, share in enumerate(shares))
    require(most <= BYTE, f"counts to {most} are multiplied in bytes")
    return most


def _left(unit: DenseUnit, block: DenseBlock, shadow: Shadow, step: int) -> Ints:
    """The left operand: probes of the tapped rows side by side, 0 where a tap is outside."""
    place, row = unit.source
    lanes, words = unit.sum.source_lanes, -(-unit.sum.source_lanes // 64)
    require(row >= 8 * words, "rows of spikes are shorter than what is read of them")
    taps = block.taps.astype(np.int64)
    inside = taps >= 0
    x = np.zeros((*taps.shape, lanes), np.int64)
    start = place + step * row * unit.sum.source_rows + taps[inside] * row
    for plane in range(unit.planes[0]):
        words_at = start[:, None] + plane * unit.planes[1] + 8 * np.arange(words)
        bits = shadow.bits(words_at, (step, unit.sum.source_rows * row // 8))
        x[inside] += bits.reshape(len(start), 64 * words)[:, :lanes] << plane
    return x.reshape(len(taps), taps.shape[1] * lanes)
