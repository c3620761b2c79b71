"""Value domains: which numbers an edge can carry, and how arithmetic moves them.

A domain is an interval and, for the discrete kinds, the step between neighbours: a mean of four
spikes is `count 0..4 x 0.25`. The step of a discrete domain is a constant of the program, so it can
be folded into whatever reads the value; what is left are integers.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

import numpy as np

from snncc.ir import Array

UNBOUNDED = math.inf


class Values(StrEnum):
    """Kinds of numbers, from the cheapest to read to the dearest."""

    BIT = "bit"  # 0 or 1
    TERNARY = "ternary"  # -1, 0 or 1
    COUNT = "count"  # 0..k
    INTEGER = "integer"  # lo..hi
    FRAME = "pixel"  # an element of what enters, possibly normalised by constants
    CURRENT = "current"  # a sum of bits, pixels or integers, each times a constant
    REAL = "real"  # any other number: an activation


_ORDER = list(Values)


@dataclass(frozen=True, slots=True)
class Domain:
    """The numbers that the elements of one value can be.

    Attributes:
        values: what kind they are.
        low, high: closed interval around every element, in the value's own units.
        step: distance of neighbouring numbers; 0 where they lie on no known grid.
    """

    values: Values
    low: float
    high: float
    step: float = 0.0

    @property
    def discrete(self) -> bool:
        """Whether every element is an integer times `step`."""
        return self.values in (Values.BIT, Values.TERNARY, Values.COUNT, Values.INTEGER)

    @property
    def binary(self) -> bool:
        """Whether every element is 0 or one constant: a bit that reads as a selection."""
        return self.discrete and self.low == 0 and self.high == self.step

    @property
    def selects(self) -> bool:
        """Whether a product with it is a selection, possibly negated."""
        return self.discrete and max(-self.low, self.high) <= self.step

    @property
    def bits(self) -> int:
        """Bits of the integer, sign included; 0 where it is on no grid."""
        if not self.discrete:
            return 0
        low, high = round(self.low / self.step), round(self.high / self.step)
        return max((~low).bit_length() + 1 if low < 0 else 0, high.bit_length() + (low < 0))

    def __str__(self) -> str:
        match self.values:
            case Values.BIT | Values.TERNARY:
                return self.values.value
            case Values.FRAME:
                whole = self.step == 1 and (self.low, self.high) != (0, 255)
                return f"count {self.low:g}..{self.high:g}" if whole else self.values.value
            case Values.COUNT | Values.INTEGER:
                low, high = round(self.low / self.step), round(self.high / self.step)
                factor = "" if self.step == 1 else f" x {self.step:.6g}"
                return f"{self.values.value} {low}..{high}{factor}"
            case _:
                if math.isinf(self.low) and math.isinf(self.high):
                    return self.values.value
                return f"{self.values.value} {self.low:.6g}..{self.high:.6g}"


BIT = Domain(Values.BIT, 0, 1, 1)
ANY_REAL = Domain(Values.REAL, -UNBOUNDED, UNBOUNDED)
ANY_CURRENT = Domain(Values.CURRENT, -UNBOUNDED, UNBOUNDED)


def integers(low: float, high: float, step: float = 1) -> Domain:
    """The multiples of `step` between two bounds, by the narrowest name."""
    if step == 1 and low >= -1 and high <= 1:
        return BIT if low >= 0 else Domain(Values.TERNARY, -1, 1, 1)
    return Domain(Values.COUNT if low >= 0 else Values.INTEGER, low, high, step)


def real(low: float, high: float) -> Domain:
    return Domain(Values.REAL, low, high)


def current(low: float, high: float) -> Domain:
    return Domain(Values.CURRENT, low, high)


def hull(domains: Sequence[Domain]) -> Domain:
    """The smallest domain around several: what a concat, a selection or a maximum gives."""
    low, high = min(d.low for d in domains), max(d.high for d in domains)
    steps = {d.step for d in domains}
    if all(d.discrete for d in domains) and len(steps) == 1:
        return integers(low, high, steps.pop())
    if all(d.values is Values.FRAME for d in domains):
        return Domain(Values.FRAME, low, high, steps.pop() if len(steps) == 1 else 0.0)
    return _mixed(domains, low, high)


def with_zeros(domain: Domain) -> Domain:
    """The smallest domain around one and 0."""
    low, high = min(domain.low, 0), max(domain.high, 0)
    if domain.discrete:
        return integers(low, high, domain.step)
    return replace(domain, low=low, high=high)


def total(domains: Sequence[Domain]) -> Domain:
    """The domain of a sum with one element of each."""
    low, high = sum(d.low for d in domains), sum(d.high for d in domains)
    steps = {d.step for d in domains}
    if all(d.discrete for d in domains) and len(steps) == 1:
        return integers(low, high, steps.pop())
    return _mixed(domains, low, high)


def negated(domain: Domain) -> Domain:
    if domain.discrete:
        return integers(-domain.high, -domain.low, domain.step)
    return replace(domain, low=-domain.high, high=-domain.low)


def repeated(domain: Domain, terms: int, share: float = 1.0) -> Domain:
    """The sum of `terms` elements of one domain, times a positive constant."""
    low, high = domain.low * terms * share, domain.high * terms * share
    if domain.discrete:
        return integers(low, high, domain.step * share)
    return _mixed((domain,), low, high) if terms > 1 else replace(domain, low=low, high=high)


def affine(source: Domain, scale: Array, offset: Array, *, paired: bool = False) -> Domain:
    """The domain of scale * x + offset, both arrays flat.

    Args:
        source: of x.
        scale: at least one number.
        offset: at least one number.
        paired: whether element i of one always meets element i of the other.
    """
    low, high = _bounds(source, scale, offset if paired else np.array([offset.min(), offset.max()]))
    if source.discrete and np.ptp(scale) == 0 and np.ptp(offset) == 0 and scale.flat[0] != 0:
        factor, shift = float(scale.flat[0]), float(offset.flat[0])
        step = abs(factor) * source.step
        if (shift / step).is_integer():
            return integers(low, high, step)
        if source.binary and {low, high} <= {-1.0, 0.0, 1.0}:
            return Domain(Values.TERNARY, -1, 1, 1)
    if source.values is Values.FRAME:
        return replace(source, low=low, high=high, step=0.0)
    return _mixed((source,), low, high)


def mapped(source: Domain, rows: Array, bias: Array, *, padded: bool = False) -> Domain:
    """The domain of weighted sums.

    Args:
        source: of what the weights meet.
        rows: [outputs, inputs of one output].
        bias: [outputs] or [1].
        padded: whether zeros stand beside the source.
    """
    if padded:
        source = replace(source, low=min(source.low, 0), high=max(source.high, 0))
    if not math.isfinite(source.low + source.high) or rows.size == 0:
        return ANY_REAL if source.values is Values.REAL else ANY_CURRENT
    positive, negative = _one_sided(rows)
    low = float((positive * source.low + negative * source.high + bias).min())
    high = float((positive * source.high + negative * source.low + bias).max())
    weight = float(np.abs(rows).max()) if source.discrete and not bias.any() else 0.0
    if weight and np.isin(rows, (-weight, 0.0, weight)).all():
        step = source.step * weight
        return integers(round(low / step) * step, round(high / step) * step, step)
    return _mixed((source,), low, high, grown=True)


def product(left: Domain, right: Domain, terms: int = 1) -> Domain:
    """The domain of a sum of `terms` products of two values that both depend on data."""
    ends = [_times(a, b) for a in (left.low, left.high) for b in (right.low, right.high)]
    low, high = min(ends) * terms, max(ends) * terms
    if left.discrete and right.discrete:
        return integers(low, high, left.step * right.step)
    if left.discrete or right.discrete:
        other = right if left.discrete else left
        return _mixed((other,), low, high, grown=terms > 1 or not (left.selects or right.selects))
    return real(low, high)


def _mixed(domains: Sequence[Domain], low: float, high: float, *, grown: bool = False) -> Domain:
    """What several become together: an image stays one, anything real makes all real."""
    worst = max((d.values for d in domains), key=_ORDER.index)
    if worst is Values.REAL:
        return real(low, high)
    alike = all(d.values is Values.FRAME for d in domains) and len(domains) == 1 and not grown
    return Domain(Values.FRAME, low, high) if alike else current(low, high)


def _bounds(source: Domain, scale: Array, offset: Array) -> tuple[float, float]:
    if not math.isfinite(source.low + source.high):
        return -UNBOUNDED, UNBOUNDED
    ends = np.stack([scale * source.low, scale * source.high])
    low, high = ends.min(axis=0), ends.max(axis=0)
    if low.shape == offset.shape:
        return float((low + offset).min()), float((high + offset).max())
    return float(low.min() + offset.min()), float(high.max() + offset.max())


def _one_sided(rows: Array) -> tuple[Array, Array]:
    """Sums of the positive and of the negative numbers of every row, in pieces that fit memory."""
    piece = max(1, (1 << 22) // rows.shape[-1])
    parts = [rows[at : at + piece] for at in range(0, len(rows), piece)]
    positive = np.concatenate([np.maximum(part, 0).sum(axis=-1) for part in parts])
    negative = np.concatenate([np.minimum(part, 0).sum(axis=-1) for part in parts])
    return positive, negative


def _times(a: float, b: float) -> float:
    """A product in which 0 times anything unbounded is 0."""
    return 0.0 if a == 0 or b == 0 else a * b
