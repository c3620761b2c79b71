"""A neuron of several states in numbers of its current: which unit every state is counted in.

Units are free: a state that only reads another is as well counted in what it reads. So the first
coupling that reaches a state becomes 1, and gains, time constants and the like end up in
thresholds, biases and resets. What is left are the leaks, and couplings that close a circle.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from snncc.ir import Param
from snncc.ir.dialects.neurons import READ, STATE, Neuron
from snncc.passes.named import Named
from snncc.passes.neuron_constants import of_state
from snncc.passes.rewriter import Rewriter

ONE, ZERO = Named.scalar(1.0), Named.scalar(0.0)


@dataclass(frozen=True)
class RealNeuron:
    """The constants of a neuron, state by state; see `Neuron` for what they do.

    Attributes:
        form: what is compared, in units of `formed`.
        membranes: what is given of them, in units of `unit_read`; None where nothing is.
        even: whether ties go to even counts.
        formed: how large one of what is compared is, in units of the current.
        unit_read: likewise one of what is read of membranes.
    """

    leak: tuple[Named, ...]
    gain: tuple[Named, ...]
    reads: tuple[tuple[Named, ...], ...]
    bias: tuple[Named, ...]
    late: tuple[Named, ...]
    keep: tuple[Named, ...]
    takes: tuple[tuple[Named, ...], ...]
    amount: tuple[Named, ...]
    start: tuple[Named, ...]
    floor: tuple[Named, ...]
    low: tuple[Named, ...]
    high: tuple[Named, ...]
    form: tuple[Named, ...]
    threshold: Named | None
    step: Named | None = None
    below: Named | None = None
    membranes: tuple[Named, ...] | None = None
    even: bool = False
    formed: Named = ONE
    unit_read: Named = ONE

    @classmethod
    def read(cls, rewriter: Rewriter, op: Neuron) -> "RealNeuron":
        rows = range(op.states(rewriter.new.context))

        def row(what: str, usual: float = 0.0) -> tuple[Named, ...]:
            whole = rewriter.named(getattr(op, what), usual)
            return tuple(of_state(whole, (STATE, i)) for i in rows)

        def level(param: Param | None) -> Named | None:
            return None if param is None else rewriter.named(param, 0.0)

        def table(what: str) -> tuple[tuple[Named, ...], ...]:
            whole = rewriter.named(getattr(op, what), 0.0)
            return tuple(tuple(of_state(whole, (STATE, i), (READ, j)) for j in rows) for i in rows)

        return cls(
            *(row("leak"), row("gain"), table("reads"), row("bias"), row("late")),
            *(row("keep", 1.0), table("takes"), row("amount"), row("start")),
            *(row("floor"), row("low"), row("high"), row("form")),
            threshold=level(op.threshold),
            step=level(op.step),
            below=level(op.below),
            membranes=None if op.read is None else row("read"),
            even=op.compare == "even",
        )

    @property
    def unit_given(self) -> Named:
        """How large one of what is given as a current is, in units of the current that is read."""
        return self.formed if self.threshold is None else self.unit_read

    @property
    def given(self) -> tuple[Named, ...] | None:
        """What is given as a current, in place of spikes."""
        return self.form if self.threshold is None else self.membranes

    def scaled(self, unit: Named) -> "RealNeuron":
        """The same with every state in a unit of its own, and the current in `unit`."""
        sizes = self._sizes()
        own = [unit * size for size in sizes]

        def levels(values: Sequence[Named]) -> tuple[Named, ...]:
            return tuple(value / each for value, each in zip(values, own, strict=True))

        def couplings(table: Sequence[Sequence[Named]]) -> tuple[tuple[Named, ...], ...]:
            return tuple(
                tuple(value * sizes[j] / sizes[i] for j, value in enumerate(line))
                for i, line in enumerate(table)
            )

        form = [value * size for value, size in zip(self.form, sizes, strict=True)]
        formed = next((_size(each) for each in form if not each.is_zero()), ONE)
        if self.given is not None:
            formed = Named.scalar(float(formed.array.max()))
        read = [v * size for v, size in zip(self.membranes or (), sizes, strict=False)]
        unit_read = Named.scalar(max((float(np.abs(v.array).max()) for v in read), default=1.0))
        return RealNeuron(
            self.leak,
            tuple(gain / size for gain, size in zip(self.gain, sizes, strict=True)),
            couplings(self.reads),
            levels(self.bias),
            levels(self.late),
            self.keep,
            couplings(self.takes),
            levels(self.amount),
            levels(self.start),
            levels(self.floor),
            levels(self.low),
            levels(self.high),
            tuple(value / formed for value in form),
            threshold=self.threshold and self.threshold / (unit * formed),
            step=self.step and self.step / (unit * formed),
            below=self.below and self.below / (unit * formed),
            membranes=tuple(value / unit_read for value in read) or None,
            unit_read=unit_read,
            even=self.even,
            formed=formed,
        )

    def started_below(self, current: tuple[int, int]) -> "RealNeuron":
        """The same, with every start that is not 0 below all that its current of now brings."""
        brought = [gain.array * end for gain in self.gain for end in current]
        least = min(float(each.min()) for each in brought)
        least += min(float(bias.array.min()) for bias in self.bias)
        to = Named.scalar(float(np.floor(least)) - 1.0)
        return replace(self, start=tuple(x if x.is_zero() else to for x in self.start))

    def _sizes(self) -> list[Named]:
        """The unit of every state, in units of the current."""
        found: dict[int, Named] = {}
        for i, gain in enumerate(self.gain):
            if not gain.is_zero():
                found[i] = _size(gain) if self.given is None else _largest(gain)
        while len(found) < len(self.leak):
            i, size = self._next(found)
            found[i] = size
        return [found[i] for i in range(len(self.leak))]

    def _next(self, found: dict[int, Named]) -> tuple[int, Named]:
        """A state that has no unit yet, and one with which a coupling becomes 1."""
        rest = [i for i in range(len(self.leak)) if i not in found]
        for i in rest:
            for j, size in found.items():
                if not self.reads[i][j].is_zero():
                    return i, _largest(self.reads[i][j]) * size
        for i in rest:
            for j, size in found.items():
                if not self.form[i].is_zero() and not self.form[j].is_zero():
                    return i, _largest(self.form[j]) * size / _largest(self.form[i])
                for table in (self.reads, self.takes):
                    if not table[j][i].is_zero():
                        return i, size / _largest(table[j][i])
        return rest[0], ONE


def _largest(value: Named) -> Named:
    return Named.scalar(float(np.abs(value.array).max()))


def _size(value: Named) -> Named:
    """How large each is; of what is 0 somewhere, the largest of all there."""
    sizes = np.abs(value.array)
    return Named(value.axes, np.where(sizes == 0.0, sizes.max(), sizes))
