"""One recorded call, and what a handler makes of it."""

from collections.abc import Callable
from typing import Any, Protocol

import torch
from torch.utils._pytree import tree_flatten

from snncc.frontends.torch_recorder.axis_solver import AxisError, AxisSolver, Dim
from snncc.frontends.torch_recorder.steps import Build, Value
from snncc.frontends.torch_recorder.twins import Twins

Plan = tuple[tuple[Value, ...], tuple[Dim, ...], Build | None]
"""Sources, dimensions of the result, and how to build the op; None: the same elements."""


class Known(Protocol):
    """What is known of values beside their dimensions."""

    def is_spike(self, value: Value) -> bool:
        """Whether it is 0 or 1."""
        ...

    def complement_of(self, value: Value) -> Value | None:
        """The spikes s of which it is 1 - s."""
        ...

    def difference_of(self, value: Value) -> tuple[Value, Value] | None:
        """The spikes a and b of which it is a - b."""
        ...


class Call:
    """One recorded call with its arguments.

    Attributes:
        complement: set by a handler whose result is 1 - s of these spikes s.
        difference: likewise, of a - b.
        twins: second names of axes.
        suffix: set by a handler whose last op is not the one to bear the call's name.
    """

    def __init__(
        self,
        solver: AxisSolver,
        value_of: Callable[[Any], Value | None],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        out: torch.Tensor,
        time_atom: int,
        batch_atom: int = -1,
        known: Known | None = None,
        function: Callable[..., Any] | None = None,
        place: int = 0,
        step: Callable[[Plan, str], Value] | None = None,
        twins: Twins | None = None,
    ) -> None:
        self.solver = solver
        self.value_of = value_of
        self.args = args
        self.kwargs = kwargs
        self.out = out
        self.time_atom = time_atom
        self.batch_atom = batch_atom
        self._known = known
        self.complement: Value | None = None
        self.difference: tuple[Value, Value] | None = None
        self.function = function
        self.place = place
        self._step = step
        self.suffix = ""
        self.twins = Twins(solver) if twins is None else twins

    def is_spike(self, value: Value) -> bool:
        """Whether a value is known to be 0 or 1."""
        return self._known is not None and self._known.is_spike(value)

    def complement_of(self, value: Value) -> Value | None:
        """The spikes s of a value that is 1 - s."""
        return None if self._known is None else self._known.complement_of(value)

    def difference_of(self, value: Value) -> tuple[Value, Value] | None:
        """The spikes a and b of a value that is a - b."""
        return None if self._known is None else self._known.difference_of(value)

    def note_difference(self, x: Value, y: Value, factor: float) -> None:
        """Takes down that the result is x + factor * y, where it is a difference of spikes.

        Their dimensions are the result's: none is repeated along an axis of the other.
        """
        alike = [bool(d) for d in x.dims] == [bool(d) for d in y.dims]
        if factor == -1.0 and alike and self.is_spike(x) and self.is_spike(y):
            self.difference = x, y

    def arg(self, position: int, name: str, default: Any = None) -> Any:
        if len(self.args) > position:
            return self.args[position]
        return self.kwargs.get(name, default)

    def source(self, position: int = 0, name: str = "input") -> Value:
        """The value of an argument. Raises AxisError when it does not depend on the input."""
        value = self.value_of(self.arg(position, name))
        if value is None:
            raise AxisError("the first argument does not depend on the input")
        return value

    def step(self, plan: Plan, suffix: str = "") -> Value:
        """Notes what comes first of a call that is several ops. Gives its value.

        Args:
            plan: of the op.
            suffix: of its name, which is otherwise that of the call.
        """
        if plan[2] is None:
            return Value(plan[0][0].step, plan[1])
        if self._step is None:
            raise AxisError("it is made of several ops, and stands within another")
        return self._step(plan, suffix)

    def replay(self, value: torch.Tensor) -> torch.Tensor:
        """What the function makes of other numbers in place of its first argument.

        Raises:
            AxisError: it cannot be run again.
        """
        if self.function is None:
            raise AxisError("it cannot be run once more")
        replaced = tuple(value if a is self.args[0] else a for a in self.args)
        made = self.function(*replaced, **self.kwargs)
        results = [o for o in tree_flatten(made)[0] if isinstance(o, torch.Tensor)]
        return results[self.place]

    def rank(self) -> int:
        return len(self.source().dims)

    def dim_list(self, value: Any) -> tuple[int, ...]:
        rank = self.rank()
        if value is None:
            return tuple(range(rank))
        listed = (value,) if isinstance(value, int) else tuple(value)
        return tuple(d % rank for d in listed)


def like(x: Value, dims: tuple[Dim, ...], build: Build | None) -> Plan:
    return (x,), dims, build
