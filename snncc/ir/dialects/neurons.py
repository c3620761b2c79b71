"""Neurons with several linear states, in real numbers: the general form beside `Population`.

What libraries call Leaky, Synaptic, Lapicque, CUBA, adaptive or a leaky integrator that never fires
are all states that leak, read the current and each other, and change when the neuron fires.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from snncc.ir.graph import GraphBuilder
from snncc.ir.op import Array, Context, Op, Param, require
from snncc.ir.types import BIT, TIME, Kind, ValueType

STATE = "neuron.state"
"""The axis along which constants of a neuron differ from state to state."""
READ = "neuron.read"
"""The axis of the state that is read, in a table of states by states."""
MOST_STATES = 8
MOST_COUNT = 2**20
"""Spikes of a neuron in one step."""

Number = float | Param
"""A number of the model, or a constant of the builder over some of the neurons' axes."""


@dataclass(frozen=True)
class Neuron(Op):
    """Neurons with n linear states; X is the current, t a step, S[-1] = 0 and v_i[-1] = start_i.

    For i = 0, 1, ... n-1 in order:
        u_i[t] = leak_i * v_i[t-1] + gain_i * X[t] + bias_i
                 + sum over j < i of reads_ij * u_j[t] + sum over j > i of reads_ij * v_j[t-1]
                 - late_i * S[t-1]
        u_i[t] = 0 where swallow_i and S[t-1] != 0: the old state and the input are lost
        u_i[t] = max(u_i[t], floor_i) where has_floor_i
    u_i[t] = min(u_i[t], high_i) where has_high_i
    F[t] = sum over i of form_i * u_i[t]
    S[t] = the number of j = 1, 2, ... most with F[t] >= threshold + (j - 1) * step
           ("gt": >; "even": > for odd j, >= for even j); -1 where F[t] <= below ("gt": <)
    v_i[t] = keep_i * u_i[t] - amount_i * S[t] - sum over j of takes_ij * u_j[t] where S[t] != 0,
             else u_i[t]
    v_i[t] = max(v_i[t], low_i) where has_low_i

    The op gives S: spikes where it is 0 or 1, else counts. Without a threshold it never fires,
    S = 0, and it gives F, a current: what a readout of membranes is. With `read` it gives
    the sum over i of read_i * v_i[t], a current: membranes of neurons that fire.

    keep 0 is a hard reset to -amount; keep 1 takes off an amount that need not be the threshold.

    Every constant but the threshold has the axis `STATE` first, of length n; `reads` and `takes`
    then have `READ`, of length n. After that they lie over any of the neurons' axes; only bias and
    threshold may lie over time. `neuron` makes the op from one `State` for each state.

    Attributes:
        leak, gain, form: by state.
        threshold: over the neurons' axes; None where the neuron never fires.
        compare: "ge", "gt", or "even" where ties go to even counts.
        most: how many spikes a step at most; 0 for any number, which integers do not have.
        step: from one threshold to the next, over the neurons' axes; None where `most` is 1.
        below: over the neurons' axes; None where no spike is negative.
        read: by state; None where it gives spikes, or never fires.
        bias, late, amount, start: by state; None for 0.
        keep: by state; None for 1.
        reads, takes: by state and state that is read; None for 0. `reads` has no state of itself:
            that is the leak.
        swallow, has_floor, has_low, has_high: by state; () for none.
        floor, low, high: by state, 0 for those that have none.
    """

    mnemonic: ClassVar[str] = "neuron"
    KINDS: ClassVar[tuple[Kind, ...]] = (Kind.CURRENT,)
    leak: Param
    gain: Param
    form: Param
    threshold: Param | None = None
    compare: str = "ge"
    bias: Param | None = None
    reads: Param | None = None
    late: Param | None = None
    keep: Param | None = None
    amount: Param | None = None
    takes: Param | None = None
    start: Param | None = None
    floor: Param | None = None
    low: Param | None = None
    swallow: tuple[bool, ...] = ()
    has_floor: tuple[bool, ...] = ()
    has_low: tuple[bool, ...] = ()
    most: int = 1
    step: Param | None = None
    below: Param | None = None
    read: Param | None = None
    high: Param | None = None
    has_high: tuple[bool, ...] = ()

    @property
    def fires(self) -> bool:
        """Whether it gives spikes or counts, and not its form or its membranes as a current."""
        return self.threshold is not None and self.read is None

    @property
    def fires_once(self) -> bool:
        """Whether it gives one spike a step or none, and is made of no field but the oldest."""
        return self.fires and self.ordinary

    @property
    def gives_bits(self) -> bool:
        """Whether what it gives is 0 or 1."""
        return self.fires and self.counts == BIT

    @property
    def ordinary(self) -> bool:
        """Whether a step has one spike or none, and nothing of it is read but that or its form."""
        plain = self.most == 1 and self.below is None and self.read is None
        return plain and self.compare != "even" and not self.has_high

    @property
    def counts(self) -> tuple[int, int]:
        """Fewest and most spikes of a step; any number is no more than integers can have."""
        return (-1 if self.below is not None else 0, self.most or MOST_COUNT)

    @property
    def breaks_loops(self) -> bool:
        return self.fires

    def infer(self, inputs: tuple[ValueType, ...], context: Context) -> ValueType:
        (x,) = inputs
        require(x.kind in self.KINDS, f"a neuron integrates a current, not {x}")
        require(not {STATE, READ} & set(x.names), f"{x} has an axis of a neuron's own constants")
        result = x.with_time(context.steps).with_kind(self.given)
        if self.fires:
            counts = None if self.gives_bits else self.counts
            result = result.with_kind(Kind.SPIKE if self.gives_bits else Kind.COUNT, counts)
        self._require_constants(result, context)
        return result

    @property
    def given(self) -> Kind:
        """What it gives where it never fires."""
        return Kind.CURRENT

    def states(self, context: Context) -> int:
        """How many states there are. Raises TypeRuleError: the leak says nothing of it."""
        return count_states(self.leak, context)

    def _require_constants(self, result: ValueType, context: Context) -> None:
        n = self.states(context)
        require(self.compare in ("ge", "gt", "even"), f"unknown comparison {self.compare!r}")
        self._require_counts()
        own = self.leak, self.gain, self.form, self.late, self.keep, self.amount, self.start
        for param in (*own, self.floor, self.low, self.high, self.read):
            require_over(param, (STATE,), n, result.without(TIME), context)
        require_over(self.bias, (STATE,), n, result, context)
        for table in (self.reads, self.takes):
            require_over(table, (STATE, READ), n, result.without(TIME), context)
        for level in (self.threshold, self.below):
            require_over(level, (), n, result, context)
        require_over(self.step, (), n, result.without(TIME), context)
        require_no_self(self.reads, context)
        require_flags(n, self.swallow, self.has_floor, self.has_low, self.has_high)
        require((self.high is None) == (not self.has_high), "an upper end and what has it differ")
        require((self.floor is None) == (not self.has_floor), "a floor and what has it differ")
        require((self.low is None) == (not self.has_low), "a lower end and what has it differ")
        changed = self.keep, self.amount, self.takes, self.late
        silent = self.threshold is not None or not (
            any(p is not None for p in changed) or self.swallow
        )
        require(silent, "a neuron that never fires has a reset")

    def _require_counts(self) -> None:
        """Raises TypeRuleError for a staircase of thresholds that is none."""
        most = type(self.most) is int and 0 <= self.most <= MOST_COUNT
        require(most, f"{self.most} spikes a step, the most are {MOST_COUNT}")
        require(
            (self.step is None) == (self.most == 1), "a distance of thresholds, and one of them"
        )
        given = self.most != 1, self.below is not None, self.read is not None
        fits = self.threshold is not None or (self.compare != "even" and not any(given))
        require(fits, "a neuron that never fires has spikes")


@dataclass(frozen=True)
class TracedNeuron(Neuron):
    """A `Neuron` as the model has it: what it reads is real numbers or spikes, as they come.

    Where it never fires it gives its form F as real numbers.
    """

    mnemonic: ClassVar[str] = "traced_neuron"
    KINDS: ClassVar[tuple[Kind, ...]] = (Kind.REAL, Kind.SPIKE, Kind.CURRENT)

    @property
    def given(self) -> Kind:
        return Kind.REAL


def count_states(leak: Param, context: Context) -> int:
    """How many states a neuron with this leak has."""
    require(leak.axes[:1] == (STATE,), f"{leak} does not have the axis {STATE} first")
    n = int(context.array(leak).shape[0])
    require(1 <= n <= MOST_STATES, f"a neuron has 1 to {MOST_STATES} states, not {n}")
    return n


def require_over(
    param: Param | None, lead: tuple[str, ...], n: int, target: ValueType, context: Context
) -> None:
    """Raises TypeRuleError unless a constant lies over states first, then axes of a value."""
    if param is None:
        return
    array = context.array(param)
    rest = param.axes[len(lead) :]
    require(param.axes[: len(lead)] == lead, f"{param} does not have the axes {lead} first")
    require(array.shape[: len(lead)] == (n,) * len(lead), f"{param} is not of {n} states")
    require(len(set(rest)) == len(rest), f"{param} names an axis twice")
    sizes = {axis.name: axis.size for axis in target.axes}
    for name, size in zip(rest, array.shape[len(lead) :], strict=True):
        require(name in sizes, f"{param} lies over axis {name!r}, along which it may not differ")
        require(size == sizes[name], f"{param} has {size} elements on axis {name!r}, not as many")


def require_no_self(reads: Param | None, context: Context) -> None:
    """Raises TypeRuleError where a state reads itself beside its leak."""
    if reads is not None:
        table = context.array(reads)
        own = any(table[i, i].any() for i in range(len(table)))
        require(not own, "a state reads itself: that is its leak")


def require_flags(n: int, *flags: tuple[bool, ...]) -> None:
    """Raises TypeRuleError unless each is () or one truth value a state, not all of them false."""
    for each in flags:
        plain = all(type(flag) is bool for flag in each)
        require(
            not each or (plain and len(each) == n and any(each)), f"{each} is not of {n} states"
        )


@dataclass(frozen=True)
class State:
    """One state of a `Neuron`, see there; by default it leaks and nothing else.

    Attributes:
        leak, gain, bias, late, amount, keep, start: numbers, or constants over neurons' axes.
        reads, takes: by the number of the state that is read.
        swallow: whether a spike's next step loses state and input.
        floor, low, high: None for none.
    """

    leak: Number
    gain: Number = 0.0
    bias: Number = 0.0
    reads: Mapping[int, Number] = field(default_factory=dict[int, Number])
    late: Number = 0.0
    swallow: bool = False
    floor: Number | None = None
    keep: Number = 1.0
    amount: Number = 0.0
    takes: Mapping[int, Number] = field(default_factory=dict[int, Number])
    low: Number | None = None
    start: Number = 0.0
    high: Number | None = None


@dataclass(frozen=True)
class Fire:
    """When a `Neuron` fires, see there: where its form is at least ("gt": more than) the threshold.

    Attributes:
        threshold, compare, most: as there.
        step: None where `most` is 1.
        below: None where no spike is negative.
    """

    threshold: Number
    compare: str = "ge"
    most: int = 1
    step: Number | None = None
    below: Number | None = None


def neuron(
    builder: GraphBuilder,
    stem: str,
    states: Sequence[State],
    form: Mapping[int, Number],
    fire: Fire | None,
    *,
    traced: bool = True,
    read: Mapping[int, Number] | None = None,
) -> Neuron:
    """The op of some states, its constants stored under names that start with `stem`.

    Args:
        builder: of the graph that the op will be in; it has the constants that `states` name.
        stem: the neuron's name.
        states: in the order in which a step computes them.
        form: what is compared, or given, by the number of the state.
        fire: None for a neuron that never fires.
        traced: whether the graph is of the traced dialect.
        read: what it gives of its membranes, by the number of the state; None for spikes.
    """
    store = _Store(builder, stem, states)
    rows = range(len(states))
    return (TracedNeuron if traced else Neuron)(
        leak=store.of("leak", lambda s: s.leak),
        gain=store.of("gain", lambda s: s.gain),
        form=store.column("form", [form.get(i, 0.0) for i in rows]),
        threshold=store.one("threshold", None if fire is None else fire.threshold),
        compare="ge" if fire is None else fire.compare,
        bias=store.unless("bias", 0.0, lambda s: s.bias),
        reads=store.table("reads", [s.reads for s in states]),
        late=store.unless("late", 0.0, lambda s: s.late),
        keep=None if fire is None else store.unless("keep", 1.0, lambda s: s.keep),
        amount=store.unless("amount", 0.0, lambda s: s.amount),
        takes=store.table("takes", [s.takes for s in states]),
        start=store.unless("start", 0.0, lambda s: s.start),
        floor=store.present("floor", [s.floor for s in states]),
        low=store.present("low", [s.low for s in states]),
        swallow=_flags(s.swallow for s in states),
        has_floor=_flags(s.floor is not None for s in states),
        has_low=_flags(s.low is not None for s in states),
        most=1 if fire is None else fire.most,
        step=store.one("step", None if fire is None else fire.step),
        below=store.one("below", None if fire is None else fire.below),
        read=None if read is None else store.column("read", [read.get(i, 0.0) for i in rows]),
        high=store.present("high", [s.high for s in states]),
        has_high=_flags(s.high is not None for s in states),
    )


def _flags(each: Iterable[bool]) -> tuple[bool, ...]:
    found = tuple(each)
    return found if any(found) else ()


@dataclass(frozen=True)
class _Store:
    """Stacks numbers of states and stores them."""

    builder: GraphBuilder
    stem: str
    states: Sequence[State]

    def of(self, what: str, get: Callable[[State], Number]) -> Param:
        return self.column(what, [get(state) for state in self.states])

    def unless(self, what: str, usual: float, get: Callable[[State], Number]) -> Param | None:
        values = [get(state) for state in self.states]
        return None if all(value == usual for value in values) else self.column(what, values)

    def present(self, what: str, values: Sequence[Number | None]) -> Param | None:
        if all(value is None for value in values):
            return None
        return self.column(what, [0.0 if value is None else value for value in values])

    def one(self, what: str, value: Number | None) -> Param | None:
        if value is None or isinstance(value, Param):
            return value
        return self.builder.constant(f"{self.stem}.{what}", np.asarray(value, np.float64))

    def column(self, what: str, values: Sequence[Number]) -> Param:
        axes, stacked = self._stacked(values)
        return self.builder.constant(f"{self.stem}.{what}", stacked, (STATE, *axes))

    def table(self, what: str, rows: Sequence[Mapping[int, Number]]) -> Param | None:
        if not any(rows):
            return None
        n = len(rows)
        axes, flat = self._stacked([row.get(j, 0.0) for row in rows for j in range(n)])
        square = flat.reshape(n, n, *flat.shape[1:])
        return self.builder.constant(f"{self.stem}.{what}", square, (STATE, READ, *axes))

    def _stacked(self, values: Sequence[Number]) -> tuple[tuple[str, ...], NDArray[np.float64]]:
        """One number or constant for each place, over all axes that one of them has."""
        params = [value for value in values if isinstance(value, Param)]
        axes = tuple(dict.fromkeys(name for param in params for name in param.axes))
        parts = [self._over(value, axes) for value in values]
        shape = np.broadcast_shapes(*(part.shape for part in parts))
        return axes, np.stack([np.broadcast_to(part, shape) for part in parts])

    def _over(self, value: Number, axes: tuple[str, ...]) -> NDArray[np.float64]:
        if not isinstance(value, Param):
            return np.full((1,) * len(axes), value, np.float64)
        array: Array = np.asarray(self.builder.context.array(value), np.float64)
        order = [value.axes.index(name) for name in axes if name in value.axes]
        sizes = iter(array.transpose(order).shape)
        shape = [next(sizes) if name in value.axes else 1 for name in axes]
        return array.transpose(order).reshape(shape)
