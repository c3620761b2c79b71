"""Bits of leaks near 1, chosen by what they do to the response, as those of complex poles are."""

from collections.abc import Sequence

import numpy as np

from snncc.passes.named import Named
from snncc.quantize.neuron_bits import bits_of
from snncc.quantize.poles import TARGET, Real, response_error


def leak_bits(leaks: Sequence[Named], steps: int, tried: range) -> tuple[int, float]:
    """The fewest bits with which every response is as near as `TARGET`, else the most; its error.

    Leaks of a few bits are exact, and those beyond 1 no response that ends: neither is asked. One
    inside the unit circle stays there: its error is infinite where it is rounded to 1.

    Args:
        leaks: of the states of a neuron.
        steps: T.
        tried: bits behind the point, at least one.
    """
    near = [np.ravel(each.array) for each in leaks if bits_of(each) is None]
    values = np.concatenate(near) if near else np.zeros(0)
    values = values[np.abs(values) < 1.0]
    bits, error = tried[0], 0.0
    for bits in tried:
        error = float(_errors(values, bits, steps).max(initial=0.0))
        if error <= TARGET:
            break
    return bits, error


def _errors(values: Real, bits: int, steps: int) -> Real:
    kept = np.rint(values * 2.0**bits)
    near, wanted = (np.asarray(each, np.complex128) for each in (kept * 2.0**-bits, values))
    found = response_error(near, wanted, steps)
    return np.where(np.abs(kept) < 2.0**bits, found, np.inf)
