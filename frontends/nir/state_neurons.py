"""Populations with several states, or resets that `Lif` does not have, as general neurons.

late      v' = (1 - a) v + g x - v_threshold z, z of the step before
first     z = old v > v_threshold, then v' = (1 - a) v + g x - v_threshold z
current   J' = (1 - a_syn) J + g_syn x, and v' takes r J' in place of r x, in the same step
no spikes the membrane itself is what is given
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from snncc.frontends.nir.conventions import Convention
from snncc.frontends.nir.neurons import (
    alike,
    check_leak,
    gain_of,
    ignored_r,
    refused,
    require_form,
    reset_of,
    start_of,
    steps_of,
    value_of,
)
from snncc.frontends.nir.records import NirNode, Real
from snncc.frontends.nir.values import Naming
from snncc.ir.dialects.neurons import Fire, Neuron, Number, State, neuron
from snncc.ir.op import Op

SILENT = {
    "LI": ("nir-literal", "norse", "sinabs"),
    "I": ("nir-literal",),
    "CubaLI": ("nir-literal",),
}
"""Membranes that never spike, with the conventions whose frameworks have them."""
TWO_STATES = ("snntorch", "snntorch-zero", "norse", "norse-export", "spikingjelly", "nir-literal")
"""Conventions whose frameworks have CubaLIF with a current that acts in the same step."""
ZERO: Real = np.zeros(())
ONE: Real = np.ones(())


def _zero() -> Real:
    return ZERO


@dataclass(frozen=True)
class Member:
    """One state, with numbers over the neurons or of shape (); see `State`."""

    leak: Real
    gain: Real = field(default_factory=_zero)
    bias: Real = field(default_factory=_zero)
    reads: Mapping[int, Real] = field(default_factory=dict[int, Real])
    late: Real = field(default_factory=_zero)
    keep: Real = field(default_factory=lambda: ONE)
    amount: Real = field(default_factory=_zero)
    start: Real = field(default_factory=_zero)


@dataclass(frozen=True)
class StateNeurons:
    """A population.

    Attributes:
        members: its states, in the order of a step; the last is the membrane, but where a state
            before it holds the old membrane.
        form: number of the state that is compared or given.
        threshold: None where it never spikes.
        compare: "gt" or "ge".
        notes: for users.
    """

    members: tuple[Member, ...]
    form: int
    threshold: Real | None
    compare: str
    notes: tuple[str, ...] = ()

    def op(self, n: Naming, shape: tuple[int, ...], dims: tuple[tuple[int, ...], ...]) -> Op:
        """The op over a value's dimensions."""

        def number(what: str, array: Real) -> Number:
            if (array == array.reshape(-1)[0]).all():
                return float(array.reshape(-1)[0])
            return n.compact(what, np.broadcast_to(array, shape), *dims)

        states = [
            State(
                leak=number(f"leak_{i}", each.leak),
                gain=number(f"gain_{i}", each.gain),
                bias=number(f"bias_{i}", each.bias),
                reads={j: number(f"reads_{i}_{j}", a) for j, a in each.reads.items()},
                late=number(f"late_{i}", each.late),
                keep=number(f"keep_{i}", each.keep),
                amount=number(f"amount_{i}", each.amount),
                start=number(f"start_{i}", each.start),
            )
            for i, each in enumerate(self.members)
        ]
        fire = None
        if self.threshold is not None:
            fire = Fire(number("level", self.threshold), self.compare)
        made: Neuron = neuron(n.builder, n.stem, states, {self.form: 1.0}, fire)
        return made


def state_neurons_of(node: NirNode, convention: Convention, dt: float | None) -> StateNeurons:
    """A LIF, IF, LI, I, CubaLIF or CubaLI node as general neurons.

    Raises:
        Refused: the convention has no such neurons, or these have no form.
    """
    with np.errstate(all="ignore"):  # what is beyond float64 is refused below
        found = _state_neurons(node, convention, dt)
    for member in found.members:
        numbers = (member.leak, member.gain, member.bias, member.amount, *member.reads.values())
        if not all(np.isfinite(each).all() for each in numbers):
            why = "its constants by dt/tau and r are more than float64 holds"
            raise refused(node, "has constants that cannot be computed", why, "see its r and tau")
    return found


def _state_neurons(node: NirNode, convention: Convention, dt: float | None) -> StateNeurons:
    if node.kind in SILENT and convention.name not in SILENT[node.kind]:
        have = ", ".join(SILENT[node.kind])
        why = f"its framework has no such membranes; {have} do"
        raise refused(node, f"has no meaning with --convention {convention.name}", why, "see there")
    if node.kind not in SILENT:
        require_form(node, convention)
    if node.kind == "CubaLIF" and convention.name not in TWO_STATES:
        why = "in which order its two states act within a step is not known of it"
        raise refused(node, f"has no form with --convention {convention.name}", why, "see docs")
    check_leak(node, convention)
    current, told = _current(node, convention, dt)
    membrane, more = _membrane(node, convention, dt, behind_current=current is not None)
    if node.kind in SILENT:
        members = (membrane,) if current is None else (current, membrane)
        return StateNeurons(members, len(members) - 1, None, convention.compare, (*told, *more))
    level = node.real("v_threshold")
    reset, moved = reset_of(node, convention)
    if convention.reset == "hard":
        spiking = replace(membrane, keep=ZERO, amount=-reset)
    elif convention.late and not convention.first_spikes:
        spiking = replace(membrane, late=level)
    else:
        spiking = replace(membrane, amount=level)
    notes = (*told, *more, *moved)
    if convention.first_spikes:
        old = Member(leak=ZERO, reads={1: ONE}, amount=ZERO)
        return StateNeurons((old, spiking), 0, level, convention.compare, notes)
    members = (spiking,) if current is None else (current, spiking)
    return StateNeurons(members, len(members) - 1, level, convention.compare, notes)


def _membrane(
    node: NirNode, convention: Convention, dt: float | None, *, behind_current: bool
) -> tuple[Member, tuple[str, ...]]:
    """The membrane without its reset."""
    step = 1.0 if dt is None else dt
    leak = value_of(node, "v_leak")
    if node.kind in ("IF", "I"):
        gain = gain_of(node, convention, ZERO, dt) if node.kind == "IF" else node.real("r") * step
        return Member(leak=ONE, gain=_one(gain)), ignored_r(node, convention)
    steps, told = steps_of(node, convention, dt, "tau_mem" if behind_current else "tau")
    share = 1.0 / steps
    start = start_of(convention, leak, reset_of(node, convention)[0])
    if not behind_current:
        gain = _one(gain_of(node, convention, share, dt))
        made = Member(1.0 - share, gain, bias=share * leak, start=start)
        return made, (*told, *ignored_r(node, convention))
    reads = {0: _one(share * node.real("r"))}
    return Member(1.0 - share, reads=reads, bias=share * leak, start=start), told


def _current(
    node: NirNode, convention: Convention, dt: float | None
) -> tuple[Member | None, tuple[str, ...]]:
    """The state that the input goes into, where there is one before the membrane."""
    if not node.kind.startswith("Cuba"):
        return None, ()
    steps, told = steps_of(node, convention, dt, "tau_syn")
    share = 1.0 / steps
    if convention.name == "norse-export":  # whose cell adds its input as it is
        return Member(1.0 - share, ONE), told
    if convention.name == "norse" and value_of(node, "v_leak").any():
        why = "its importer gives v_leak to the current too"
        raise refused(node, "has a v_leak other than 0", why, "see docs/nir.md")
    given = node.real("w_in") if "w_in" in node.fields else ONE
    return Member(1.0 - share, _one(share * given)), told


def _one(gain: Real) -> Real:
    """A gain, which is 1 where it differs from that as 32 bits do."""
    return ONE if alike(gain, 1.0) else gain
