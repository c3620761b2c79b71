"""Sums of 64 bits: linear systems that add to them, and the populations that take them.

A system's states stay in registers over all steps, 8 channels at a time. Its coefficients differ
from channel to channel: each is as many signed powers of two as the longest needs, so that a term
is a complement where its sign is below 0, a shift and an addition.
"""

from typing import Any

import numpy as np

from snncc.backends.cpu import fields as f
from snncc.backends.cpu.vm import vectors as v
from snncc.backends.cpu.vm.neurons import signed_longs, take_longs
from snncc.backends.cpu.vm.sums import compiled
from snncc.backends.cpu.vm.vectors import cell, record

STEP = 8 * f.TILE
"""Bytes of a wide sum at one step."""


@compiled
def times(terms: Any, count: Any, x: Any, total: Any) -> Any:
    """Total + x times a coefficient, but for what the complements lack."""
    for _ in range(count):
        moved = v.shift_left(v.xor(x, v.octet8(terms + f.OCTET)), v.octet8(terms))
        total = v.add(total, moved)
        terms += f.TERM
    return total


@compiled
def both_times(terms: Any, count: Any, x: Any, y: Any, left: Any, right: Any) -> Any:
    """The same of two numbers: (left + x times it, right + y times it)."""
    for _ in range(count):
        power, sign = v.octet8(terms), v.octet8(terms + f.OCTET)
        left = v.add(left, v.shift_left(v.xor(x, sign), power))
        right = v.add(right, v.shift_left(v.xor(y, sign), power))
        terms += f.TERM
    return left, right


@compiled
def eight(tables: Any, number: Any, constants: Any, row: Any, lane: Any) -> Any:
    """8 lanes of a constant."""
    table = record(tables, number, f.C_SIZE)
    place = constants + cell(table, f.C_ADDRESS) + row * cell(table, f.C_ROW)
    if cell(table, f.C_LANES) != 0:
        return v.octet64(place + 8 * lane)
    return v.octet(v.read64(place))


@compiled
def terms_at(linear: Any, column: Any, constants: Any, row: Any, lane: Any) -> Any:
    """Where the terms of 8 lanes of a coefficient are, and how many."""
    count = cell(linear, column + 1)
    place = constants + cell(linear, column) + row * cell(linear, column + 2)
    return place + ((lane >> 3) * count << 4), count


@compiled
def widen(linear: Any, tables: Any, constants: Any, memory: Any, steps: Any,
          goes_on: Any, row: Any, first: Any, lanes: Any, source: Any, wide: Any,
          adds: Any) -> None:  # fmt: skip
    """The wide sum (+)= what a linear system makes of a register.

    Three states: x, y turn as (p x - q y + u, q x + p y), each shifted right; before them stands
    what x was. One: x alone. What is given is c x + d y, or of no state c u, shifted right.
    """
    states, gain = cell(linear, f.L_STATES), v.octet(cell(linear, f.L_GAIN))
    shift, post = v.octet(cell(linear, f.L_SHIFT)), v.octet(cell(linear, f.L_POST))
    slot, keeps = cell(linear, f.L_KEPT_SLOT), cell(linear, f.L_KEPT) >= 0
    zero = v.octet(np.int64(0))
    for part in range(0, (lanes + f.OCTET - 1) & ~(f.OCTET - 1), f.OCTET):
        lane = first + part
        kept = memory + cell(linear, f.L_KEPT) + row * cell(linear, f.L_KEPT_ROW) + 8 * lane
        p, ps = terms_at(linear, f.L_P, constants, row, lane)
        q, qs = terms_at(linear, f.L_Q, constants, row, lane)
        c, cs = terms_at(linear, f.L_C, constants, row, lane)
        d, ds = terms_at(linear, f.L_D, constants, row, lane)
        to_x = eight(tables, cell(linear, f.L_X), constants, row, lane)
        to_y = eight(tables, cell(linear, f.L_Y), constants, row, lane)
        to_given = eight(tables, cell(linear, f.L_F), constants, row, lane)
        late, x, y = zero, zero, zero
        if keeps and goes_on:
            if states == 3:
                late, x, y = v.octet64(kept), v.octet64(kept + slot), v.octet64(kept + 2 * slot)
            elif states == 1:
                x = v.octet64(kept)
        current, total = source + 4 * part, wide + 8 * part
        for _ in range(steps):
            u = v.shift_left(v.octet32(current), gain)
            if states == 0:
                given = v.shift_right(times(c, cs, u, to_given), shift)
            elif states == 1:
                x = v.shift_right(times(p, ps, x, v.add(to_x, u)), shift)
                given = times(c, cs, x, to_given)
            else:
                late = x
                left, right = both_times(p, ps, x, y, v.add(to_x, u), to_y)
                right, turned = both_times(q, qs, x, y, right, zero)
                x = v.shift_right(v.sub(left, turned), shift)
                y = v.shift_right(right, shift)
                given = times(d, ds, y, times(c, cs, x, to_given))
            given = v.shift_left(given, post)
            if adds != 0:
                given = v.add(given, v.octet64(total))
            v.store64(total, given)
            current += 4 * f.TILE
            total += STEP
        if keeps and states == 3:
            v.store64(kept, late)
            v.store64(kept + slot, x)
            v.store64(kept + 2 * slot, y)
        elif keeps and states == 1:
            v.store64(kept, x)


@compiled
def long_constant(tables: Any, number: Any, constants: Any, step: Any, row: Any, lane: Any) -> Any:
    """16 lanes of a constant of a population that takes a wide sum."""
    table = record(tables, number, f.C_SIZE)
    place = constants + cell(table, f.C_ADDRESS) + step * cell(table, f.C_STEP)
    place += row * cell(table, f.C_ROW)
    if cell(table, f.C_LANES) != 0:
        return v.load64(place + 8 * lane)
    return v.longs(v.read64(place))


@compiled
def fire_longs(neuron: Any, tables: Any, constants: Any, memory: Any, steps: Any, first_step: Any,
                at: Any, row: Any, first: Any, lanes: Any, wide: Any) -> Any:  # fmt: skip
    """As `fire`, of a wide sum and with membranes of 64 bits."""
    spikes = memory + cell(neuron, f.N_SPIKES) + row * cell(neuron, f.N_SPIKES_ROW)
    spikes_step = cell(neuron, f.N_SPIKES_STEP)
    spikes += at * spikes_step
    recorded, record_step = cell(neuron, f.N_RECORD) >= 0, cell(neuron, f.N_RECORD_STEP)
    levels = memory + cell(neuron, f.N_RECORD) + row * cell(neuron, f.N_RECORD_ROW)
    levels += at * record_step
    kept = cell(neuron, f.N_STATE) >= 0
    state = memory + cell(neuron, f.N_STATE) + row * cell(neuron, f.N_STATE_ROW)
    number, total = cell(neuron, f.N_CONSTANTS), np.int64(0)
    for part in range(0, (lanes + f.GROUP - 1) & ~(f.GROUP - 1), 16):
        lane, membrane = first + part, v.longs(np.int64(0))
        if kept and first_step > 0:
            membrane = v.load64(state + 8 * lane)
        inside = np.int64(0xFFFF)
        if lanes - part < 16:
            inside = (np.int64(1) << max(lanes - part, np.int64(0))) - 1
        for s in range(steps):
            step = first_step + s
            threshold = long_constant(tables, number, constants, step, row, lane)
            bias = long_constant(tables, number + 1, constants, step, row, lane)
            offset = long_constant(tables, number + 2, constants, step, row, lane)
            sign = long_constant(tables, number + 3, constants, step, row, lane)
            x = v.add(v.load64(wide + STEP * s + 8 * part), offset)
            x = v.add(signed_longs(sign, x), bias)
            level, flags, membrane = take_longs(neuron, constants, membrane, x, threshold)
            if recorded:
                v.store64(levels + s * record_step + 8 * lane, level)
            word = v.bits_of(flags) & inside
            v.store16(spikes + s * spikes_step + (lane >> 3), word)
            total += v.ones_in(word)
        if kept:
            v.store64(state + 8 * lane, membrane)
    if ((first + lanes + 31) >> 5) & 1 != 0:
        place = spikes + 4 * ((first + lanes + 31) >> 5)  # the row's words are of 64 bits
        for s in range(steps):
            v.store32(place + s * spikes_step, np.int64(0))
    return total


@compiled
def mask(bits: Any, memory: Any, steps: Any, at: Any, row: Any, first: Any, lanes: Any,
          dst: Any) -> None:  # fmt: skip
    """Dst = dst where spikes let it pass, else 0."""
    place = memory + cell(bits, f.M_PLACE) + row * cell(bits, f.M_ROW) + (first >> 3)
    place += at * cell(bits, f.M_STEP)
    turned = np.int64(0xFFFF) if cell(bits, f.M_INVERTED) != 0 else np.int64(0)
    for _ in range(steps):
        for lane in range(0, lanes, 16):
            word = v.index16(place + (lane >> 3)) ^ turned
            v.store32(dst + 4 * lane, v.ints_where(word, v.load32(dst + 4 * lane)))
        place += cell(bits, f.M_STEP)
        dst += 4 * f.TILE
