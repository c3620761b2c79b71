"""Sums of weights in vector registers: what a unit's projections are made of.

Addresses are int64; a `place` is the address of a register's lane, `dst` of its first. Registers
are int32, 4 * TILE bytes for every step.
"""

from collections.abc import Callable
from typing import Any, TypeVar, cast

import numba as nb
import numpy as np

from snncc.backends.cpu import fields as f
from snncc.backends.cpu.vm import vectors as v
from snncc.backends.cpu.vm.vectors import cell

INNER: dict[str, Any] = {
    "nogil": True,
    "boundscheck": False,
    "error_model": "numpy",
    "no_cpython_wrapper": True,
    "no_cfunc_wrapper": True,
    "no_rewrites": True,
    "_nrt": False,
}
"""Only other compiled functions call these, and nothing here is an object: so they need no way in
from Python, no rewriting of array expressions and no counting of references."""
Kernel = TypeVar("Kernel", bound=Callable[..., Any])


def compiled(function: Kernel) -> Kernel:
    return cast("Kernel", nb.njit(**INNER)(function))


@compiled
def put(place: Any, value: Any, shift: Any, adds: Any) -> None:
    """16 lanes of a register (+)= value << shift."""
    moved = v.shift_left(value, v.ints(shift))
    if adds != 0:
        moved = v.add(moved, v.load32(place))
    v.store32(place, moved)


@compiled
def put_shorts(place: Any, value: Any, shift: Any, adds: Any) -> None:
    """32 lanes of a register (+)= value << shift."""
    put(place, v.lower(value), shift, adds)
    put(place + 64, v.upper(value), shift, adds)


@compiled
def put_all(
    a: Any, b: Any, c: Any, d: Any, e: Any, groups: Any, dst: Any, shift: Any, adds: Any
) -> None:
    """A register (+)= up to five groups of sums << shift."""
    put_shorts(dst, a, shift, adds)
    if groups > 1:
        put_shorts(dst + 128, b, shift, adds)
    if groups > 2:
        put_shorts(dst + 256, c, shift, adds)
    if groups > 3:
        put_shorts(dst + 384, d, shift, adds)
    if groups > 4:
        put_shorts(dst + 512, e, shift, adds)


@compiled
def add_rows(
    weights: Any, stride: Any, found: Any, count: Any, groups: Any, dst: Any, shift: Any, adds: Any
) -> None:
    """Dst (+)= the sum of the listed int8 weight rows << shift; up to ten groups of lanes.

    Sums stay in registers only when the code says how many there are, so there are several loops.
    One that is too wide reads into the next row, and what it finds there is not kept.
    """
    a, b, c = v.no_shorts(), v.no_shorts(), v.no_shorts()
    d, e = v.no_shorts(), v.no_shorts()
    if groups > 5:
        g, h, i, k, m = v.no_shorts(), v.no_shorts(), v.no_shorts(), v.no_shorts(), v.no_shorts()
        if groups <= 8:
            for j in range(count):
                row = weights + v.index16(found + 2 * j) * stride
                a = v.add(a, v.load8_shorts(row))
                b = v.add(b, v.load8_shorts(row + 32))
                c = v.add(c, v.load8_shorts(row + 64))
                d = v.add(d, v.load8_shorts(row + 96))
                e = v.add(e, v.load8_shorts(row + 128))
                g = v.add(g, v.load8_shorts(row + 160))
                h = v.add(h, v.load8_shorts(row + 192))
                i = v.add(i, v.load8_shorts(row + 224))
        else:
            for j in range(count):
                row = weights + v.index16(found + 2 * j) * stride
                a = v.add(a, v.load8_shorts(row))
                b = v.add(b, v.load8_shorts(row + 32))
                c = v.add(c, v.load8_shorts(row + 64))
                d = v.add(d, v.load8_shorts(row + 96))
                e = v.add(e, v.load8_shorts(row + 128))
                g = v.add(g, v.load8_shorts(row + 160))
                h = v.add(h, v.load8_shorts(row + 192))
                i = v.add(i, v.load8_shorts(row + 224))
                k = v.add(k, v.load8_shorts(row + 256))
                m = v.add(m, v.load8_shorts(row + 288))
        put_all(a, b, c, d, e, 5, dst, shift, adds)
        put_all(g, h, i, k, m, groups - 5, dst + 640, shift, adds)
        return
    if groups == 1:
        for j in range(count):
            row = weights + v.index16(found + 2 * j) * stride
            a = v.add(a, v.load8_shorts(row))
    elif groups == 2:
        for j in range(count):
            row = weights + v.index16(found + 2 * j) * stride
            a = v.add(a, v.load8_shorts(row))
            b = v.add(b, v.load8_shorts(row + 32))
    elif groups == 3:
        for j in range(count):
            row = weights + v.index16(found + 2 * j) * stride
            a = v.add(a, v.load8_shorts(row))
            b = v.add(b, v.load8_shorts(row + 32))
            c = v.add(c, v.load8_shorts(row + 64))
    else:
        for j in range(count):
            row = weights + v.index16(found + 2 * j) * stride
            a = v.add(a, v.load8_shorts(row))
            b = v.add(b, v.load8_shorts(row + 32))
            c = v.add(c, v.load8_shorts(row + 64))
            d = v.add(d, v.load8_shorts(row + 96))
            e = v.add(e, v.load8_shorts(row + 128))
    put_all(a, b, c, d, e, groups, dst, shift, adds)


@compiled
def add_wide_rows(
    weights: Any, stride: Any, found: Any, count: Any, groups: Any, dst: Any, shift: Any, adds: Any
) -> None:
    """The same for int32 weights and sums."""
    for lane in range(0, 32 * groups, 16):
        total = v.ints(0)
        for j in range(count):
            total = v.add(total, v.load32(weights + v.index16(found + 2 * j) * stride + 4 * lane))
        put(dst + 4 * lane, total, shift, adds)


@compiled
def add_masked(
    part: Any,
    bits: Any,
    later: Any,
    taps: Any,
    weights: Any,
    groups: Any,
    dst: Any,
    shift: Any,
    adds: Any,
) -> None:
    """Dst (+)= one int16 weight a tap, in the lanes of its source row that spike.

    Two steps at once, the bits of the second lie `later`: most of the work is to read taps.
    """
    a, b, c = v.no_shorts(), v.no_shorts(), v.no_shorts()
    d, e = v.no_shorts(), v.no_shorts()
    a2, b2, c2 = v.no_shorts(), v.no_shorts(), v.no_shorts()
    d2, e2 = v.no_shorts(), v.no_shorts()
    for j in range(cell(part, f.P_TAP_COUNT)):
        source = v.read32(taps + 8 * j)
        if source < 0:
            continue
        weight = v.shorts(v.read16(weights + 2 * v.read32(taps + 8 * j + 4)))
        place = bits + source * cell(part, f.P_ROW)
        then = place + later
        a = v.add(a, v.shorts_where(v.word32(place), weight))
        a2 = v.add(a2, v.shorts_where(v.word32(then), weight))
        if groups > 1:
            b = v.add(b, v.shorts_where(v.word32(place + 4), weight))
            b2 = v.add(b2, v.shorts_where(v.word32(then + 4), weight))
        if groups > 2:
            c = v.add(c, v.shorts_where(v.word32(place + 8), weight))
            c2 = v.add(c2, v.shorts_where(v.word32(then + 8), weight))
        if groups > 3:
            d = v.add(d, v.shorts_where(v.word32(place + 12), weight))
            d2 = v.add(d2, v.shorts_where(v.word32(then + 12), weight))
        if groups > 4:
            e = v.add(e, v.shorts_where(v.word32(place + 16), weight))
            e2 = v.add(e2, v.shorts_where(v.word32(then + 16), weight))
    put_all(a, b, c, d, e, groups, dst, shift, adds)
    if later != 0:
        put_all(a2, b2, c2, d2, e2, groups, dst + 4 * f.TILE, shift, adds)


@compiled
def add_masked_lanes(
    part: Any, bits: Any, taps: Any, weights: Any, groups: Any, dst: Any, shift: Any, adds: Any
) -> None:
    """The same with a weight for every lane, or with int32 weights and sums."""
    wide = cell(part, f.P_WIDE) != 0
    by_lane = cell(part, f.P_KIND) == f.MASKED_LANES
    for lane in range(0, 32 * groups, 16):
        total = v.ints(0)
        for j in range(cell(part, f.P_TAP_COUNT)):
            source = v.read32(taps + 8 * j)
            if source < 0:
                continue
            word = v.word32(bits + source * cell(part, f.P_ROW) + 4 * (lane >> 5))
            weight = v.read32(taps + 8 * j + 4)
            if by_lane:
                place = weights + 4 * (weight + lane) if wide else weights + weight + lane
                value = v.load32(place) if wide else v.load8(place)
            else:
                value = v.ints(v.read32(weights + 4 * weight))
            total = v.add(total, v.ints_where(word >> (lane & 16), value))
        put(dst + 4 * lane, total, shift, adds)


@compiled
def list_row(part: Any, bits: Any, taps: Any, out: Any) -> Any:
    """Lists the weight rows that one row's active inputs select; returns how many."""
    count = np.int64(0)
    for j in range(cell(part, f.P_TAP_COUNT)):
        source = v.read32(taps + 8 * j)
        if source < 0:
            continue
        first = v.read32(taps + 8 * j + 4)
        place = bits + source * cell(part, f.P_ROW)
        for w in range(cell(part, f.P_WORDS)):
            word = v.read64(place + 8 * w)
            if word != 0:
                count += v.list_bits(word, first + 64 * w, out + 2 * count)
    return count


@compiled
def list_plane(part: Any, pixels: Any, taps: Any, out: Any, taken: Any, gathered: Any) -> Any:
    """The same for one bit of the tapped pixels; `taken` is room for 64 bytes.

    The pixels of the table of taps that was `gathered` last, at this row, lie there already.
    """
    count, bit = np.int64(0), cell(part, f.P_PLANE)
    for first in range(0, cell(part, f.P_TAP_COUNT), 64):
        size = min(np.int64(64), cell(part, f.P_TAP_COUNT) - first)
        here = taps + 8 * first
        if cell(part, f.P_WORDS) == f.IN_A_ROW and size == 64:
            word = v.bytes_with_bit(pixels + v.read32(here), bit)
        else:
            for j in range(np.int64(0) if cell(part, f.P_TAPS) == gathered else size):
                pixel = v.read32(here + 8 * j)
                v.store8(taken + j, v.read8(pixels + pixel) if pixel >= 0 else np.int64(0))
            word = v.bytes_with_bit(taken, bit)
        if size < 64:
            word &= (np.int64(1) << size) - 1
        if cell(part, f.P_WORDS) != 0:  # weight rows follow each other
            count += v.list_bits(word, v.read32(here + 4), out + 2 * count)
            continue
        for j in range(size):
            v.store16(out + 2 * count, v.read32(here + 8 * j + 4))
            count += (word >> j) & 1
    return count
