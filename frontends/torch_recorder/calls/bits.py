"""Which recorded values are spikes, 0 or 1, and which are 1 - s of spikes s."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from snncc.frontends.torch_recorder.calls import logic
from snncc.frontends.torch_recorder.calls.call import Call, Plan
from snncc.frontends.torch_recorder.calls.functions import BITS, HANDLERS
from snncc.frontends.torch_recorder.steps import Value


@dataclass
class Bits:
    """What is known of steps by name.

    Attributes:
        spikes: steps that give 0 or 1.
        complements: steps that are 1 - s, with the value s.
        differences: steps that are a - b of spikes, with both.
    """

    spikes: set[str] = field(default_factory=set[str])
    complements: dict[str, Value] = field(default_factory=dict[str, Value])
    differences: dict[str, tuple[Value, Value]] = field(
        default_factory=dict[str, tuple[Value, Value]]
    )

    def is_spike(self, value: Value) -> bool:
        """Whether a value is spikes."""
        return value.step in self.spikes

    def complement_of(self, value: Value) -> Value | None:
        """The spikes s of a value that is 1 - s."""
        found = self.complements.get(value.step)
        return None if found is None else Value(found.step, value.dims)

    def difference_of(self, value: Value) -> tuple[Value, Value] | None:
        """The spikes a and b of a value that is a - b."""
        found = self.differences.get(value.step)
        if found is None:
            return None
        a, b = found
        return Value(a.step, value.dims), Value(b.step, value.dims)

    def note(
        self, handler: Callable[[Call], Plan], call: Call, sources: Sequence[Value], step: str
    ) -> None:
        """Takes down what a step is, once its handler has made it."""
        product = handler in (HANDLERS["mul"], logic.both) and len(sources) == 2
        if (handler in BITS or product) and all(map(self.is_spike, sources)):
            self.spikes.add(step)
        if call.complement is not None:
            self.complements[step] = call.complement
        if call.difference is not None:
            self.differences[step] = call.difference
