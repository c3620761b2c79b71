"""A real decay in integers: a shift, an exact division by a constant, or a close fraction."""

from dataclasses import replace

from snncc.ir import Context, ValueType
from snncc.ir.dialects.integer import IntegerPopulation
from snncc.ir.op import WIDEST, TypeRuleError
from snncc.passes.measure_decays_by_step import is_exact_in_integers

DECAY_BITS = 12
"""A decay that is no 1/m becomes a multiple of 2^-12, as on Loihi."""
MOST_DECAY_BITS = 24
FINER = 4
"""Bits beyond those with which a decay near 1 is not yet 1."""
ROOM = 4
"""How far beyond the approximate membrane's interval the division must be exact."""


def with_decay(
    op: IntegerPopulation, decay: float, current: ValueType, context: Context
) -> tuple[IntegerPopulation, str]:
    """The population with a decay, and what to tell about it.

    2^-k is a shift. 1/m is floor(V / m), exact for every V that the membrane can take, as one
    multiplication by a constant and a shift (shifted additions). Others are the nearest multiple of
    2^-12, or of a finer one where that would be 1: a membrane that forgets does not become a sum.
    """
    for shift in range(DECAY_BITS + 1):
        if decay * 2**shift == 1.0:
            return replace(op, decay=(1, shift)), ""
    if decay == 0.0:
        return replace(op, decay=(0, 0)), ""
    bits = _bits(decay)
    factor = round(decay * 2**bits)
    near = replace(op, decay=(factor, bits))
    if is_exact_in_integers(decay):
        divisor = round(1.0 / decay)
        reach = ROOM * max(map(abs, near.membrane_range(current, context)))
        found = division(divisor, reach)
        if found is not None:
            factor, shift, offset = found
            exact = replace(op, decay=(factor, shift), decay_offset=offset)
            if _stays_within(exact, reach, current, context):
                return exact, f"decay 1/{divisor} is exact for membranes within +-{reach}"
    factor, bits = near.decay
    error = abs(factor / 2**bits - decay)
    text = f"decay {decay:.6g} is {factor}/2^{bits}, {error:.2g} away"
    lost = decay < 1.0 and factor == 1 << bits
    return near, f"{text}: its membrane no longer forgets" if lost else text


def _bits(decay: float) -> int:
    """Behind the point of a decay that is near: more where it would be rounded to 1."""
    bits = DECAY_BITS
    while decay < 1.0 and round(decay * 2**bits) == 1 << bits and bits < MOST_DECAY_BITS:
        bits += 1
    return bits if bits == DECAY_BITS else min(MOST_DECAY_BITS, bits + FINER)


def is_near(op: IntegerPopulation, decay: float) -> bool:
    """Whether a population's decay is a fraction close to the wanted one, and not exact."""
    bits = _bits(decay)
    factor = round(decay * 2**bits)
    return op.decay == (factor, bits) and factor != decay * 2**bits


def _stays_within(op: IntegerPopulation, reach: int, current: ValueType, context: Context) -> bool:
    try:
        return max(map(abs, op.membrane_range(current, context))) <= reach
    except TypeRuleError:  # its leak would need too many bits
        return False


def division(m: int, reach: int) -> tuple[int, int, int] | None:
    """(p, k, c) with (p * v + c) >> k = floor(v / m) for every |v| <= reach, or None.

    With p m = 2^k + e and v = q m + r: m (p v + c) = 2^k (q m + r) + e v + c m. The floor is q iff
    0 <= 2^k r + e v + c m < 2^k m for every r in 0..m-1, which holds if c m >= e reach and
    e reach + c m < 2^k (compare division by invariant integers, Granlund and Montgomery 1994).
    """
    for k in range(m.bit_length(), WIDEST):
        p = -(-(1 << k) // m)
        e = p * m - (1 << k)
        c = -(-e * reach // m)
        if (p * reach + c).bit_length() >= WIDEST - 1:
            return None
        if e * reach + c * m < 1 << k:
            return p, k, c
    return None
