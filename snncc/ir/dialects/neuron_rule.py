"""How integer neurons leak, fire and reset: the one form of it for types, proofs and explanations.

The interpreter, the compiled units, the checker and the Lava bundle have forms of their own, which
share nothing with this one.
"""

from dataclasses import dataclass
from enum import Enum
from typing import TypeVar

import numpy as np

from snncc.ir.op import Array

Level = TypeVar("Level", int, Array)


class Rounding(Enum):
    """To which whole number a leak takes a membrane that it does not divide."""

    DOWN = "down"
    UP = "up"
    TO_ZERO = "zero"

    @classmethod
    def exact_for(cls, compare: str) -> "Rounding":
        """The one with which an integer membrane decides as the real one does.

        floor(x) >= K iff x >= K, and ceil(x) > K iff x > K, for every integer K.
        """
        return cls.DOWN if compare == "ge" else cls.UP


@dataclass(frozen=True)
class NeuronRule:
    """What a neuron does beside its constants; see `IntegerPopulation`.

    Attributes:
        decay: (p, k): p * 2^-k of the membrane remains.
        carry: c, which is added before the shift.
        rounding: of what remains.
        hard: whether a spike sets the membrane to 0, or takes the threshold off.
        at_least: whether a level equal to the threshold fires.
    """

    decay: tuple[int, int]
    carry: int
    rounding: Rounding
    hard: bool
    at_least: bool

    def leak(self, v: Array) -> Array:
        """What remains of membranes after one step; int64, monotone in v."""
        if self.rounding is Rounding.TO_ZERO:
            return self._kept(np.where(v < 0, -1, 1), v)
        return self._kept(self._side, v)

    def leak_of(self, v: int) -> int:
        """The same of one membrane, however large."""
        (factor, shift), side = self.decay, self._side
        if self.rounding is Rounding.TO_ZERO:
            side = -1 if v < 0 else 1
        return side * ((factor * side * v + self.carry) >> shift)

    def last_silent(self, threshold: Level) -> Level:
        """The highest level that does not fire."""
        return threshold - 1 if self.at_least else threshold

    def fires(self, level: Array, threshold: Array | int) -> Array:
        """Whether levels make a spike."""
        fires: Array = level >= threshold if self.at_least else level > threshold
        return fires

    def after_spike(self, level: Array, threshold: Array | int) -> Array:
        """What a spike leaves of a level."""
        return np.zeros_like(level) if self.hard else level - threshold

    @property
    def _side(self) -> int:
        return -1 if self.rounding is Rounding.UP else 1

    def _kept(self, side: Array | int, v: Array) -> Array:
        factor, shift = self.decay
        kept: Array = side * ((factor * side * v + self.carry) >> shift)
        return kept
