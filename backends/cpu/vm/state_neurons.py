"""Neurons of several states in vector registers; see `IntegerNeuron` for the equations.

One source, made twice: for registers of 32 and of 64 bits. Products with constants are shifted
additions. A step's numbers lie in slots of 16 lanes, in the first-level cache.
"""

from typing import Any

import numpy as np

from snncc.backends.cpu import fields as f
from snncc.backends.cpu.vm import vectors as v
from snncc.backends.cpu.vm.sums import compiled
from snncc.backends.cpu.vm.vectors import cell, record

GROUP = f.GROUP


def _made(size: int) -> Any:
    """The kernel for numbers of so many bytes."""
    same = v.ints if size == 4 else v.longs
    load = v.load32 if size == 4 else v.load64
    widened = v.load32 if size == 4 else v.load32_longs
    store = v.store32 if size == 4 else v.store64
    slot, top = 16 * size, 8 * size - 1

    @compiled
    def constant(tables: Any, number: Any, constants: Any, step: Any, row: Any, lane: Any) -> Any:
        """16 lanes of a constant."""
        table = record(tables, number, f.C_SIZE)
        place = constants + cell(table, f.C_ADDRESS) + step * cell(table, f.C_STEP)
        place += row * cell(table, f.C_ROW)
        if cell(table, f.C_LANES) != 0:
            return load(place + size * lane)
        return same(v.read64(place) if size == 8 else v.read32(place))

    @compiled
    def sum_of(terms: Any, begin: Any, count: Any, constants: Any, slots: Any, row: Any,
                lane: Any) -> Any:  # fmt: skip
        """Terms added up."""
        zero = same(np.int64(0))
        total = zero
        for number in range(begin, begin + count):
            term = record(terms, number, f.T_SIZE)
            x = load(slots + slot * cell(term, f.T_SLOT))
            place = constants + cell(term, f.T_DIGITS)
            for _ in range(cell(term, f.T_COUNT)):
                moved = v.shift_left(x, same(v.read8(place)))
                adds = v.read8(place + 1) > 0
                total = v.add(total, moved) if adds else v.sub(total, moved)
                place += 2
            if cell(term, f.T_COUNT) < 0:
                low, high = cell(term, f.T_LOW), cell(term, f.T_HIGH)
                bits = widened(place + row * cell(term, f.T_ROW) + 4 * lane)
                bits = v.shift_left(bits, same(top - high))  # its sign is the highest bit of all
                product = v.sub(zero, v.select(v.above(zero, bits), x, zero))
                for _ in range(low, high):
                    bits, product = v.add(bits, bits), v.add(product, product)
                    product = v.add(product, v.select(v.above(zero, bits), x, zero))
                total = v.add(total, v.shift_left(product, same(low)))
        return total

    @compiled
    def shifted(total: Any, carry: Any, shift: Any, up: Any) -> Any:
        """A sum without its lowest bits: rounded down, or up."""
        if up != 0:
            zero = same(np.int64(0))
            return v.sub(zero, v.shift_right(v.sub(same(carry), total), same(shift)))
        return v.shift_right(v.add(total, same(carry)), same(shift))

    @compiled
    def level(state: Any, up: Any, terms: Any, tables: Any, constants: Any, step: Any, row: Any,
               lane: Any, slots: Any, spiked: Any) -> Any:  # fmt: skip
        """A state before the comparison."""
        zero = same(np.int64(0))
        total = sum_of(terms, cell(state, f.S_LEVEL), cell(state, f.S_LEVELS), constants, slots,
                        row, lane)  # fmt: skip
        u = shifted(total, cell(state, f.S_CARRY), cell(state, f.S_SHIFT), up)
        number = cell(state, f.S_BIAS)
        if number >= 0:
            u = v.add(u, constant(tables, number, constants, step, row, lane))
        number = cell(state, f.S_LATE)
        if number >= 0:
            late = constant(tables, number, constants, np.int64(0), row, lane)
            u = v.sub(u, v.select(v.above(spiked, zero), late, zero))
        if cell(state, f.S_SWALLOW) != 0:
            u = v.select(v.above(spiked, zero), zero, u)
        number = cell(state, f.S_FLOOR)
        if number >= 0:
            least = constant(tables, number, constants, np.int64(0), row, lane)
            u = v.select(v.above(least, u), least, u)
        return u

    @compiled
    def after(state: Any, up: Any, terms: Any, tables: Any, constants: Any, row: Any, lane: Any,
               slots: Any, u: Any, flags: Any) -> Any:  # fmt: skip
        """A state after the comparison."""
        left = u
        count = cell(state, f.S_RESETS)
        if count >= 0:
            total = sum_of(terms, cell(state, f.S_RESET), count, constants, slots, row, lane)
            reset = shifted(total, np.int64(0), cell(state, f.S_RESET_SHIFT), up)
            number = cell(state, f.S_AMOUNT)
            if number >= 0:
                amount = constant(tables, number, constants, np.int64(0), row, lane)
                reset = v.sub(reset, amount)
            left = v.select(flags, reset, u)
        number = cell(state, f.S_LOW)
        if number >= 0:
            least = constant(tables, number, constants, np.int64(0), row, lane)
            left = v.select(v.above(least, left), least, left)
        return left

    @compiled
    def evolve(neuron: Any, states: Any, terms: Any, tables: Any, constants: Any, memory: Any,
                steps: Any, first_step: Any, at: Any, row: Any, first: Any, lanes: Any,
                currents: Any, slots: Any) -> Any:  # fmt: skip
        """The neurons take the currents of all steps; returns how many spikes there are.

        The first of these steps lies in memory as number `at`. What never fires leaves its form in
        place of its currents.
        """
        n, up = cell(neuron, f.Q_STATES), cell(neuron, f.Q_UP)
        own = record(states, cell(neuron, f.Q_STATE), f.S_SIZE)
        fires, remembers = cell(neuron, f.Q_THRESHOLD) >= 0, cell(neuron, f.Q_REMEMBERS) != 0
        spikes = memory + cell(neuron, f.Q_SPIKES) + row * cell(neuron, f.Q_SPIKES_ROW)
        spikes += at * cell(neuron, f.Q_SPIKES_STEP)
        recorded = memory + cell(neuron, f.Q_RECORD) + row * cell(neuron, f.Q_RECORD_ROW)
        recorded += at * cell(neuron, f.Q_RECORD_STEP)
        kept = memory + cell(neuron, f.Q_KEPT) + row * cell(neuron, f.Q_KEPT_ROW)
        keeps = cell(neuron, f.Q_KEPT) >= 0
        zero, one = same(np.int64(0)), same(np.int64(1))
        total = np.int64(0)
        before = slots + slot * (n + 1)
        for part in range(0, (lanes + GROUP - 1) & ~(GROUP - 1), 16):
            lane, spiked = first + part, zero
            for i in range(n):
                start = cell(record(own, i, f.S_SIZE), f.S_START)
                if keeps and first_step > 0:
                    old = load(kept + i * cell(neuron, f.Q_KEPT_SLOT) + size * lane)
                elif start >= 0:
                    old = constant(tables, start, constants, np.int64(0), row, lane)
                else:
                    old = zero
                store(before + slot * i, old)
            if keeps and first_step > 0 and remembers:
                spiked = load(kept + n * cell(neuron, f.Q_KEPT_SLOT) + size * lane)
            inside = np.int64(0xFFFF)
            if lanes - part < 16:
                inside = (np.int64(1) << max(lanes - part, np.int64(0))) - 1
            for s in range(steps):
                current = currents + 4 * f.TILE * s + 4 * part
                store(slots, widened(current))
                for i in range(n):
                    state = record(own, i, f.S_SIZE)
                    store(slots + slot * (i + 1),
                          level(state, up, terms, tables, constants, first_step + s, row, lane,
                                 slots, spiked))  # fmt: skip
                form = sum_of(terms, cell(neuron, f.Q_FORM), cell(neuron, f.Q_FORMS), constants,
                               slots, row, lane)  # fmt: skip
                if cell(neuron, f.Q_RECORD) >= 0:
                    place = recorded + s * cell(neuron, f.Q_RECORD_STEP)
                    if cell(neuron, f.Q_RECORD_BYTES) == size:
                        store(place + size * lane, form)
                    else:
                        v.store32(place + 4 * lane, form)
                flags = v.above(zero, zero)
                if fires:
                    threshold = constant(tables, cell(neuron, f.Q_THRESHOLD), constants,
                                          first_step + s, row, lane)  # fmt: skip
                    flags = v.above(form, threshold) if up != 0 else v.at_least(form, threshold)
                    word = v.bits_of(flags) & inside
                    v.store16(spikes + s * cell(neuron, f.Q_SPIKES_STEP) + (lane >> 3), word)
                    total += v.ones_in(word)
                    spiked = v.select(flags, one, zero)
                else:
                    v.store32(current, form)
                for i in range(n):
                    state = record(own, i, f.S_SIZE)
                    u = load(slots + slot * (i + 1))
                    store(before + slot * i,
                          after(state, up, terms, tables, constants, row, lane, slots, u,
                                 flags))  # fmt: skip
            if keeps:
                for i in range(n):
                    place = kept + i * cell(neuron, f.Q_KEPT_SLOT) + size * lane
                    store(place, load(before + slot * i))
                if remembers:
                    store(kept + n * cell(neuron, f.Q_KEPT_SLOT) + size * lane, spiked)
        if fires and ((first + lanes + 31) >> 5) & 1 != 0:
            place = spikes + 4 * ((first + lanes + 31) >> 5)  # the row's words are of 64 bits
            for s in range(steps):
                v.store32(place + s * cell(neuron, f.Q_SPIKES_STEP), np.int64(0))
        return total

    return evolve


evolve_ints = _made(4)
evolve_longs = _made(8)
