"""Compiled loops of the simulator: integers only, work proportional to spikes.

Every array is contiguous. Sums of integers are exact in any order, so these give the bits of the
interpreter. Threads share rows, never an element of a result.
"""

from collections.abc import Callable
from typing import Any, TypeVar, cast

import numba as nb
import numpy as np

from snncc.runtime.numba_cache import may_cache

Kernel = TypeVar("Kernel", bound=Callable[..., None])
BLOCK = 1024
"""Elements of a gain at a time: their sums stay in the first-level cache."""


def _compiled(function: Kernel) -> Kernel:
    """Compiles on first use; the code is cached where this user, and nobody else, can write."""
    options: dict[str, Any] = {"nogil": True, "fastmath": False, "boundscheck": False}
    cached = may_cache(function)
    return cast("Kernel", nb.njit(parallel=True, cache=cached, **options)(function))


@_compiled
def contract_events(source: Any, weight: Any, out: Any) -> None:
    """Adds, for every active input, its weight row.

    Args:
        source: uint8 [rows, again, inputs, inner]; zero means silent.
        weight: [inputs, outputs].
        out: int32 or int64 [rows, outputs, inner]; overwritten.
    """
    rows, again, inputs, inner = source.shape
    outputs = weight.shape[1]
    for r in nb.prange(rows):
        out[r] = 0
        if inner == 1:
            target = out[r, :, 0]
            for a in range(again):
                for k in range(inputs):
                    if source[r, a, k, 0] != 0:
                        for o in range(outputs):
                            target[o] += weight[k, o]
        else:
            for a in range(again):
                for k in range(inputs):
                    for i in range(inner):
                        if source[r, a, k, i] != 0:
                            for o in range(outputs):
                                out[r, o, i] += weight[k, o]


@_compiled
def convolve_events(
    source: Any, weight: Any, out: Any, stride: Any, padding: Any, dilation: Any
) -> None:
    """Scatters, for every active pixel, its weight rows to the positions that see it.

    Args:
        source: uint8 [images, height, width, channels].
        weight: [groups, channels of a group, kernel height, kernel width, outputs of a group].
        out: int32 or int64 [images, height', width', groups * outputs of a group]; overwritten.
        stride: two ints. Scalars, like the next two, so that no address depends on memory.
        padding: two ints.
        dilation: two ints.
    """
    images, height, width, _ = source.shape
    groups, inputs, kh, kw, outputs = weight.shape
    rows, columns = out.shape[1], out.shape[2]
    for n in nb.prange(images):
        out[n] = 0
        for y in range(height):
            for x in range(width):
                for g in range(groups):
                    for c in range(inputs):
                        if source[n, y, x, g * inputs + c] == 0:
                            continue
                        for p in range(kh):
                            top = y + padding[0] - p * dilation[0]
                            if top < 0 or top % stride[0] != 0 or top // stride[0] >= rows:
                                continue
                            for q in range(kw):
                                left = x + padding[1] - q * dilation[1]
                                if left < 0 or left % stride[1] != 0:
                                    continue
                                if left // stride[1] >= columns:
                                    continue
                                target = out[n, top // stride[0], left // stride[1]]
                                row = weight[g, c, p, q]
                                for o in range(outputs):
                                    target[g * outputs + o] += row[o]


@_compiled
def fire(
    current: Any,
    threshold: Any,
    bias: Any,
    polarity: Any,
    digits: Any,
    rules: Any,
    spikes: Any,
    membranes: Any,
) -> None:
    """Updates neurons over all steps; the membrane stays in a register.

    Args:
        current: [batch, steps or 1, neurons]; one step stands for all.
        threshold: int64 [steps or 1, neurons], as the next two.
        bias: what is added at every step.
        polarity: -1, 0 or 1.
        digits: int8 [powers], the decay factor as sum(digits[k] << k), each -1, 0 or 1.
        rules: int64 (decay shift, 1 for soft reset, 1 for compare >, decay offset, 1 for a leak
            toward zero).
        spikes: uint8 [batch, steps, neurons]; overwritten.
        membranes: int64 [batch, steps, neurons] or [0, 0, 0] when they are not kept.
    """
    batch, steps, neurons = spikes.shape
    shift, soft, strict, offset, toward_zero = rules[0], rules[1], rules[2], rules[3], rules[4]
    plain = digits.shape[0] == 1  # the factor is 1: nothing to add up
    keep = membranes.shape[0] > 0
    static = current.shape[1] == 1
    for b in nb.prange(batch):
        state = np.zeros(neurons, np.int64)
        for t in range(steps):
            step = 0 if static else t
            limits = threshold[t if threshold.shape[0] > 1 else 0]
            shifts = bias[t if bias.shape[0] > 1 else 0]
            signs = polarity[t if polarity.shape[0] > 1 else 0]
            for i in range(neurons):
                mirrored = state[i] < 0 if toward_zero else strict != 0
                v = -state[i] if mirrored else state[i]
                scaled = offset
                if plain:
                    scaled += v
                else:
                    for k in range(digits.shape[0]):
                        if digits[k] > 0:
                            scaled += v << k
                        elif digits[k] < 0:
                            scaled -= v << k
                leaked = -(scaled >> shift) if mirrored else scaled >> shift
                x = np.int64(current[b, step, i])
                sign = signs[i]
                x = x if sign > 0 else (-x if sign < 0 else np.int64(0))
                level = leaked + x + shifts[i]
                limit = limits[i]
                spike = level > limit if strict else level >= limit
                spikes[b, t, i] = spike
                if keep:
                    membranes[b, t, i] = level
                if spike:
                    state[i] = level - limit if soft else 0
                else:
                    state[i] = level


@_compiled
def scale(source: Any, shifts: Any, signs: Any, shift: Any, out: Any) -> None:
    """Multiplies by constants as shifted additions, rounds to nearest and shifts right.

    Args:
        source: int32 or int64 [rows, elements].
        shifts: int8 [terms, elements], the powers of two of each element's constant.
        signs: int8 [terms, elements], 1, -1, or 0 for a term that an element does not have.
        shift: int, the right shift.
        out: int32 or int64 [rows, elements]; overwritten.
    """
    rows, elements = source.shape
    half = (np.int64(1) << shift) >> 1
    for r in nb.prange(rows):
        total = np.empty(BLOCK, np.int64)
        for start in range(0, elements, BLOCK):
            x = source[r, start : start + BLOCK]
            size = x.shape[0]
            total[:] = half
            for term in range(shifts.shape[0]):
                powers, sides = (
                    shifts[term, start : start + size],
                    signs[term, start : start + size],
                )
                for i in range(size):
                    moved = np.int64(x[i]) << np.int64(powers[i])
                    total[i] += moved if sides[i] > 0 else (-moved if sides[i] < 0 else np.int64(0))
            y = out[r, start : start + size]
            for i in range(size):
                y[i] = total[i] >> shift


@_compiled
def scale_groups(source: Any, shifts: Any, signs: Any, shift: Any, out: Any) -> None:
    """Like `scale`, for constants that neighbouring elements share.

    Args:
        source: int32 or int64 [rows, groups, inner].
        shifts: int8 [terms, groups], the powers of two of each group's constant.
        signs: int8 [terms, groups], 1, -1, or 0 for a term that a group does not have.
        shift: int, the right shift.
        out: int32 or int64 [rows, groups, inner]; overwritten.
    """
    rows, groups, inner = source.shape
    half = (np.int64(1) << shift) >> 1
    for r in nb.prange(rows):
        total = np.empty(inner, np.int64)
        for g in range(groups):
            total[:] = half
            for term in range(shifts.shape[0]):
                power, sign = np.int64(shifts[term, g]), signs[term, g]
                if sign > 0:
                    for i in range(inner):
                        total[i] += np.int64(source[r, g, i]) << power
                elif sign < 0:
                    for i in range(inner):
                        total[i] -= np.int64(source[r, g, i]) << power
            for i in range(inner):
                out[r, g, i] = total[i] >> shift
