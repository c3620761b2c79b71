"""Ops of the integer dialect beyond the shared projections: gain, integer population, readout."""

import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from snncc.ir.arrays import spread
from snncc.ir.dialects import membranes
from snncc.ir.dialects.neuron_rule import NeuronRule, Rounding
from snncc.ir.op import (
    WIDEST,
    Array,
    Context,
    Op,
    Param,
    TypeRuleError,
    is_integer,
    require,
    require_axes,
    require_narrow,
    require_room,
)
from snncc.ir.types import TIME, Kind, ValueType


@dataclass(frozen=True)
class Gain(Op):
    """A constant dyadic gain: y = (mantissa * x + 2^(shift-1)) >> shift, floor; shift 0: y = m*x.

    The product is with a compile-time constant and is carried out as shifted additions, one for
    each signed power of two of the mantissa (canonical signed digits). A mantissa over the time
    axis differs from step to step; the result then has a time axis though x may have none.

    Attributes:
        mantissa: integers over any of the result's axes.
        shift: right shift, at least 0.
    """

    mnemonic: ClassVar[str] = "gain"
    mantissa: Param
    shift: int = 0

    def infer(self, inputs: tuple[ValueType, ...], context: Context) -> ValueType:
        (source,) = inputs
        require(source.kind is Kind.CURRENT, f"a gain scales a current, not {source}")
        result = source.with_time(context.steps) if TIME in self.mantissa.axes else source
        mantissa = require_axes(self.mantissa, result, context)
        require(is_integer(mantissa), "the mantissa of a gain must be integer")
        require(self.shift >= 0, "the shift of a gain is outside [0, 62)")
        require_room(self.shift < WIDEST, "the shift of a gain is outside [0, 62)")
        require(source.range is not None, f"{source} has no integer range")
        bounds = None if source.range is None else gain_range(mantissa, self.shift, source.range)
        return ValueType(Kind.CURRENT, result.axes, bounds)

    def verify(self, inputs: tuple[ValueType, ...], context: Context) -> None:
        low, high = inputs[0].range or (0, 0)
        mantissa = context.array(self.mantissa)
        largest = max(-int(mantissa.min(initial=0)), int(mantissa.max(initial=0)))
        reach = max(-low, high) * largest + (1 << self.shift)
        require_room(
            reach.bit_length() < WIDEST,
            f"before its shift the gain can reach {reach}, more than {WIDEST} bits hold",
        )


@dataclass(frozen=True)
class IntegerPopulation(Op):
    """Neurons in integers.

    leak(V) = (p * V + c) >> k (DOWN), -((p * -V + c) >> k) (UP) or
        sign(V) * ((p * |V| + c) >> k) (TO_ZERO)
    Z[t] = leak(V[t-1]) + polarity * (X[t] + offset) + bias
    S[t] = 1 if Z[t] >= threshold ("gt": Z[t] > threshold) else 0
    V[t] = 0 where S[t] = 1 ("hard"), or Z[t] - S[t] * threshold ("soft"); V[-1] = 0

    Threshold, polarity, offset and bias are those of step t where they lie over the time axis.

    With decay 1/2^k the floor is exact: floor(floor(a)/m) = floor(a/m), so Z is the floor of the
    real membrane and decides as it does (for "gt" the ceiling, likewise). For another 1/m,
    p, k and c are chosen so that leak(V) = floor(V / m) for every V of the membrane's interval.
    The floor of a real membrane says nothing of "gt", nor its ceiling of "ge": no program has them.

    Rounding toward zero, as Lava and Loihi do, is not exact for negative membranes. With p/2^k =
    1/2^j and all currents and biases multiples of 2^f it loses nothing in the first f // j + 1
    steps: until then nothing is shifted out. (On Lava f = 6, so with j = 1 for T <= 7, if biases
    are multiples of 64.)

    Attributes:
        threshold, bias, polarity: integers over any of the spikes' axes; polarity in {-1, 0, 1}.
        offset: likewise; what a map adds by channel beside what a norm adds by token, so that no
            table of channels times tokens is needed.
        decay: (p, k); (1, 0) never forgets.
        decay_offset: c, at least 0.
        rounding: of the leak: TO_ZERO, or the one that is exact for the comparison.
        membrane: declared closed interval of Z and V, proved by the verifier.
    """

    mnemonic: ClassVar[str] = "integer_population"
    threshold: Param
    bias: Param | None = None
    polarity: Param | None = None
    decay: tuple[int, int] = (1, 1)
    reset: str = "hard"
    compare: str = "ge"
    membrane: tuple[int, int] = (0, 0)
    decay_offset: int = 0
    offset: Param | None = None
    rounding: Rounding = Rounding.DOWN

    @property
    def breaks_loops(self) -> bool:
        return True

    def infer(self, inputs: tuple[ValueType, ...], context: Context) -> ValueType:
        (current,) = inputs
        if current.kind is not Kind.CURRENT:
            raise TypeRuleError(f"a population integrates a current, not {current}")
        if current.range is None:
            raise TypeRuleError(f"{current} has no integer range")
        result = current.with_time(context.steps).with_kind(Kind.SPIKE, (0, 1))
        for param in (self.threshold, self.bias, self.polarity, self.offset):
            if param is not None and not is_integer(require_axes(param, result, context)):
                raise TypeRuleError(f"{param} must be integer")
        if self.polarity is not None:
            values = set(np.unique(context.array(self.polarity)).tolist())
            require(values <= {-1, 0, 1}, f"polarity has values {sorted(values)}")
        factor, shift = self.decay
        require(0 <= shift < WIDEST, "the decay's shift is outside [0, 62)")
        require(0 <= factor <= 1 << shift, f"decay {factor} * 2^-{shift} is outside [0, 1]")
        offset = self.decay_offset
        require(0 <= offset < 1 << shift, f"decay offset {offset} is outside [0, 2^{shift})")
        require(self.reset in ("hard", "soft"), f"unknown reset {self.reset!r}")
        require(self.compare in ("ge", "gt"), f"unknown comparison {self.compare!r}")
        known = Rounding.TO_ZERO, Rounding.exact_for(self.compare)
        require(
            self.rounding in known,
            f"a leak that is rounded {self.rounding.value} says nothing about {self.compare!r}",
        )
        return result

    def verify(self, inputs: tuple[ValueType, ...], context: Context) -> None:
        low, high = self.membrane_range(inputs[0], context)
        require(
            self.membrane[0] <= low and high <= self.membrane[1],
            f"the membrane can reach {low}..{high}, declared is {self.membrane[0]}.."
            f"{self.membrane[1]}",
        )
        reach = max(-self.membrane[0], self.membrane[1]) * max(1, self.decay[0]) + self.decay_offset
        require_room(
            reach.bit_length() < WIDEST,
            f"the membrane's leak can reach {reach}, more than {WIDEST} bits hold",
        )

    @property
    def rule(self) -> NeuronRule:
        """What its neurons do beside their constants."""
        hard, at_least = self.reset == "hard", self.compare == "ge"
        return NeuronRule(self.decay, self.decay_offset, self.rounding, hard, at_least)

    def membrane_range(self, current: ValueType, context: Context) -> tuple[int, int]:
        """Interval of Z and V over T steps from V = 0, for any current within its range."""
        if current.range is None:
            raise TypeRuleError(f"{current} has no integer range")
        low, high = current.range
        names = tuple(n for n in current.names if n != TIME)
        require_narrow(current, low, high)
        least, most = (np.full([1] * (1 + len(names)), end, np.int64) for end in (low, high))
        found = [
            membranes.bounds(self.rule, piece, context.steps)
            for piece in self._drives(least, most, names, context).pieces()
        ]
        return min(int(low.min()) for low, _ in found), max(int(high.max()) for _, high in found)

    def membrane_bounds(
        self, low: Array, high: Array, names: tuple[str, ...], context: Context
    ) -> tuple[Array, Array]:
        """For each neuron the least and the largest that Z and V can be, over T steps from V = 0.

        Args:
            low: least current of each neuron, [t, *names]; any length can be 1: the same for all.
            high: largest current, likewise.
            names: axes of one step.
            context: T and the constants.

        Raises:
            TooWide: a number on the way needs more than `WIDEST` bits.
        """
        return membranes.bounds(self.rule, self._drives(low, high, names, context), context.steps)

    def _drives(
        self, low: Array, high: Array, names: tuple[str, ...], context: Context
    ) -> membranes.Drives:
        def over(param: Param | None, default: int) -> Array:
            if param is None:
                return np.full([1] * (1 + len(names)), default, np.int64)
            return spread(context.array(param).astype(np.int64), param.axes, (TIME, *names))

        fields = over(self.threshold, 0), over(self.bias, 0), over(self.polarity, 1)
        return membranes.Drives(*fields, over(self.offset, 0), low, high)


LARGEST_UNIT = 2.0**900
"""Of a readout: times any integer of a program, 62 bits, it is a finite float64."""


@dataclass(frozen=True)
class IntegerReadout(Op):
    """What the network answers: y[k] = sum over t of x[t, k] + offset[k]; logits = unit * y.

    Attributes:
        offset: integers over the current's axes, or None.
        unit: real size of one step of y; positive, so the largest y is the largest logit.
    """

    mnemonic: ClassVar[str] = "integer_readout"
    offset: Param | None = None
    unit: float = 1.0

    def infer(self, inputs: tuple[ValueType, ...], context: Context) -> ValueType:
        (current,) = inputs
        require(current.kind is Kind.CURRENT, f"a readout sums a current, not {current}")
        require(current.range is not None, f"{current} has no integer range")
        require(0.0 < self.unit < math.inf, f"unit {self.unit} is not positive and finite")
        require(self.unit <= LARGEST_UNIT, f"unit {self.unit} is beyond 2^900: infinite answers")
        low, high = current.range or (0, 0)
        low, high = low * context.steps, high * context.steps
        if self.offset is not None:
            offset = require_axes(self.offset, current.without(TIME), context)
            require(is_integer(offset), f"{self.offset} must be integer")
            low, high = low + int(offset.min()), high + int(offset.max())
        return ValueType(Kind.READOUT, current.without(TIME).axes, (low, high))

    def verify(self, inputs: tuple[ValueType, ...], context: Context) -> None:
        low, high = inputs[0].range or (0, 0)
        require_narrow("the sum over time", low * context.steps, high * context.steps)


def gain_range(mantissa: Array, shift: int, source: tuple[int, int]) -> tuple[int, int]:
    """Interval of a gain: monotone in x for each mantissa, so the ends decide."""
    half = (1 << shift) >> 1
    ends = [
        (int(m) * x + half) >> shift
        for m in (mantissa.min(initial=0), mantissa.max(initial=0))
        for x in source
    ]
    return min(ends), max(ends)
