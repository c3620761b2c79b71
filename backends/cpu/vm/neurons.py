"""Neurons in vector registers: constants of a tile, the leak, spikes and membranes of all steps."""

from typing import Any

import numpy as np

from snncc.backends.cpu import fields as f
from snncc.backends.cpu.vm import vectors as v
from snncc.backends.cpu.vm.sums import compiled
from snncc.backends.cpu.vm.vectors import cell, record


@compiled
def constant(table: Any, constants: Any, step: Any, row: Any, first: Any, lane: Any) -> Any:
    """16 lanes of a population's constant."""
    place = (
        constants
        + cell(table, f.C_ADDRESS)
        + step * cell(table, f.C_STEP)
        + row * cell(table, f.C_ROW)
    )
    if cell(table, f.C_LANES) != 0:
        return v.load32(place + 4 * (first + lane))
    return v.ints(v.read32(place))


@compiled
def prepare(neuron: Any, tables: Any, constants: Any, step: Any, row: Any, first: Any,
             lanes: Any, scratch: Any) -> None:  # fmt: skip
    """Threshold, what is added at every step and polarity of one tile, side by side."""
    at = cell(neuron, f.N_CONSTANTS)
    zero = v.ints(0)
    for lane in range(0, lanes, 16):
        place = scratch + 4 * lane
        offset = constant(record(tables, at + 2, f.C_SIZE), constants, step, row, first, lane)
        sign = constant(record(tables, at + 3, f.C_SIZE), constants, step, row, first, lane)
        signed = v.select(v.above(sign, zero), offset, zero)
        signed = v.sub(signed, v.select(v.above(zero, sign), offset, zero))
        bias = constant(record(tables, at + 1, f.C_SIZE), constants, step, row, first, lane)
        v.store32(
            place, constant(record(tables, at + 0, f.C_SIZE), constants, step, row, first, lane)
        )
        v.store32(place + 4 * f.TILE, v.add(bias, signed))
        v.store32(place + 8 * f.TILE, sign)


def _rules(same: Any) -> tuple[Any, Any]:
    """What neurons do with a current, in registers of 32 or of 64 bits: (signed, take)."""

    @compiled
    def scaled_leak(neuron: Any, constants: Any, value: Any) -> Any:
        """(factor * value + offset) >> shift, the factor by its signed digits."""
        total = same(cell(neuron, f.N_LEAK_OFFSET))
        for power in range(cell(neuron, f.N_POWERS)):
            digit = v.read8(constants + cell(neuron, f.N_DIGITS) + power)
            if digit > 0:
                total = v.add(total, v.shift_left(value, same(power)))
            elif digit < 0:
                total = v.sub(total, v.shift_left(value, same(power)))
        return v.shift_right(total, same(cell(neuron, f.N_SHIFT)))

    @compiled
    def leak(neuron: Any, constants: Any, value: Any) -> Any:
        """What remains of 16 membranes after one step."""
        zero = same(0)
        if cell(neuron, f.N_TOWARD_ZERO) != 0:
            negative = v.above(zero, value)
            size = v.select(negative, v.sub(zero, value), value)
            kept = scaled_leak(neuron, constants, size)
            return v.select(negative, v.sub(zero, kept), kept)
        if cell(neuron, f.N_STRICT) != 0:
            return v.sub(zero, scaled_leak(neuron, constants, v.sub(zero, value)))
        return scaled_leak(neuron, constants, value)

    @compiled
    def signed(sign: Any, value: Any) -> Any:
        """value, -value or 0."""
        zero = same(0)
        kept = v.select(v.above(sign, zero), value, zero)
        return v.sub(kept, v.select(v.above(zero, sign), value, zero))

    @compiled
    def take(neuron: Any, constants: Any, membrane: Any, x: Any, threshold: Any) -> Any:
        """Spikes and membranes after any kind of neuron took a current: (z, flags, after)."""
        z = v.add(leak(neuron, constants, membrane), x)
        strict = cell(neuron, f.N_STRICT) != 0
        flags = v.above(z, threshold) if strict else v.at_least(z, threshold)
        rest = v.sub(z, threshold) if cell(neuron, f.N_SOFT) != 0 else same(0)
        return z, flags, v.select(flags, rest, z)

    return signed, take


signed, take = _rules(v.ints)
signed_longs, take_longs = _rules(v.longs)


@compiled
def fire(neuron: Any, constants: Any, memory: Any, steps: Any, at: Any, goes_on: Any, row: Any,
          first: Any, lanes: Any, currents: Any, prepared: Any, stride: Any) -> Any:  # fmt: skip
    """The population takes the currents of all steps; returns how many spikes there are.

    The first of these steps lies in memory as number `at`. Membranes start from what is kept where
    the population goes on after earlier steps.

    Membranes stay in registers from step to step. The usual neuron (>=, hard reset, decay by a
    shift, the same constants at every step) has a loop of its own.
    """
    spikes = memory + cell(neuron, f.N_SPIKES) + row * cell(neuron, f.N_SPIKES_ROW) + (first >> 3)
    spikes_step = cell(neuron, f.N_SPIKES_STEP)
    spikes += at * spikes_step
    recorded, record_step = cell(neuron, f.N_RECORD) >= 0, cell(neuron, f.N_RECORD_STEP)
    record = memory + cell(neuron, f.N_RECORD) + row * cell(neuron, f.N_RECORD_ROW) + 4 * first
    record += at * record_step
    kept = cell(neuron, f.N_STATE) >= 0
    state = memory + cell(neuron, f.N_STATE) + row * cell(neuron, f.N_STATE_ROW) + 4 * first
    polar = cell(neuron, f.N_POLAR) != 0
    usual = cell(neuron, f.N_USUAL) != 0 and stride == 0
    plain = usual and not polar and not recorded
    decay, zero = v.ints(cell(neuron, f.N_SHIFT)), v.ints(0)
    total = np.int64(0)
    for lane in range(0, lanes, 32):
        low, high = zero, zero
        if kept and goes_on:
            low, high = v.load32(state + 4 * lane), v.load32(state + 4 * lane + 64)
        inside = np.int64(0xFFFFFFFF)
        if lanes - lane < 32:
            inside = (np.int64(1) << (lanes - lane)) - 1
        table = prepared + 4 * lane
        t_low, t_high = v.load32(table), v.load32(table + 64)
        b_low, b_high = v.load32(table + 4 * f.TILE), v.load32(table + 4 * f.TILE + 64)
        s_low, s_high = v.load32(table + 8 * f.TILE), v.load32(table + 8 * f.TILE + 64)
        place, current = spikes + (lane >> 3), currents + 4 * lane
        for _ in range(steps if plain else 0):
            z_low = v.add(v.add(v.shift_right(low, decay), b_low), v.load32(current))
            z_high = v.add(v.add(v.shift_right(high, decay), b_high), v.load32(current + 64))
            f_low, f_high = v.at_least(z_low, t_low), v.at_least(z_high, t_high)
            low, high = v.select(f_low, zero, z_low), v.select(f_high, zero, z_high)
            word = (v.bits_of(f_low) | (v.bits_of(f_high) << 16)) & inside
            v.store32(place, word)
            total += v.ones_in(word)
            place += spikes_step
            current += 4 * f.TILE
        for s in range(0 if plain else steps):
            x_low, x_high = v.load32(current), v.load32(current + 64)
            if not usual:
                t_low, t_high = v.load32(table), v.load32(table + 64)
                b_low, b_high = v.load32(table + 4 * f.TILE), v.load32(table + 4 * f.TILE + 64)
                s_low, s_high = v.load32(table + 8 * f.TILE), v.load32(table + 8 * f.TILE + 64)
                table += stride
            if polar:
                x_low, x_high = signed(s_low, x_low), signed(s_high, x_high)
            x_low, x_high = v.add(x_low, b_low), v.add(x_high, b_high)
            if usual:
                z_low = v.add(v.shift_right(low, decay), x_low)
                z_high = v.add(v.shift_right(high, decay), x_high)
                f_low, f_high = v.at_least(z_low, t_low), v.at_least(z_high, t_high)
                low, high = v.select(f_low, zero, z_low), v.select(f_high, zero, z_high)
            else:
                z_low, f_low, low = take(neuron, constants, low, x_low, t_low)
                z_high, f_high, high = take(neuron, constants, high, x_high, t_high)
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
