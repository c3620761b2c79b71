"""What fires in a neuron's algebra: one comparison, two with a sign, or a count."""

from collections.abc import Sequence

from snncc.frontends.torch_recorder.loops.counts import ternary
from snncc.frontends.torch_recorder.loops.late_bits import Tidied
from snncc.frontends.torch_recorder.loops.linear_fits import snapped
from snncc.frontends.torch_recorder.loops.neuron_algebra import Cycle
from snncc.frontends.torch_recorder.loops.polynomials import (
    ONE,
    Polynomial,
    Variable,
    number,
    of,
)
from snncc.ir.dialects.neurons import Fire


class Spikes:
    """The spikes of a neuron.

    Args:
        cycle: the neuron's calls.
        tidy: its polynomials.
        fired: bits and counts on which it depends.

    Attributes:
        fired: likewise.
        signed: the difference of two bits, where spikes have a sign.
    """

    def __init__(self, cycle: Cycle, tidy: Tidied, fired: Sequence[Variable]) -> None:
        self.cycle, self.tidy, self.fired = cycle, tidy, [*fired]
        excess = {bit: tidy.bits[bit].excess for bit in fired if bit.kind == "bit"}
        signed = ternary(excess, [*tidy.values.values()])
        self.signed = signed if len(fired) == len(excess) else None

    @property
    def main(self) -> Variable:
        """The bit or count of spikes above 0."""
        if self.signed is None:
            return self.fired[0]
        return next(v for m, sign in self.signed.terms.items() if sign > 0.0 for v in m)

    @property
    def given(self) -> Polynomial:
        """What the neuron gives."""
        return self.signed or of(self.main)

    def silent(self, value: Polynomial) -> Polynomial:
        """A value without a spike."""
        return value.replaced({bit: number(0.0) for bit in self.fired})

    def after(self, value: Polynomial, sign: float = 1.0) -> Polynomial:
        """A value after one spike, of one sign where spikes have two."""
        if self.signed is None:
            return value.replaced({bit: number(1.0) for bit in self.fired})
        one = {v: f for m, f in self.signed.terms.items() for v in m}
        return value.replaced({bit: number(float(one[bit] == sign)) for bit in self.fired})

    def excess(self, spike: Variable) -> Polynomial:
        """What is compared, or counted."""
        if spike.kind == "count":
            return self.cycle.counting.counts[spike].inner.replaced(self.tidy.late)
        return self.tidy.bits[spike].excess

    def fire(self, scale: float, offset: float) -> Fire:
        """The thresholds of a form that is what is compared, less an offset, divided by `scale`."""
        spike = self.main
        if spike.kind == "count":
            count = self.cycle.counting.counts[spike]
            first = snapped(((0.5 if count.even else 1.0) - offset) / scale)
            step = None if count.most == 1 else snapped(1.0 / scale)
            return Fire(first, "even" if count.even else "ge", count.most, step)
        compare = "gt" if self.tidy.bits[spike].strict else "ge"
        first = snapped(0.0 - offset / scale)
        if self.signed is None:
            return Fire(first, compare)
        (other,) = (bit for bit in self.fired if bit != spike)
        if self.tidy.bits[other].strict != self.tidy.bits[spike].strict:
            raise self.cycle.refused("its two thresholds are compared with in different ways")
        upper, lower = self.excess(spike), self.excess(other)
        at = next(m for m in upper.terms if m != ONE)
        factor = lower.terms[at] / upper.terms[at]  # below 0: lower = factor * (form * scale) + c
        own, left = upper.terms.get(ONE, 0.0), lower.terms.get(ONE, 0.0)
        below = -(left - factor * (own - offset)) / factor
        return Fire(first, compare, below=snapped(below / scale))
