"""The fields of a `Lif`, read off the polynomials of a cycle; else those of a general neuron."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from snncc.frontends.torch_recorder.loops.bounded_values import Comparison
from snncc.frontends.torch_recorder.loops.forms import Form
from snncc.frontends.torch_recorder.loops.late_bits import Tidied, tidied
from snncc.frontends.torch_recorder.loops.neuron_algebra import Cycle
from snncc.frontends.torch_recorder.loops.neuron_starts import check_first_step, start_of
from snncc.frontends.torch_recorder.loops.polynomials import (
    ONE,
    Polynomial,
    Variable,
    near,
    number,
    of,
)
from snncc.frontends.torch_recorder.loops.state_reading import neurons_of
from snncc.frontends.torch_recorder.loops.states import Read, States, Varied
from snncc.frontends.torch_recorder.loops.tape import NotRolled
from snncc.frontends.torch_recorder.loops.timing import Place
from snncc.ir.dialects.traced import Lif


@dataclass(frozen=True)
class Population:
    """Neurons.

    Attributes:
        op: what they are.
        currents: what they read, by form, with a gain each.
        bias: what is added to that in every step.
        spikes: the calls that give their spikes.
        membranes: the calls that give their membranes, where they never fire.
        offset: what is added to what they give.
    """

    op: Lif | States | Varied
    currents: Mapping[Form, float]
    bias: float
    spikes: frozenset[Place]
    membranes: frozenset[Place] = frozenset()
    offset: float = 0.0

    @property
    def gives_bits(self) -> bool:
        """Whether what they give is 0 or 1."""
        op = self.op.kinds[0] if isinstance(self.op, Varied) else self.op
        return isinstance(op, Lif) or op.gives_bits


def populations_of(
    cycle: Cycle, outputs: Collection[Place], *, general: bool = False
) -> tuple[Population, ...]:
    """The neurons that a cycle is: one that fires, or one for each membrane that is read.

    Args:
        cycle: the cycle.
        outputs: calls of it whose results are read elsewhere.
        general: whether a `Lif` is wanted in the general form too.

    Raises:
        NotRolled: it is no such neuron, and why.
    """
    tidy = tidied(cycle, outputs)
    plain = None if general else _plain(cycle, tidy, outputs)
    if plain is not None:
        return (plain,)
    return tuple(map(_general, neurons_of(cycle, tidy, outputs)))


def _plain(cycle: Cycle, tidy: Tidied, outputs: Collection[Place]) -> Population | None:
    """The `Lif` that a cycle is, if it is one."""
    values = tidy.values
    states = {v for value in values.values() for v in value.variables("state")}
    used = {v for value in values.values() for k in ("bit", "late") for v in value.variables(k)}
    fired = {Variable("bit", v.what) for v in used} & {*tidy.bits}
    if len(states) != 1 or len(fired) != 1 or tidy.clamps:
        return None
    (state,), (spike,) = states, fired
    start = start_of(cycle, state)
    try:
        found = _Reading(cycle, values, state, spike, tidy.bits[spike], start).population()
    except NotRolled:
        return None
    return found if found.spikes.issuperset(outputs) else None


def _general(read: Read) -> Population:
    spikes, membranes = read.gives, frozenset[Place]()
    if read.op.gives_current:
        spikes, membranes = membranes, spikes
    return Population(read.op, read.currents, 0.0, spikes, membranes, read.offset)


class _Reading:
    """One membrane and one comparison."""

    def __init__(
        self,
        cycle: Cycle,
        values: Mapping[Place, Polynomial],
        state: Variable,
        spike: Variable,
        fires: Comparison,
        start: float,
    ) -> None:
        self.cycle = cycle
        self.values = values
        self.state = state
        self.now, self.late = spike, Variable("late", spike.what)
        self.fires = fires
        self.start = start
        self.after = values[state.what]

    def population(self) -> Population:
        now, late = (v in self._bits() for v in (self.now, self.late))
        if now == late:
            raise self.refused(
                "it is reset twice" if now else "it fires, and its membrane is never reset"
            )
        charged = self.after.without("bit") if now else self.after
        threshold = self._threshold(charged.without("late") if late else charged, charged)
        leak, currents, bias = self._charge(charged.without("late"))
        reset = self._reset(charged, leak, threshold, now=now)
        bias -= (reset or 0.0) * (1.0 - leak)
        self._check_first_step()
        fired = threshold <= self.start if not self.fires.strict else threshold < self.start
        if late and fired:
            raise self.refused("its membrane starts above the threshold")
        op = Lif(
            tau=None if leak == 1.0 else 1.0 / (1.0 - leak),
            v_threshold=threshold,
            v_reset=reset,
            decay_input=False,
            compare="gt" if self.fires.strict else "ge",
            start=None if self.start == (reset or 0.0) else self.start,
        )
        spikes = frozenset(p for p, value in self.values.items() if value == of(self.now))
        return Population(op, currents, bias, spikes)

    def refused(self, why: str) -> NotRolled:
        self.cycle.last = self.cycle.loop.body[self.state.what]
        return self.cycle.refused(why)

    def _bits(self) -> set[Variable]:
        return self.after.variables("bit") | self.after.variables("late")

    def _threshold(self, plain: Polynomial, charged: Polynomial) -> float:
        """Where it fires: the comparison must be of the charged membrane, and of nothing else."""
        excess = self.fires.excess
        at = next((m for m in plain.terms if m != ONE), None)
        scale = 0.0 if at is None else excess.terms.get(at, 0.0) / plain.terms[at]
        rest = excess.plus(charged, -scale)
        off = rest.terms.get(ONE, 0.0)
        if scale <= 0.0 or not near(excess, charged.plus(number(off / scale)).scaled(scale)):
            raise self.refused("what is compared with the threshold is not its charged membrane")
        return -off / scale

    def _charge(self, plain: Polynomial) -> tuple[float, dict[Form, float], float]:
        """Leak, currents with their gains, and bias of the membrane without its reset."""
        leak, bias = 0.0, 0.0
        currents: dict[Form, float] = {}
        for monomial, value in plain.terms.items():
            if monomial == ONE:
                bias = value
                continue
            (variable,) = monomial
            if variable == self.state:
                leak = value
            else:
                currents[variable.what] = value
        if not 0.0 <= leak <= 1.0:
            raise self.refused(
                f"its membrane is multiplied by {leak:g} in every step, not by 0 to 1"
            )
        if not currents:
            raise self.refused("it reads no current")
        return leak, currents, bias

    def _reset(
        self, charged: Polynomial, leak: float, threshold: float, *, now: bool
    ) -> float | None:
        """What the membrane is reset to, None for a soft reset."""
        bit = of(self.now if now else self.late)
        held = charged if now else of(self.state)
        found = self.after.plus(charged.without("late"), -1.0)
        factor = 1.0 if now else leak
        if near(found, bit.scaled(-threshold * factor)):
            return None
        to = found.plus(bit.times(held).scaled(factor))
        amount = to.terms.get(frozenset((self.now if now else self.late,)), 0.0)
        if (factor or not amount) and near(
            found, bit.scaled(amount).plus(bit.times(held).scaled(factor), -1.0)
        ):
            return amount / factor if amount else 0.0
        plain = found.terms.get(frozenset((self.now if now else self.late,)))
        if plain is not None and len(found.terms) == 1:
            raise self.refused(
                f"a spike takes {-plain / factor:g} from the membrane; neurons of a program lose "
                f"their threshold, {threshold:g}, or are reset"
                if factor
                else "it has no memory but its reset"
            )
        raise self.refused("its reset is neither to a number nor by the threshold")

    def _check_first_step(self) -> None:
        first = {self.state: number(self.start), self.late: number(0.0)}
        check_first_step(self.cycle, self.values, first)
