"""The compiled executor of a CPU plan: units of rows, tiles of lanes, all steps at once.

A unit (`snncc.backends.cpu.units`) computes one population, or one stored current. For a block of
rows the active inputs are listed once; then, tile by tile, the listed weight rows are added up in
registers, the current goes through the unit's ops and the membrane takes it, for every time step,
before the next row comes. A current reaches memory only when somebody else reads it.

Everything is integer addition, shift, comparison and selection; `snncc.runtime.kernel_inspection`
reads the machine code's IR to show it. The tables' columns are those of `backends.cpu.fields`.
"""

from collections.abc import Callable
from typing import Any, TypeVar, cast

import numba as nb
import numpy as np

from snncc.backends.cpu import fields as f
from snncc.runtime import vectors as v

Kernel = TypeVar("Kernel", bound=Callable[..., Any])


def _compiled(function: Kernel) -> Kernel:
    return cast("Kernel", nb.njit(nogil=True, boundscheck=False, error_model="numpy")(function))


@_compiled
def _cell(record: Any, field: Any) -> Any:
    """A number of a row of a table."""
    return v.read64(record + 8 * field)


@_compiled
def _record(table: Any, row: Any, size: Any) -> Any:
    """The address of a row of a table."""
    return table + 8 * row * size


@_compiled
def _put(register: Any, lane: Any, value: Any, shift: Any, adds: Any) -> None:
    """16 lanes of a register (+)= value << shift."""
    place = register + 4 * lane
    moved = v.shift_left(value, v.ints(shift))
    if adds != 0:
        moved = v.add(moved, v.load32(place))
    v.store32(place, moved)


@_compiled
def _put_shorts(register: Any, lane: Any, value: Any, shift: Any, adds: Any) -> None:
    _put(register, lane, v.lower(value), shift, adds)
    _put(register, lane + 16, v.upper(value), shift, adds)


@_compiled
def _put_all(
    a: Any, b: Any, c: Any, d: Any, e: Any, groups: Any, dst: Any, shift: Any, adds: Any
) -> None:
    """A register (+)= up to five groups of sums << shift."""
    _put_shorts(dst, 0, a, shift, adds)
    if groups > 1:
        _put_shorts(dst, 32, b, shift, adds)
    if groups > 2:
        _put_shorts(dst, 64, c, shift, adds)
    if groups > 3:
        _put_shorts(dst, 96, d, shift, adds)
    if groups > 4:
        _put_shorts(dst, 128, e, shift, adds)


@_compiled
def _add_rows(
    weights: Any, stride: Any, found: Any, count: Any, groups: Any, dst: Any, shift: Any, adds: Any
) -> None:
    """dst (+)= the sum of the listed int8 weight rows << shift; up to five groups of lanes.

    One loop for each number of groups: sums stay in registers only when the code says how many.
    """
    a, b, c = v.no_shorts(), v.no_shorts(), v.no_shorts()
    d, e = v.no_shorts(), v.no_shorts()
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
    elif groups == 4:
        for j in range(count):
            row = weights + v.index16(found + 2 * j) * stride
            a = v.add(a, v.load8_shorts(row))
            b = v.add(b, v.load8_shorts(row + 32))
            c = v.add(c, v.load8_shorts(row + 64))
            d = v.add(d, v.load8_shorts(row + 96))
    else:
        for j in range(count):
            row = weights + v.index16(found + 2 * j) * stride
            a = v.add(a, v.load8_shorts(row))
            b = v.add(b, v.load8_shorts(row + 32))
            c = v.add(c, v.load8_shorts(row + 64))
            d = v.add(d, v.load8_shorts(row + 96))
            e = v.add(e, v.load8_shorts(row + 128))
    _put_all(a, b, c, d, e, groups, dst, shift, adds)


@_compiled
def _add_wide_rows(
    weights: Any, stride: Any, found: Any, count: Any, groups: Any, dst: Any, shift: Any, adds: Any
) -> None:
    """The same for int32 weights and sums."""
    for lane in range(0, 32 * groups, 16):
        total = v.ints(0)
        for j in range(count):
            total = v.add(total, v.load32(weights + v.index16(found + 2 * j) * stride + 4 * lane))
        _put(dst, lane, total, shift, adds)


@_compiled
def _add_masked(
    part: Any, bits: Any, taps: Any, weights: Any, groups: Any, dst: Any, shift: Any, adds: Any
) -> None:
    """dst (+)= one int16 weight a tap, in the lanes of its source row that spike."""
    a, b, c = v.no_shorts(), v.no_shorts(), v.no_shorts()
    d, e = v.no_shorts(), v.no_shorts()
    for j in range(_cell(part, f.P_TAP_COUNT)):
        source = v.read32(taps + 8 * j)
        if source < 0:
            continue
        weight = v.shorts(v.read16(weights + 2 * v.read32(taps + 8 * j + 4)))
        place = bits + source * _cell(part, f.P_ROW)
        a = v.add(a, v.shorts_where(v.word32(place), weight))
        if groups > 1:
            b = v.add(b, v.shorts_where(v.word32(place + 4), weight))
        if groups > 2:
            c = v.add(c, v.shorts_where(v.word32(place + 8), weight))
        if groups > 3:
            d = v.add(d, v.shorts_where(v.word32(place + 12), weight))
        if groups > 4:
            e = v.add(e, v.shorts_where(v.word32(place + 16), weight))
    _put_all(a, b, c, d, e, groups, dst, shift, adds)


@_compiled
def _add_masked_lanes(
    part: Any, bits: Any, taps: Any, weights: Any, groups: Any, dst: Any, shift: Any, adds: Any
) -> None:
    """The same with a weight for every lane, or with int32 weights and sums."""
    wide = _cell(part, f.P_WIDE) != 0
    by_lane = _cell(part, f.P_KIND) == f.MASKED_LANES
    for lane in range(0, 32 * groups, 16):
        total = v.ints(0)
        for j in range(_cell(part, f.P_TAP_COUNT)):
            source = v.read32(taps + 8 * j)
            if source < 0:
                continue
            word = v.word32(bits + source * _cell(part, f.P_ROW) + 4 * (lane >> 5))
            weight = v.read32(taps + 8 * j + 4)
            if by_lane:
                place = weights + 4 * (weight + lane) if wide else weights + weight + lane
                value = v.load32(place) if wide else v.load8(place)
            else:
                value = v.ints(v.read32(weights + 4 * weight))
            total = v.add(total, v.ints_where(word >> (lane & 16), value))
        _put(dst, lane, total, shift, adds)


@_compiled
def _list_row(part: Any, bits: Any, taps: Any, out: Any) -> Any:
    """Lists the weight rows that one row's active inputs select; returns how many."""
    count = np.int64(0)
    for j in range(_cell(part, f.P_TAP_COUNT)):
        source = v.read32(taps + 8 * j)
        if source < 0:
            continue
        first = v.read32(taps + 8 * j + 4)
        place = bits + source * _cell(part, f.P_ROW)
        for w in range(_cell(part, f.P_WORDS)):
            word = v.read64(place + 8 * w)
            if word != 0:
                count += v.list_bits(word, first + 64 * w, out + 2 * count)
    return count


@_compiled
def _list_plane(part: Any, pixels: Any, taps: Any, out: Any) -> Any:
    """The same for one bit of the tapped pixels."""
    count, bit = np.int64(0), _cell(part, f.P_PLANE)
    for j in range(_cell(part, f.P_TAP_COUNT)):
        pixel = v.read32(taps + 8 * j)
        value = v.read8(pixels + max(pixel, 0)) if pixel >= 0 else np.int64(0)
        v.store16(out + 2 * count, v.read32(taps + 8 * j + 4))  # kept when the next comes after it
        count += (value >> bit) & 1
    return count


@_compiled
def _load(access: Any, memory: Any, step: Any, row: Any, first: Any, lanes: Any, op: Any,
          dst: Any, constants: Any) -> None:  # fmt: skip
    """dst (+)= a stored current << shift."""
    lane_stride, shift, adds = _cell(access, f.A_LANE), _cell(op, f.O_SHIFT), _cell(op, f.O_ADD)
    place = memory + _cell(access, f.A_PLACE) + step * _cell(access, f.A_STEP)
    place += v.read32(constants + _cell(access, f.A_ROWS) + 4 * row) + first * lane_stride
    short = _cell(access, f.A_BYTES) == 2
    if lane_stride == 2 and short:
        for lane in range(0, lanes, 16):
            _put(dst, lane, v.load16(place + 2 * lane), shift, adds)
    elif lane_stride == 4 and not short:
        for lane in range(0, lanes, 16):
            _put(dst, lane, v.load32(place + 4 * lane), shift, adds)
    else:
        for lane in range(lanes):
            here = place + lane * lane_stride
            value = (v.read16(here) if short else v.read32(here)) << shift
            if adds != 0:
                value += v.read32(dst + 4 * lane)
            v.store32(dst + 4 * lane, value)


@_compiled
def _store(access: Any, memory: Any, step: Any, row: Any, first: Any, lanes: Any, source: Any,
           constants: Any) -> None:  # fmt: skip
    """A stored current = source, in exactly the unit's lanes."""
    place = memory + _cell(access, f.A_PLACE) + step * _cell(access, f.A_STEP)
    place += v.read32(constants + _cell(access, f.A_ROWS) + 4 * row)
    lane_stride = _cell(access, f.A_LANE)
    place += first * lane_stride
    whole = 0
    if lane_stride == _cell(access, f.A_BYTES):
        whole = lanes & ~15
        if lane_stride == 2:
            for lane in range(0, whole, 16):
                v.store16(place + 2 * lane, v.load32(source + 4 * lane))
        else:
            for lane in range(0, whole, 16):
                v.store32(place + 4 * lane, v.load32(source + 4 * lane))
    for lane in range(whole, lanes):
        if _cell(access, f.A_BYTES) == 2:
            v.store16(place + lane * lane_stride, v.read32(source + 4 * lane))
        else:
            v.store32(place + lane * lane_stride, v.read32(source + 4 * lane))


@_compiled
def _scale(gain: Any, constants: Any, step: Any, row: Any, first: Any, lanes: Any, dst: Any) -> None:
    """dst = gain(dst): x << b for every bit b of its mantissa, rounded, shifted right.

    Mantissas are int16, or int32 where one needs more; the highest bit subtracts.
    """
    size, low, high = _cell(gain, f.G_BYTES), _cell(gain, f.G_LOW), _cell(gain, f.G_HIGH)
    table = constants + _cell(gain, f.G_TABLE) + step * _cell(gain, f.G_STEP)
    table += v.read32(constants + _cell(gain, f.G_ROWS) + 4 * row) + first * size
    half = (np.int64(1) << _cell(gain, f.G_SHIFT)) >> 1
    right, zero = v.ints(_cell(gain, f.G_SHIFT)), v.ints(0)
    for lane in range(0, lanes, 16):
        mantissa = v.load16(table + 2 * lane) if size == 2 else v.load32(table + 4 * lane)
        moved, total = v.shift_left(v.load32(dst + 4 * lane), v.ints(low)), v.ints(half)
        for bit in range(low, high):
            total = v.add(total, v.select(v.has_bit(mantissa, v.ints(1 << bit)), moved, zero))
            moved = v.add(moved, moved)
        total = v.sub(total, v.select(v.above(zero, mantissa), moved, zero))
        v.store32(dst + 4 * lane, v.shift_right(total, right))


@_compiled
def _constant(table: Any, constants: Any, step: Any, row: Any, first: Any, lane: Any) -> Any:
    """16 lanes of a population's constant."""
    place = constants + _cell(table, f.C_ADDRESS) + step * _cell(table, f.C_STEP) + row * _cell(table, f.C_ROW)
    if _cell(table, f.C_LANES) != 0:
        return v.load32(place + 4 * (first + lane))
    return v.ints(v.read32(place))


@_compiled
def _prepare(neuron: Any, tables: Any, constants: Any, step: Any, row: Any, first: Any,
             lanes: Any, scratch: Any) -> None:  # fmt: skip
    """Threshold, what is added at every step and polarity of one tile, side by side."""
    at = _cell(neuron, f.N_CONSTANTS)
    zero = v.ints(0)
    for lane in range(0, lanes, 16):
        place = scratch + 4 * lane
        offset = _constant(_record(tables, at + 2, f.C_SIZE), constants, step, row, first, lane)
        sign = _constant(_record(tables, at + 3, f.C_SIZE), constants, step, row, first, lane)
        signed = v.select(v.above(sign, zero), offset, zero)
        signed = v.sub(signed, v.select(v.above(zero, sign), offset, zero))
        bias = _constant(_record(tables, at + 1, f.C_SIZE), constants, step, row, first, lane)
        v.store32(place, _constant(_record(tables, at + 0, f.C_SIZE), constants, step, row, first, lane))
        v.store32(place + 4 * f.TILE, v.add(bias, signed))
        v.store32(place + 8 * f.TILE, sign)


@_compiled
def _scaled_leak(neuron: Any, constants: Any, value: Any) -> Any:
    """(factor * value + offset) >> shift, the factor by its signed digits."""
    total = v.ints(_cell(neuron, f.N_LEAK_OFFSET))
    for power in range(_cell(neuron, f.N_POWERS)):
        digit = v.read8(constants + _cell(neuron, f.N_DIGITS) + power)
        if digit > 0:
            total = v.add(total, v.shift_left(value, v.ints(power)))
        elif digit < 0:
            total = v.sub(total, v.shift_left(value, v.ints(power)))
    return v.shift_right(total, v.ints(_cell(neuron, f.N_SHIFT)))


@_compiled
def _leak(neuron: Any, constants: Any, value: Any) -> Any:
    """What remains of 16 membranes after one step."""
    zero = v.ints(0)
    if _cell(neuron, f.N_TOWARD_ZERO) != 0:
        negative = v.above(zero, value)
        size = v.select(negative, v.sub(zero, value), value)
        kept = _scaled_leak(neuron, constants, size)
        return v.select(negative, v.sub(zero, kept), kept)
    if _cell(neuron, f.N_STRICT) != 0:
        return v.sub(zero, _scaled_leak(neuron, constants, v.sub(zero, value)))
    return _scaled_leak(neuron, constants, value)


@_compiled
def _signed(sign: Any, value: Any) -> Any:
    """value, -value or 0."""
    zero = v.ints(0)
    kept = v.select(v.above(sign, zero), value, zero)
    return v.sub(kept, v.select(v.above(zero, sign), value, zero))


@_compiled
def _take(neuron: Any, constants: Any, membrane: Any, x: Any, threshold: Any) -> Any:
    """Spikes and membranes after any kind of neuron took a current: (z, flags, after)."""
    z = v.add(_leak(neuron, constants, membrane), x)
    strict = _cell(neuron, f.N_STRICT) != 0
    flags = v.above(z, threshold) if strict else v.at_least(z, threshold)
    rest = v.sub(z, threshold) if _cell(neuron, f.N_SOFT) != 0 else v.ints(0)
    return z, flags, v.select(flags, rest, z)


@_compiled
def _fire(neuron: Any, constants: Any, memory: Any, steps: Any, row: Any, first: Any, lanes: Any,
          currents: Any, prepared: Any, stride: Any) -> Any:  # fmt: skip
    """The population takes the currents of all steps; returns how many spikes there are.

    Membranes stay in registers from step to step. The usual neuron (>=, hard reset, decay by a
    shift, the same constants at every step) has a loop of its own.
    """
    spikes = memory + _cell(neuron, f.N_SPIKES) + row * _cell(neuron, f.N_SPIKES_ROW) + (first >> 3)
    spikes_step = _cell(neuron, f.N_SPIKES_STEP)
    recorded, record_step = _cell(neuron, f.N_RECORD) >= 0, _cell(neuron, f.N_RECORD_STEP)
    record = memory + _cell(neuron, f.N_RECORD) + row * _cell(neuron, f.N_RECORD_ROW) + 4 * first
    kept = _cell(neuron, f.N_STATE) >= 0
    state = memory + _cell(neuron, f.N_STATE) + row * _cell(neuron, f.N_STATE_ROW) + 4 * first
    polar = _cell(neuron, f.N_POLAR) != 0
    usual = _cell(neuron, f.N_USUAL) != 0 and stride == 0
    decay, zero = v.ints(_cell(neuron, f.N_SHIFT)), v.ints(0)
    total = np.int64(0)
    for lane in range(0, lanes, 32):
        low, high = zero, zero
        if kept:
            low, high = v.load32(state + 4 * lane), v.load32(state + 4 * lane + 64)
        inside = np.int64(0xFFFFFFFF)
        if lanes - lane < 32:
            inside = (np.int64(1) << (lanes - lane)) - 1
        table = prepared + 4 * lane
        t_low, t_high = v.load32(table), v.load32(table + 64)
        b_low, b_high = v.load32(table + 4 * f.TILE), v.load32(table + 4 * f.TILE + 64)
        s_low, s_high = v.load32(table + 8 * f.TILE), v.load32(table + 8 * f.TILE + 64)
        place, current = spikes + (lane >> 3), currents + 4 * lane
        for s in range(steps):
            x_low, x_high = v.load32(current), v.load32(current + 64)
            if not usual:
                t_low, t_high = v.load32(table), v.load32(table + 64)
                b_low, b_high = v.load32(table + 4 * f.TILE), v.load32(table + 4 * f.TILE + 64)
                s_low, s_high = v.load32(table + 8 * f.TILE), v.load32(table + 8 * f.TILE + 64)
                table += stride
            if polar:
                x_low, x_high = _signed(s_low, x_low), _signed(s_high, x_high)
            x_low, x_high = v.add(x_low, b_low), v.add(x_high, b_high)
            if usual:
                z_low = v.add(v.shift_right(low, decay), x_low)
                z_high = v.add(v.shift_right(high, decay), x_high)
                f_low, f_high = v.at_least(z_low, t_low), v.at_least(z_high, t_high)
                low, high = v.select(f_low, zero, z_low), v.select(f_high, zero, z_high)
            else:
                z_low, f_low, low = _take(neuron, constants, low, x_low, t_low)
                z_high, f_high, high = _take(neuron, constants, high, x_high, t_high)
            if recorded:
                v.store32(record + s * record_step + 4 * lane, z_low)
                v.store32(record + s * record_step + 4 * lane + 64, z_high)
            word = (v.bits_of(f_low) | (v.bits_of(f_high) << 16)) & inside
            v.store32(place, word)
            total += v.ones_in(word)
            place += spikes_step
            current += 4 * f.TILE
        if kept:
            v.store32(state + 4 * lane, low)
            v.store32(state + 4 * lane + 64, high)
    if ((first + lanes + 31) >> 5) & 1 != 0:  # the row's last lanes: its words are of 64 bits
        place = spikes + 4 * ((lanes + 31) >> 5)
        for s in range(steps):
            v.store32(place + s * spikes_step, np.int64(0))
    return total


@_compiled
def _project(part: Any, memory: Any, constants: Any, steps: Any, first_step: Any, row: Any,
             first: Any, groups: Any, op: Any, number: Any, lists: Any, found: Any,
             parts: Any, dst: Any) -> None:  # fmt: skip
    """A part's sums of all steps."""
    kind, wide = _cell(part, f.P_KIND), _cell(part, f.P_WIDE) != 0
    shift, adds = _cell(op, f.O_SHIFT), _cell(op, f.O_ADD)
    weights = constants + _cell(part, f.P_WEIGHTS) + first_step * _cell(part, f.P_WEIGHT_STEP)
    taps = constants + _cell(part, f.P_TAPS) + row * 8 * _cell(part, f.P_TAP_COUNT)
    bits = memory + _cell(part, f.P_SOURCE) + (first >> 3)
    size = 4 if wide else 1
    if kind == f.MASKED_LANES:
        weights += size * first
    elif kind != f.MASKED:
        weights += size * _cell(part, f.P_INPUTS) * first
    stride = size * f.GROUP * groups
    lists += 8 * number
    for _ in range(steps):
        if kind == f.MASKED and not wide:
            _add_masked(part, bits, taps, weights, groups, dst, shift, adds)
        elif kind >= f.MASKED:
            _add_masked_lanes(part, bits, taps, weights, groups, dst, shift, adds)
        else:
            begin = v.read64(lists)
            count, listed = (v.read64(lists + 8) - begin) >> 1, found + begin
            if wide:
                _add_wide_rows(weights, stride, listed, count, groups, dst, shift, adds)
            else:
                _add_rows(weights, stride, listed, count, groups, dst, shift, adds)
        bits += _cell(part, f.P_STEP)
        weights += _cell(part, f.P_WEIGHT_STEP)
        lists += 8 * parts
        dst += 4 * f.TILE


@_compiled
def _list(unit: Any, parts: Any, constants: Any, memory: Any, pixels: Any, first_row: Any,
          last_row: Any, steps: Any, starts: Any, found: Any) -> None:  # fmt: skip
    """Lists the active inputs of every row, step and part; `starts` has where each begins."""
    count, end = _cell(unit, f.U_PARTS), np.int64(0)
    v.store64(starts, end)
    for row in range(first_row, last_row):
        for step in range(steps):
            for p in range(count):
                part = _record(parts, _cell(unit, f.U_PART) + p, f.P_SIZE)
                taps = constants + _cell(part, f.P_TAPS) + row * 8 * _cell(part, f.P_TAP_COUNT)
                if _cell(part, f.P_KIND) == f.EVENTS:
                    bits = memory + _cell(part, f.P_SOURCE) + step * _cell(part, f.P_STEP)
                    end += 2 * _list_row(part, bits, taps, found + end)
                elif _cell(part, f.P_KIND) == f.PLANE:
                    end += 2 * _list_plane(part, pixels, taps, found + end)
                starts += 8
                v.store64(starts, end)


@_compiled
def _rows(unit: Any, tables: Any, constants: Any, memory: Any, pixels: Any, scratch: Any,
          first_row: Any, last_row: Any, first_step: Any, last_step: Any) -> Any:  # fmt: skip
    """Computes a block of rows of a unit; returns how many of its neurons spiked."""
    parts, ops, accesses, gains, params, neurons = tables
    part_count, part_at = _cell(unit, f.U_PARTS), _cell(unit, f.U_PART)
    steps = last_step - first_step
    prepared, size = scratch, 4 * f.TILE * steps
    registers = prepared + 3 * size
    starts = registers + f.REGISTERS * size
    found = starts + 8 * ((last_row - first_row) * steps * part_count + 1)
    _list(unit, parts, constants, memory, pixels, first_row, last_row, steps, starts, found)
    spikes = np.int64(0)
    first = np.int64(0)
    while first < _cell(unit, f.U_LANES):
        lanes = min(_cell(unit, f.U_TILE), _cell(unit, f.U_LANES) - first)
        groups = (lanes + f.GROUP - 1) // f.GROUP
        ready = False
        lists = starts
        for row in range(first_row, last_row):
            for o in range(_cell(unit, f.U_OPS)):
                op = _record(ops, _cell(unit, f.U_OP) + o, f.O_SIZE)
                kind, what = _cell(op, f.O_KIND), _cell(op, f.O_WHAT)
                dst = registers + size * _cell(op, f.O_DST)
                if kind == f.PROJECT:
                    part = _record(parts, part_at + what, f.P_SIZE)
                    _project(part, memory, constants, steps, first_step, row, first, groups, op,
                             what, lists, found, part_count, dst)  # fmt: skip
                elif kind == f.FIRE:
                    neuron = _record(neurons, what, f.N_SIZE)
                    by_step = _cell(neuron, f.N_BY_STEP) != 0
                    if not ready:
                        for s in range(steps if by_step else 1):
                            _prepare(neuron, params, constants, first_step + s, row, first, lanes,
                                     prepared + 12 * f.TILE * s)  # fmt: skip
                        ready = _cell(neuron, f.N_BY_ROW) == 0
                    spikes += _fire(neuron, constants, memory, steps, row, first, lanes, dst,
                                    prepared, 12 * f.TILE if by_step else 0)  # fmt: skip
                elif kind == f.SUM:
                    source = registers + size * what
                    for s in range(steps):
                        at = 4 * f.TILE * s
                        for lane in range(0, lanes, 16):
                            value = v.load32(source + at + 4 * lane)
                            _put(dst + at, lane, value, _cell(op, f.O_SHIFT), _cell(op, f.O_ADD))
                else:
                    for s in range(steps):
                        if kind == f.LOAD:
                            access = _record(accesses, what, f.A_SIZE)
                            _load(access, memory, s, row, first, lanes, op, dst, constants)
                        elif kind == f.STORE:
                            access = _record(accesses, what, f.A_SIZE)
                            _store(access, memory, s, row, first, lanes, dst, constants)
                        else:
                            gain = _record(gains, what, f.G_SIZE)
                            _scale(gain, constants, first_step + s, row, first, lanes, dst)
                        dst += 4 * f.TILE
            lists += 8 * part_count * steps
        first += _cell(unit, f.U_TILE)
    return spikes


@_compiled
def _wait_for_all(counter: Any, goal: Any) -> None:
    """Returns when as many threads have come here, all visits counted."""
    v.take(counter, np.int64(1))
    while v.look(counter) < goal:
        v.rest()


def run_units(
    units: Any,
    tables: Any,
    constants: Any,
    memory: Any,
    pixels: Any,
    scratch: Any,
    counters: Any,
    counts: Any,
    first_unit: Any,
    last_unit: Any,
    threads: Any,
    first_step: Any,
    last_step: Any,
) -> None:
    """Runs units one after another; threads share the rows of each.

    Args:
        units: int64 [units, U_SIZE].
        tables: parts, ops, accesses, gains, constants of populations, populations.
        constants: address of the plan's constants.
        memory: address of the working memory.
        pixels: address of the image.
        scratch: address of this thread's own memory.
        counters: address of int64 [units + 1], zero before: threads that have come, rows taken.
        counts: int64 [populations]: spikes are added; of this thread alone.
        first_unit, last_unit: which units, the last excluded.
        threads: how many call this with the same units.
        first_step, last_step: which steps, the last excluded. Units that are the same at every
            step are computed when the first step is 0.
    """
    goal = np.int64(0)
    for u in range(first_unit, last_unit):
        unit = _record(units, u, f.U_SIZE)
        from_step, to_step = first_step, last_step
        if _cell(unit, f.U_CONSTANT) != 0:
            from_step, to_step = np.int64(0), np.int64(first_step == 0)
        spikes = np.int64(0)
        while to_step > from_step:
            first_row = v.take(counters + 8 * (u + 1), _cell(unit, f.U_BLOCK))
            if first_row >= _cell(unit, f.U_ROWS):
                break
            last_row = min(first_row + _cell(unit, f.U_BLOCK), _cell(unit, f.U_ROWS))
            spikes += _rows(
                unit, tables, constants, memory, pixels, scratch, first_row, last_row,
                from_step, to_step,
            )  # fmt: skip
        v.store64(counts + 8 * u, v.read64(counts + 8 * u) + spikes)
        if threads > 1:
            goal += threads
            _wait_for_all(counters, goal)
