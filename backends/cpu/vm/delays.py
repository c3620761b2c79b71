"""Delays: steps of a value copied as they lie, what was read last kept between calls."""

from typing import Any

from snncc.backends.cpu import fields as f
from snncc.backends.cpu.vm import vectors as v
from snncc.backends.cpu.vm.sums import compiled
from snncc.backends.cpu.vm.vectors import cell


@compiled
def copy(source: Any, target: Any, size: Any) -> None:
    """So many bytes, an even number; ascending, so that a target before its source may overlap."""
    for at in range(0, size & ~7, 8):
        v.store64(target + at, v.read64(source + at))
    for at in range(size & ~7, size, 2):
        v.store16(target + at, v.read16(source + at))


@compiled
def hold(delay: Any, memory: Any, constants: Any, first_step: Any, at: Any, steps: Any) -> None:
    """What was read D_STEPS before each of some steps, of which the first lies as number `at`.

    Earlier steps than lie in memory are in the past that was kept; what stands before the first
    step of all is a constant.
    """
    size, back, past = cell(delay, f.D_BYTES), cell(delay, f.D_STEPS), cell(delay, f.D_PAST)
    source, target = memory + cell(delay, f.D_SOURCE), memory + cell(delay, f.D_TARGET)
    start = constants + cell(delay, f.D_START)
    if past >= 0 and first_step == 0:
        place = memory + past
        for _ in range(back):
            copy(start, place, size)
            place += size
    for s in range(at, at + steps):
        to = target + s * cell(delay, f.D_TARGET_STEP)
        if s >= back:
            copy(source + (s - back) * cell(delay, f.D_SOURCE_STEP), to, size)
        elif past >= 0:
            copy(memory + past + s * size, to, size)
        else:
            copy(start, to, size)


@compiled
def keep(delay: Any, memory: Any, steps: Any) -> None:
    """After some steps, which lie first in memory: the last D_STEPS that were read stay."""
    past = cell(delay, f.D_PAST)
    if past < 0:
        return
    size, back, place = cell(delay, f.D_BYTES), cell(delay, f.D_STEPS), memory + past
    for k in range(back):
        if k + steps < back:
            copy(place + k * size + steps * size, place + k * size, size)
        else:
            step = k + steps - back
            source = memory + cell(delay, f.D_SOURCE) + step * cell(delay, f.D_SOURCE_STEP)
            copy(source, place + k * size, size)
