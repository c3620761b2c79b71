"""Neurons with several linear states, in integers: the general form beside `IntegerPopulation`."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from snncc.ir.arrays import spread
from snncc.ir.dialects import state_bounds, state_discs
from snncc.ir.dialects.neurons import READ, STATE, Neuron
from snncc.ir.dialects.state_bounds import MOST_APART
from snncc.ir.op import WIDEST, Array, Context, Param, require, require_narrow
from snncc.ir.types import TIME, ValueType

Interval = tuple[int, int]


@dataclass(frozen=True)
class IntegerNeuron(Neuron):
    """The equation of `Neuron` with integers, and one shift for each state.

    round(a, c, k) = (a + c) >> k, the floor; with "gt": -((-a + c) >> k), the ceiling.

    For i = 0, 1, ... n-1 in order:
        u_i[t] = round(leak_i * v_i[t-1] + gain_i * X[t]
                       + sum over j < i of reads_ij * u_j[t]
                       + sum over j > i of reads_ij * v_j[t-1], carry_i, shift_i)
                 + bias_i - late_i * S[t-1]
        u_i[t] = 0 where swallow_i and S[t-1] != 0
        u_i[t] = max(u_i[t], floor_i) where has_floor_i
        u_i[t] = min(u_i[t], high_i) where has_high_i
    F[t] = sum over i of form_i * u_i[t]
    S[t] = the number of j = 1, 2, ... most with F[t] >= threshold + (j - 1) * step
           ("gt": >; "even": > for odd j, >= for even j); -1 where F[t] <= below ("gt": <)
    v_i[t] = round(keep_i * u_i[t] - sum over j of takes_ij * u_j[t], 0, reset_shift_i)
             - amount_i * S[t] where S[t] != 0, else u_i[t]
    v_i[t] = max(v_i[t], low_i) where has_low_i

    Products with constants are shifted additions, those with S are additions: one for each spike.
    Without a threshold it never fires and gives F; with `read` the sum of read_i * v_i[t].

    A state with f fraction bits counts in 2^-f of the current's unit: gain_i = 2^(f + shift_i).
    Nothing is lost where no sum has a bit below its shift. With one state, leak 1/m and whole
    constants f = 0 is exact: floor(max(x, n)) = max(floor(x), n) and floor(x - n) = floor(x) - n
    for whole n, so that u_0 is the floor of the real state ("gt": its ceiling) by induction, and
    decides as it does.

    Attributes:
        shift: of each state, at least 0.
        carry: of each state, in [0, 2^shift); () for 0.
        reset_shift: of each state; () for 0. `keep` is 2^reset_shift where it is None.
        states_within: declared closed interval of u_i and v_i, 0 in it; proved by the verifier.
        membrane: declared closed interval of F, likewise.
    """

    mnemonic: ClassVar[str] = "integer_neuron"
    shift: tuple[int, ...] = ()
    carry: tuple[int, ...] = ()
    reset_shift: tuple[int, ...] = ()
    states_within: tuple[tuple[int, int], ...] = ()
    membrane: tuple[int, int] = (0, 0)

    @property
    def remembers(self) -> bool:
        """Whether a spike acts at the step after it, so that it is part of the neuron's state."""
        return self.late is not None or bool(self.swallow)

    def slots(self, context: Context) -> int:
        """How many integers a neuron's state is: v of each state, and S where it is remembered."""
        return self.states(context) + self.remembers

    def infer(self, inputs: tuple[ValueType, ...], context: Context) -> ValueType:
        (current,) = inputs
        require(current.range is not None, f"{current} has no integer range")
        result = super().infer(inputs, context)
        n = self.states(context)
        require(len(self.shift) == n, f"shifts {self.shift} are not of {n} states")
        for shifts in (self.shift, self.reset_shift):
            require(len(shifts) in (0, n), f"shifts {shifts} are not of {n} states")
            inside = all(0 <= shift < WIDEST for shift in shifts)
            require(inside, f"a shift of {shifts} is outside [0, {WIDEST})")
        require(len(self.carry) in (0, n), f"carries {self.carry} are not of {n} states")
        for carry, shift in zip(self.carry, self.shift, strict=False):
            require(0 <= carry < 1 << shift, f"carry {carry} is outside [0, 2^{shift})")
        require(len(self.states_within) == n, f"{self.states_within} are not of {n} states")
        for low, high in (*self.states_within, self.membrane):
            require(low <= 0 <= high, f"the interval {low}..{high} does not hold 0")
        require(self.most > 0, "no number is given for the most spikes of a step")
        self._require_apart(context)
        if self.fires:
            return result.with_kind(result.kind, self.counts)
        return result.with_kind(
            result.kind, self.membrane if self.read is None else self._given(context)
        )

    def _require_apart(self, context: Context) -> None:
        """Raises TypeRuleError unless thresholds rise, and negative spikes lie below them."""
        if self.step is not None:
            require(bool((context.array(self.step) > 0).all()), "thresholds do not rise")
        if self.most > MOST_APART:
            why = f"more than {MOST_APART} spikes a step, and not each takes the same of one state"
            require(self._is_regular(context), why)
        if self.below is not None and self.threshold is not None:
            least = int(context.array(self.threshold).min())
            apart = int(context.array(self.below).max()) < least
            require(apart, "a negative spike lies above a positive one")

    def _is_regular(self, context: Context) -> bool:
        """Whether one state is compared as it is, and each spike takes from it one threshold."""
        form = context.array(self.form).reshape(self.states(context), -1)
        used = [i for i, row in enumerate(form) if row.any()]
        if len(used) != 1 or self.amount is None or self.step is None:
            return False
        (i,), names = used, self.amount.axes[1:]
        taken = context.array(self.amount)[i]
        takes = self.takes is not None and context.array(self.takes)[i].any()
        keep = context.array(self.keep)[i] if self.keep is not None else None
        shift = self.reset_shift[i] if self.reset_shift else 0
        kept = keep is None or bool((keep == 1 << shift).all())
        rest = tuple(dict.fromkeys((*names, *self.step.axes)))
        step = spread(context.array(self.step), self.step.axes, rest)
        alike = bool((spread(taken, names, rest) == step).all())
        return alike and kept and not takes and bool((form[i] == 1).all())

    def _given(self, context: Context) -> Interval:
        """What it gives of membranes within their declared intervals."""
        rows = context.array(self.read).astype(np.int64) if self.read is not None else ()
        low = high = 0
        for row, (least, most) in zip(rows, self.states_within, strict=True):
            ends = [int(factor) * end for factor in (row.min(), row.max()) for end in (least, most)]
            low, high = low + min(ends), high + max(ends)
        require_narrow("what is read of its membranes", low, high)
        return low, high

    def verify(self, inputs: tuple[ValueType, ...], context: Context) -> None:
        states, form = self.reach(inputs[0], context)
        for i, (low, high) in enumerate(states):
            declared = self.states_within[i]
            require(
                declared[0] <= low and high <= declared[1],
                f"state {i} can reach {low}..{high}, declared is {declared[0]}..{declared[1]}",
            )
        require(
            self.membrane[0] <= form[0] and form[1] <= self.membrane[1],
            f"what is compared can reach {form[0]}..{form[1]}, declared is {self.membrane[0]}.."
            f"{self.membrane[1]}",
        )
        drives = self._drives(*self._ends(inputs[0]), self._names(inputs[0]), context)
        state_bounds.require_sums(drives, self.states_within)

    def reach(self, current: ValueType, context: Context) -> tuple[tuple[Interval, ...], Interval]:
        """Intervals of every state and of F over T steps, for any current within its range."""
        require_narrow(f"{current}", *(current.range or (0, 0)))
        drives = self._drives(*self._ends(current), self._names(current), context)
        disc = state_discs.disc_of(drives)
        pieces = () if disc is not None else drives.pieces()
        found = [state_bounds.bounds(piece, context.steps) for piece in pieces]
        found += [] if disc is None else [disc]
        n = self.states(context)
        states = tuple(_hull([each.states[i] for each in found]) for i in range(n))
        return states, _hull([each.form for each in found])

    def bounds_by_neuron(
        self, low: Array, high: Array, names: tuple[str, ...], context: Context
    ) -> state_bounds.Reached:
        """The same for each neuron, for currents [t or 1, *names] between `low` and `high`.

        Raises:
            TooWide: a number on the way needs more than `WIDEST` bits.
        """
        drives = self._drives(low, high, names, context)
        return state_discs.disc_of(drives) or state_bounds.bounds(drives, context.steps)

    def within(self, current: ValueType, context: Context) -> tuple[tuple[Interval, ...], Interval]:
        """Intervals to declare: what is reached, and 0."""
        states, form = self.reach(current, context)
        return tuple(map(_with_zero, states)), _with_zero(form)

    @staticmethod
    def _names(current: ValueType) -> tuple[str, ...]:
        return tuple(n for n in current.names if n != TIME)

    def _ends(self, current: ValueType) -> tuple[Array, Array]:
        axes = 1 + len(self._names(current))
        low, high = (np.full([1] * axes, end, np.int64) for end in current.range or (0, 0))
        return low, high

    def _drives(
        self, low: Array, high: Array, names: tuple[str, ...], context: Context
    ) -> state_bounds.Drives:
        n = self.states(context)

        def over(param: Param | None, *lead: str, usual: int = 0) -> Array:
            if param is None:
                sizes = [n if axis in (STATE, READ) else 1 for axis in lead]
                return np.full([*sizes, *[1] * len(names)], usual, np.int64)
            return spread(context.array(param).astype(np.int64), param.axes, (*lead, *names))

        resets = self.reset_shift or (0,) * n
        keep = over(self.keep, STATE)
        if self.keep is None:
            keep = keep + np.array([1 << r for r in resets]).reshape(-1, *[1] * len(names))
        kept = -over(self.takes, STATE, READ)
        kept = np.stack([_with_diagonal(kept[i], i, keep[i]) for i in range(n)])
        reads = over(self.reads, STATE, READ)
        leak = over(self.leak, STATE)
        reads = np.stack([_with_diagonal(reads[i], i, leak[i]) for i in range(n)])
        return state_bounds.Drives(
            low=low,
            high=high,
            reads=reads,
            gain=over(self.gain, STATE),
            bias=over(self.bias, TIME, STATE),
            late=over(self.late, STATE),
            form=over(self.form, STATE),
            kept=kept,
            amount=over(self.amount, STATE),
            start=over(self.start, STATE),
            floor=over(self.floor, STATE),
            low_end=over(self.low, STATE),
            threshold=None if self.threshold is None else over(self.threshold, TIME),
            most=self.most,
            step=over(self.step),
            below=None if self.below is None else over(self.below, TIME),
            even=self.compare == "even",
            high_end=over(self.high, STATE),
            has_high=self.has_high or (False,) * n,
            shift=self.shift,
            carry=self.carry or (0,) * n,
            reset_shift=resets,
            swallow=self.swallow or (False,) * n,
            has_floor=self.has_floor or (False,) * n,
            has_low=self.has_low or (False,) * n,
            up=self.compare == "gt",
        )


def _with_diagonal(row: Array, i: int, value: Array) -> Array:
    """A row of a table of states by states, with something added to its own place."""
    parts = [row[j] + value if j == i else row[j] for j in range(len(row))]
    shape = np.broadcast_shapes(*(part.shape for part in parts))
    return np.stack([np.broadcast_to(part, shape) for part in parts])


def _hull(ends: list[tuple[Array, Array]]) -> Interval:
    return min(int(low.min()) for low, _ in ends), max(int(high.max()) for _, high in ends)


def _with_zero(interval: Interval) -> Interval:
    return min(interval[0], 0), max(interval[1], 0)
