"""Populations: how they leak, fire and reset, and how far their membranes go."""

from dataclasses import dataclass

import numpy as np

from snncc.checker.program_file import Array, Json, natural, require
from snncc.checker.values import (
    WIDEST,
    Found,
    Interval,
    NodeRecord,
    Value,
    bits,
    blocks,
    digits,
    ends,
    narrow,
    statement,
)


@dataclass(frozen=True)
class Law:
    """leak(V) = (factor * V + carry) >> shift; reset; comparison.

    The leak rounds down where `way` is 1, up where it is -1, toward zero where it is 0.
    """

    factor: int
    shift: int
    carry: int
    soft: bool
    at_least: bool
    way: int

    def leak(self, v: Array) -> Array:
        way = self.way or np.where(v < 0, -1, 1)
        return way * ((self.factor * way * v + self.carry) >> self.shift)


def population(site: NodeRecord) -> Found:
    source, field = site.source("current"), site.fields
    law = law_of(field)
    low, high = field["membrane"]
    require(type(low) is int and type(high) is int, "the membrane's width is no interval")
    narrow("the membrane", low, high)
    reached = membrane(site, source, law)
    fits = low <= reached[0] and reached[1] <= high
    require(fits, f"the membrane reaches {reached}, its width holds {low}..{high}")
    require_leak(law, low, high)
    value = Value("spike", source.timed(site.steps).axes, (0, 1))
    both = {"declared": [low, high], "reached": [*reached]}
    words = "shift add compare select" if law.shift else "add compare select"
    return value, statement("leak-by-shift", words, digits(np.array(law.factor)), membrane=both)


def law_of(field: Json) -> Law:
    factor, shift = field["decay"]
    shift = natural(shift, 0, WIDEST - 1)
    require(natural(factor) <= 1 << shift, "the decay is outside [0, 1]")
    carry = natural(field["decay_offset"])
    require(carry < 1 << shift, "the decay's offset is a whole step")
    require(field["reset"] in ("hard", "soft") and field["compare"] in ("ge", "gt"), "unknown rule")
    require(field["rounding"] in ("floor", "zero"), "unknown rounding")
    soft, at_least = field["reset"] == "soft", field["compare"] == "ge"
    way = 0 if field["rounding"] == "zero" else 1 if at_least else -1
    return Law(factor, shift, carry, soft, at_least, way)


def require_leak(law: Law, *levels: int) -> None:
    widest = max(map(abs, levels)) * max(1, law.factor) + law.carry
    require(bits((-widest, widest)) <= WIDEST, "the leak is too wide")


def membrane(site: NodeRecord, source: Value, law: Law) -> Interval:
    """Everything that a membrane can be in T steps from 0, before and after the reset.

    Z = leak(V) + polarity * (X + offset) + bias. What of it does not fire stays; what fires becomes
    0 (hard) or Z - threshold (soft).
    """
    every = (("t", site.steps), *source.rest)
    fields = [site.over(key, every).astype(np.int64) for key in ("threshold", "bias", "offset")]
    signs = site.over("polarity", every, 1).astype(np.int64)
    require(set(np.unique(signs).tolist()) <= {-1, 0, 1}, "a polarity is not -1, 0 or 1")
    offset = fields[2]
    low, high = source.interval[0] + int(offset.min()), source.interval[1] + int(offset.max())
    narrow("a current with its offset", low, high)
    found = [reached(part, source.interval, law, site.steps) for part in blocks([*fields, signs])]
    return min(low for low, _ in found), max(high for _, high in found)


def reached(arrays: list[Array], current: Interval, law: Law, steps: int) -> Interval:
    """The same for some of the neurons; 64 bits hold every number, or the program is rejected."""
    found = [0]
    low = high = np.zeros((1,) * (arrays[0].ndim - 1), np.int64)
    for t in range(steps):
        threshold, bias, offset, sign = (a[t if len(a) > 1 else 0] for a in arrays)
        push = [sign * (end + offset) + bias + 0 * threshold for end in current]
        last = threshold - 1 if law.at_least else threshold  # the highest level that does not fire
        low = law.leak(low) + np.minimum(*push)
        high = law.leak(high) + np.maximum(*push)
        found += [*ends(low), *ends(high)]
        narrow("the membrane", *found[-4:])
        soft = np.maximum(low, last + 1) - threshold, high - threshold
        fired = soft if law.soft else (0 * low, 0 * low)
        stays = np.where(low <= last, (low, np.minimum(high, last)), fired)
        goes = np.where(high > last, fired, stays)
        low, high = np.minimum(stays[0], goes[0]), np.maximum(stays[1], goes[1])
        found += [*ends(low), *ends(high)]
        require_leak(law, *found[-4:])
    return min(found), max(found)
