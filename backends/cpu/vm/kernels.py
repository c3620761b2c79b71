"""The compiled executor of a CPU plan: units of rows, tiles of lanes, all steps at once.

A unit (`backends.cpu.plan.units`) computes one population, or one stored current. For a block of
rows the active inputs are listed once; then, tile by tile, the listed weight rows are added up in
registers, the current goes through the unit's ops and the membrane takes it, for every time step,
before the next row comes. A current reaches memory only when somebody else reads it.

Everything is integer addition, shift, comparison and selection; `runtime.proofs.kernel_inspection`
reads the machine code's IR to show it. The tables' columns are those of `backends.cpu.fields`.
"""

from typing import Any

import numpy as np

from snncc.backends.cpu import fields as f
from snncc.backends.cpu.vm import vectors as v
from snncc.backends.cpu.vm.delays import hold, keep
from snncc.backends.cpu.vm.neurons import fire, prepare
from snncc.backends.cpu.vm.state_neurons import evolve_ints, evolve_longs
from snncc.backends.cpu.vm.sums import (
    add_masked,
    add_masked_lanes,
    add_rows,
    add_wide_rows,
    compiled,
    list_plane,
    list_row,
    put,
)
from snncc.backends.cpu.vm.vectors import cell, record
from snncc.backends.cpu.vm.wide_sums import fire_longs, mask, widen


@compiled
def load(access: Any, memory: Any, step: Any, row: Any, first: Any, lanes: Any, op: Any,
          dst: Any, constants: Any) -> None:  # fmt: skip
    """Dst (+)= a stored current << shift."""
    lane_stride, shift, adds = cell(access, f.A_LANE), cell(op, f.O_SHIFT), cell(op, f.O_ADD)
    place = memory + cell(access, f.A_PLACE) + step * cell(access, f.A_STEP)
    place += v.read32(constants + cell(access, f.A_ROWS) + 4 * row) + first * lane_stride
    short = cell(access, f.A_BYTES) == 2
    if lane_stride == 2 and short:
        for lane in range(0, lanes, 16):
            put(dst + 4 * lane, v.load16(place + 2 * lane), shift, adds)
    elif lane_stride == 4 and not short:
        for lane in range(0, lanes, 16):
            put(dst + 4 * lane, v.load32(place + 4 * lane), shift, adds)
    else:
        for lane in range(lanes):
            here = place + lane * lane_stride
            value = (v.read16(here) if short else v.read32(here)) << shift
            if adds != 0:
                value += v.read32(dst + 4 * lane)
            v.store32(dst + 4 * lane, value)


@compiled
def store(access: Any, memory: Any, step: Any, row: Any, first: Any, lanes: Any, source: Any,
           constants: Any) -> None:  # fmt: skip
    """A stored current = source, in exactly the unit's lanes."""
    place = memory + cell(access, f.A_PLACE) + step * cell(access, f.A_STEP)
    place += v.read32(constants + cell(access, f.A_ROWS) + 4 * row)
    lane_stride = cell(access, f.A_LANE)
    place += first * lane_stride
    whole = 0
    if lane_stride == cell(access, f.A_BYTES):
        whole = lanes & ~15
        if lane_stride == 2:
            for lane in range(0, whole, 16):
                v.store16(place + 2 * lane, v.load32(source + 4 * lane))
        else:
            for lane in range(0, whole, 16):
                v.store32(place + 4 * lane, v.load32(source + 4 * lane))
    for lane in range(whole, lanes):
        if cell(access, f.A_BYTES) == 2:
            v.store16(place + lane * lane_stride, v.read32(source + 4 * lane))
        else:
            v.store32(place + lane * lane_stride, v.read32(source + 4 * lane))


@compiled
def scale(gain: Any, constants: Any, step: Any, row: Any, first: Any, lanes: Any, dst: Any) -> None:
    """Dst = gain(dst): x << b for every bit b of its mantissa, rounded, shifted right.

    Mantissas are int16, or int32 where one needs more; the highest bit subtracts.
    """
    size, low, high = cell(gain, f.G_BYTES), cell(gain, f.G_LOW), cell(gain, f.G_HIGH)
    table = constants + cell(gain, f.G_TABLE) + step * cell(gain, f.G_STEP)
    table += v.read32(constants + cell(gain, f.G_ROWS) + 4 * row) + first * size
    half = (np.int64(1) << cell(gain, f.G_SHIFT)) >> 1
    right, zero, rounding = v.ints(cell(gain, f.G_SHIFT)), v.ints(0), v.ints(half)
    above, below = v.ints(31 - high), v.ints(low)
    for lane in range(0, lanes, 16):
        x = v.load32(dst + 4 * lane)
        mantissa = v.load16(table + 2 * lane) if size == 2 else v.load32(table + 4 * lane)
        mantissa = v.shift_left(mantissa, above)  # its sign is the highest bit of all
        total = v.sub(zero, v.select(v.above(zero, mantissa), x, zero))
        for _ in range(low, high):
            mantissa, total = v.add(mantissa, mantissa), v.add(total, total)
            total = v.add(total, v.select(v.above(zero, mantissa), x, zero))
        total = v.add(v.shift_left(total, below), rounding)
        v.store32(dst + 4 * lane, v.shift_right(total, right))


@compiled
def project(part: Any, memory: Any, constants: Any, steps: Any, first_step: Any, at: Any, row: Any,
             first: Any, groups: Any, op: Any, number: Any, lists: Any, found: Any,
             parts: Any, dst: Any) -> None:  # fmt: skip
    """A part's sums of all steps, of which the first lies in memory as number `at`."""
    kind, wide = cell(part, f.P_KIND), cell(part, f.P_WIDE) != 0
    shift, adds = cell(op, f.O_SHIFT), cell(op, f.O_ADD)
    weights = constants + cell(part, f.P_WEIGHTS) + first_step * cell(part, f.P_WEIGHT_STEP)
    if cell(part, f.P_MADE) != 0:  # of the steps that are in memory, the first lies first
        weights = memory + cell(part, f.P_WEIGHTS)
    taps = constants + cell(part, f.P_TAPS) + row * 8 * cell(part, f.P_TAP_COUNT)
    bits = memory + cell(part, f.P_SOURCE) + at * cell(part, f.P_STEP) + (first >> 3)
    size = 4 if wide else 1
    if kind == f.MASKED_LANES:
        weights += size * first
    elif kind != f.MASKED:
        weights += size * cell(part, f.P_INPUTS) * first
    stride = size * f.GROUP * groups
    lists += 8 * number
    later = np.int64(0)
    for s in range(steps):
        if kind == f.MASKED and not wide:
            # Steps go in pairs where they share their weights.
            if later != 0:
                later = np.int64(0)
            else:
                pairs = s + 1 < steps and cell(part, f.P_WEIGHT_STEP) == 0
                later = cell(part, f.P_STEP) if pairs else np.int64(0)
                add_masked(part, bits, later, taps, weights, min(groups, 5), dst, shift, adds)
                if groups > 5:
                    add_masked(part, bits + 20, later, taps, weights, groups - 5, dst + 640, shift,
                               adds)  # fmt: skip
        elif kind >= f.MASKED:
            add_masked_lanes(part, bits, taps, weights, groups, dst, shift, adds)
        else:
            begin = v.read64(lists)
            count = (v.read64(lists + 8 * cell(op, f.O_PARTS)) - begin) >> 1
            listed = found + begin
            if wide:
                add_wide_rows(weights, stride, listed, count, groups, dst, shift, adds)
            else:
                add_rows(weights, stride, listed, count, groups, dst, shift, adds)
        bits += cell(part, f.P_STEP)
        weights += cell(part, f.P_WEIGHT_STEP)
        lists += 8 * parts
        dst += 4 * f.TILE


@compiled
def list_inputs(unit: Any, parts: Any, constants: Any, memory: Any, pixels: Any, first_row: Any,
          last_row: Any, first_step: Any, at: Any, steps: Any, starts: Any, found: Any,
          taken: Any) -> None:  # fmt: skip
    """Lists the active inputs of every row, step and part; `starts` has where each begins.

    Of spikes the first of these steps lies in memory as number `at`; an image has the frames of all
    steps, or one.
    """
    count, end = cell(unit, f.U_PARTS), np.int64(0)
    v.store64(starts, end)
    for row in range(first_row, last_row):
        for step in range(steps):
            gathered = np.int64(-1)  # planes that follow each other have the same taps
            for p in range(count):
                part = record(parts, cell(unit, f.U_PART) + p, f.P_SIZE)
                taps = constants + cell(part, f.P_TAPS) + row * 8 * cell(part, f.P_TAP_COUNT)
                if cell(part, f.P_KIND) == f.EVENTS:
                    bits = memory + cell(part, f.P_SOURCE) + (at + step) * cell(part, f.P_STEP)
                    end += 2 * list_row(part, bits, taps, found + end)
                elif cell(part, f.P_KIND) == f.PLANE:
                    frame = pixels + (first_step + step) * cell(part, f.P_STEP)
                    end += 2 * list_plane(part, frame, taps, found + end, taken, gathered)
                    gathered = cell(part, f.P_TAPS)
                    if cell(part, f.P_TAP_COUNT) > 64:
                        gathered = np.int64(-1)
                starts += 8
                v.store64(starts, end)


@compiled
def rows(unit: Any, tables: Any, constants: Any, memory: Any, pixels: Any, scratch: Any,
          first_row: Any, last_row: Any, first_step: Any, last_step: Any,
          origin: Any) -> Any:  # fmt: skip
    """Computes a block of rows of a unit; returns how many of its neurons spiked.

    The step `origin` is the one that lies first in memory.
    """
    (parts, ops, accesses, gains, params, neurons, delays, several, states, terms, linears,
     masks) = tables  # fmt: skip
    part_count, part_at = cell(unit, f.U_PARTS), cell(unit, f.U_PART)
    steps, at_first = last_step - first_step, first_step - origin
    prepared, size = scratch, 4 * f.TILE * steps
    registers = prepared + 3 * size
    starts = registers + f.REGISTERS * size
    found = starts + 8 * ((last_row - first_row) * steps * part_count + 1)
    list_inputs(unit, parts, constants, memory, pixels, first_row, last_row, first_step, at_first,
                steps, starts, found, prepared)  # fmt: skip
    spikes = np.int64(0)
    first = np.int64(0)
    while first < cell(unit, f.U_LANES):
        lanes = min(cell(unit, f.U_TILE), cell(unit, f.U_LANES) - first)
        groups = (lanes + f.GROUP - 1) // f.GROUP
        ready = False
        lists = starts
        for row in range(first_row, last_row):
            for o in range(cell(unit, f.U_OPS)):
                op = record(ops, cell(unit, f.U_OP) + o, f.O_SIZE)
                kind, what = cell(op, f.O_KIND), cell(op, f.O_WHAT)
                dst = registers + size * cell(op, f.O_DST)
                if kind == f.PROJECT:
                    part = record(parts, part_at + what, f.P_SIZE)
                    project(part, memory, constants, steps, first_step, at_first, row, first,
                             groups, op, what, lists, found, part_count, dst)  # fmt: skip
                elif kind == f.FIRE:
                    neuron = record(neurons, what, f.N_SIZE)
                    by_step = cell(neuron, f.N_BY_STEP) != 0
                    if not ready:
                        for s in range(steps if by_step else 1):
                            prepare(neuron, params, constants, first_step + s, row, first, lanes,
                                     prepared + 12 * f.TILE * s)  # fmt: skip
                        ready = cell(neuron, f.N_BY_ROW) == 0
                    spikes += fire(neuron, constants, memory, steps, at_first, first_step != 0, row,
                                    first, lanes, dst, prepared,
                                    12 * f.TILE if by_step else 0)  # fmt: skip
                elif kind == f.EVOLVE:
                    neuron = record(several, what, f.Q_SIZE)
                    if cell(neuron, f.Q_WIDE) != 0:
                        spikes += evolve_longs(neuron, states, terms, params, constants, memory,
                                                steps, first_step, at_first, row, first, lanes,
                                                dst, prepared)  # fmt: skip
                    else:
                        spikes += evolve_ints(neuron, states, terms, params, constants, memory,
                                               steps, first_step, at_first, row, first, lanes,
                                               dst, prepared)  # fmt: skip
                elif kind == f.WIDEN:
                    widen(record(linears, what, f.L_SIZE), params, constants, memory, steps,
                           first_step != 0, row, first, lanes, registers, dst,
                           cell(op, f.O_ADD))  # fmt: skip
                elif kind == f.FIRE_WIDE:
                    spikes += fire_longs(record(neurons, what, f.N_SIZE), params, constants, memory,
                                          steps, first_step, at_first, row, first, lanes,
                                          dst)  # fmt: skip
                elif kind == f.MASK:
                    mask(record(masks, what, f.M_SIZE), memory, steps, at_first, row, first, lanes,
                          dst)  # fmt: skip
                elif kind == f.HOLD:
                    hold(record(delays, what, f.D_SIZE), memory, constants, first_step, at_first,
                          steps)  # fmt: skip
                elif kind == f.KEEP:
                    keep(record(delays, what, f.D_SIZE), memory, steps)
                elif kind == f.SUM:
                    source = registers + size * what
                    for s in range(steps):
                        step = 4 * f.TILE * s
                        for lane in range(0, lanes, 16):
                            value = v.load32(source + step + 4 * lane)
                            put(
                                dst + step + 4 * lane, value, cell(op, f.O_SHIFT), cell(op, f.O_ADD)
                            )
                else:
                    for s in range(steps):
                        at = at_first + s
                        if kind == f.LOAD:
                            access = record(accesses, what, f.A_SIZE)
                            load(access, memory, at, row, first, lanes, op, dst, constants)
                        elif kind == f.STORE:
                            access = record(accesses, what, f.A_SIZE)
                            store(access, memory, at, row, first, lanes, dst, constants)
                        else:
                            gain = record(gains, what, f.G_SIZE)
                            scale(gain, constants, first_step + s, row, first, lanes, dst)
                        dst += 4 * f.TILE
            lists += 8 * part_count * steps
        first += cell(unit, f.U_TILE)
    return spikes


@compiled
def loop(units: Any, first_unit: Any, tables: Any, constants: Any, memory: Any, pixels: Any,
          scratch: Any, counts: Any, first_step: Any, last_step: Any) -> None:  # fmt: skip
    """Computes the units of a loop, one after another at every step."""
    last_unit = first_unit + cell(record(units, first_unit, f.U_SIZE), f.U_LOOP)
    for step in range(first_step, last_step):
        for u in range(first_unit, last_unit):
            unit = record(units, u, f.U_SIZE)
            row, spikes = np.int64(0), np.int64(0)
            while row < cell(unit, f.U_ROWS):
                last_row = min(row + cell(unit, f.U_BLOCK), cell(unit, f.U_ROWS))
                spikes += rows(
                    unit, tables, constants, memory, pixels, scratch, row, last_row, step,
                    step + 1, first_step,
                )  # fmt: skip
                row = last_row
            v.store64(counts + 8 * u, v.read64(counts + 8 * u) + spikes)


@compiled
def wait_for_all(counter: Any, goal: Any) -> None:
    """Returns when as many threads have come here, all visits counted."""
    v.take(counter, np.int64(1))
    while v.look(counter) < goal:
        v.rest()


def run_units(
    units: Any,
    addresses: Any,
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
        addresses: int64 [10], of the tables: parts, ops, accesses, gains, constants of neurons,
            populations, delays, neurons of several states, their states, terms of these.
        constants: address of the plan's constants.
        memory: address of the working memory.
        pixels: address of the image.
        scratch: address of this thread's own memory.
        counters: address of int64 [1 + units], zero before: threads that have come, rows taken.
        counts: int64 [populations]: spikes are added; of this thread alone.
        first_unit: the first to run.
        last_unit: the one after the last. A loop is run as a whole, as its first unit; one thread
            computes it.
        threads: how many call this with the same units.
        first_step: the first step. Units that are the same at every step run when it is 0.
        last_step: the one after the last.
    """
    tables = (
        v.read64(addresses), v.read64(addresses + 8), v.read64(addresses + 16),
        v.read64(addresses + 24), v.read64(addresses + 32), v.read64(addresses + 40),
        v.read64(addresses + 48), v.read64(addresses + 56), v.read64(addresses + 64),
        v.read64(addresses + 72), v.read64(addresses + 80), v.read64(addresses + 88),
    )  # fmt: skip
    goal = np.int64(0)
    for u in range(first_unit, last_unit):
        unit = record(units, u, f.U_SIZE)
        from_step, to_step = first_step, last_step
        if cell(unit, f.U_CONSTANT) != 0:
            from_step, to_step = np.int64(0), np.int64(first_step == 0)
        spikes = np.int64(0)
        if cell(unit, f.U_LOOP) != 0:
            if cell(unit, f.U_LOOP) > 0 and v.take(counters + 8 * (u + 1), np.int64(1)) == 0:
                loop(units, u, tables, constants, memory, pixels, scratch, counts, from_step,
                      to_step)  # fmt: skip
            to_step = from_step
        while to_step > from_step:
            first_row = v.take(counters + 8 * (u + 1), cell(unit, f.U_BLOCK))
            if first_row >= cell(unit, f.U_ROWS):
                break
            last_row = min(first_row + cell(unit, f.U_BLOCK), cell(unit, f.U_ROWS))
            spikes += rows(
                unit, tables, constants, memory, pixels, scratch, first_row, last_row,
                from_step, to_step, from_step,
            )  # fmt: skip
        v.store64(counts + 8 * u, v.read64(counts + 8 * u) + spikes)
        if threads > 1:
            goal += threads
            wait_for_all(counters, goal)
