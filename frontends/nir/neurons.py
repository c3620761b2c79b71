"""One population of a file as neurons of the traced dialect, by a convention.

What a neuron does, with W = v - (where a hard reset goes):

    W' = (1 - a) W + g x + a (v_leak - v_reset),  spike where W' > v_threshold - v_reset,  W := 0

a soft reset leaves v where it is and subtracts v_threshold. The traced `Lif` has a gain of 1 or of
a; for another one W is counted in units of g.
"""

from dataclasses import dataclass

import numpy as np

from snncc.frontends.nir.conventions import Convention
from snncc.frontends.nir.records import NO_FORM, OPEN, NirNode, Real, Refused

SAME = 1e-6
"""Relative; closer numbers are one number that was rounded to 32 bits somewhere."""
MOST_STEPS = 1 << 16


@dataclass(frozen=True)
class Neurons:
    """A population in the form of `traced.Lif`.

    Attributes:
        tau: of all neurons, in steps; None without a leak.
        decay_input: as of `Lif`.
        v_reset: 0 for a hard reset, None for a soft one.
        compare: "gt" or "ge".
        threshold: over the neurons, or of shape ().
        offset: what is added to their input at every step, likewise.
        start: of the membranes before the first step, likewise.
        notes: what was taken as something else, for users.
    """

    tau: float | None
    decay_input: bool
    v_reset: float | None
    compare: str
    threshold: Real
    offset: Real
    start: Real
    notes: tuple[str, ...] = ()

    @property
    def start_as_input(self) -> Real:
        """What the first step's input has to have more, for membranes that start at 0."""
        if self.tau is None:
            return self.start
        share: Real = self.start * (self.tau - 1.0 if self.decay_input else 1.0 - 1.0 / self.tau)
        return share


def neurons_of(node: NirNode, convention: Convention, dt: float | None) -> Neurons:
    """A LIF or IF node as neurons.

    Args:
        node: its fields are finite, time constants above 0.
        convention: how it is run.
        dt: seconds; None where nothing depends on it.

    Raises:
        Refused: the convention's neurons, or these parameters, have no form.
    """
    with np.errstate(all="ignore"):  # what is beyond float64 is refused below
        found = _neurons(node, convention, dt)
    for each in (found.threshold, found.offset, found.start):
        if not np.isfinite(each).all():
            why = "v_threshold or v_leak by dt/tau and r is more than float64 holds"
            raise refused(node, "has constants that cannot be computed", why, "see its r and tau")
    return found


def _neurons(node: NirNode, convention: Convention, dt: float | None) -> Neurons:
    require_form(node, convention)
    share, tau, told = _leak(node, convention, dt)
    check_leak(node, convention)
    leak = value_of(node, "v_leak")
    reset, more = reset_of(node, convention)
    goal = np.zeros(()) if convention.reset == "soft" else reset
    level = value_of(node, "v_threshold") - goal
    drive = np.zeros(()) if tau is None else leak - goal
    start = start_of(convention, leak if tau is not None else np.zeros(()), reset) - goal
    gain = gain_of(node, convention, np.asarray(share), dt)
    told = (*told, *more, *ignored_r(node, convention))
    decay_input = tau is not None and not alike(gain, 1.0) and alike(gain, share)
    if decay_input:
        offset, unit = drive, np.ones(())
    else:
        unit = np.ones(()) if alike(gain, 1.0) else gain
        offset = share * drive / unit
    return Neurons(
        tau,
        decay_input,
        None if convention.reset == "soft" else 0.0,
        convention.compare,
        level / unit,
        offset,
        start / unit,
        told,
    )


def require_form(node: NirNode, convention: Convention) -> None:
    """Raises Refused: what the convention's neurons do has no form."""
    lacks = ["several spikes a step"] if convention.several else []
    if convention.floor and node.kind == "IF":
        lacks.append("a membrane that does not fall below -v_threshold")
    if lacks:
        raise refused(
            node,
            f"has no form with --convention {convention.name}",
            f"its neurons have {' and '.join(lacks)}",
            "neurons that spike at most once a step have a form: those of the other conventions",
        )


def has_one_state(node: NirNode, convention: Convention) -> bool:
    """Whether a population is a `Lif`: reset at once, with one time constant for all neurons."""
    if convention.first_spikes or (convention.late and node.kind == "LIF"):
        return False
    return node.kind == "IF" or bool(np.ptp(node.real("tau")) == 0.0)


def check_leak(node: NirNode, convention: Convention) -> None:
    """Raises Refused: a v_leak that the convention's neurons do not have."""
    leak, reset = value_of(node, "v_leak"), value_of(node, "v_reset")
    if convention.leak == "any" or node.kind == "IF":
        return
    wanted = np.zeros(()) if convention.leak == "zero" else reset
    if (leak != wanted).any():
        than = "0" if convention.leak == "zero" else "v_reset"
        why = f"neurons of {convention.name} have none"
        raise refused(node, f"has a v_leak other than {than}", why, "see docs/nir.md")


def reset_of(node: NirNode, convention: Convention) -> tuple[Real, tuple[str, ...]]:
    """Where a hard reset goes, and a note where the file says otherwise."""
    reset = value_of(node, "v_reset")
    if convention.reset == "soft" and reset.any():
        told = f"{node.title}: v_reset is not 0, and {convention.name} subtracts v_threshold"
        return reset, (told,)
    if convention.reset_to == "zero" and reset.any():
        told = f"{node.title}: v_reset is not 0, and {convention.name} resets to 0"
        return np.zeros(()), (told,)
    return reset, ()


def ignored_r(node: NirNode, convention: Convention) -> tuple[str, ...]:
    """A note where the convention ignores an r that is not 1."""
    ignored = convention.gain_of_if == "one" if node.kind == "IF" else convention.gain != "file"
    if not ignored or alike(node.real("r"), 1.0):
        return ()
    return (f"{node.title}: r is not 1, and {convention.name} ignores it",)


def _leak(
    node: NirNode, convention: Convention, dt: float | None
) -> tuple[float, float | None, tuple[str, ...]]:
    """What of a membrane goes in a step, the tau in steps of which that is 1/tau, and notes."""
    if node.kind == "IF":
        return 0.0, None, ()
    steps, told = steps_of(node, convention, dt, "tau")
    tau = _single(node, steps, "time constants")
    return 1.0 / tau, tau, told


def steps_of(
    node: NirNode, convention: Convention, dt: float | None, name: str
) -> tuple[Real, tuple[str, ...]]:
    """Time constants in steps: 1 / steps of a state goes in each; and notes.

    Raises:
        Refused: one is shorter than a step.
    """
    seconds = node.real(name)
    step = 1.0 if dt is None else dt
    if convention.tau_is != "seconds":
        seconds = seconds / step
    steps = seconds / step
    if convention.decay == "exponential":
        steps = 1.0 / -np.expm1(-step / seconds)
    if not ((steps >= 1.0 - SAME) & (steps < np.inf)).all():
        raise Refused(
            node.finding(
                OPEN,
                f"{node.title} has a {name} of {float(np.min(seconds)):g} s, shorter than the step "
                f"of {step:g} s",
                "what it keeps would leap over the value that it goes to",
                "give the --dt that the network was made for",
            )
        )
    whole = np.where(steps <= MOST_STEPS, np.rint(steps), steps)
    in_32_bits = np.float32(1.0 - 1.0 / steps) == np.float32(1.0 - 1.0 / whole)
    taken = np.where((np.abs(steps - whole) <= SAME * whole) & in_32_bits, whole, steps)
    moved = (taken != steps) & (np.abs(steps - taken) > 1e-12 * taken)
    if not moved.any():
        return np.maximum(taken, 1.0), ()
    first = float(steps[moved].reshape(-1)[0])
    told = f"{node.title}: {name}/dt = {first:.9g} is taken as {round(first)}, as it is in 32 bits"
    return np.maximum(taken, 1.0), (told,)


def gain_of(node: NirNode, convention: Convention, share: Real, dt: float | None) -> Real:
    """What one unit of input adds to a membrane in a step."""
    r = node.real("r")
    if node.kind == "IF":
        gain = np.ones(()) if convention.gain_of_if == "one" else r * (1.0 if dt is None else dt)
    else:
        gain = {"one": np.ones(()), "tau": share, "file": share * r}[convention.gain]
    if (gain <= 0.0).any():
        why = "the sign of an input belongs into weights; without input a neuron does nothing"
        raise refused(node, "has an r that is not above 0", why, "put the sign into the weights")
    return gain


def start_of(convention: Convention, leak: Real, reset: Real) -> Real:
    return {"zero": np.zeros(()), "leak": leak, "reset": reset}[convention.start]


def value_of(node: NirNode, name: str) -> Real:
    return node.real(name) if name in node.fields else np.zeros(())


def alike(values: Real | float, wanted: float) -> bool:
    return bool(np.allclose(values, wanted, rtol=SAME, atol=0.0))


def _single(node: NirNode, values: Real, what: str) -> float:
    """The one value of all neurons."""
    first = float(np.asarray(values).reshape(-1)[0])
    if not (np.asarray(values) == first).all():
        low, high = float(np.min(values)), float(np.max(values))
        why = f"they are from {low:g} to {high:g}, and one population has one for all"
        raise refused(node, f"has {what} that differ from neuron to neuron", why, "make them one")
    return first


def refused(node: NirNode, told: str, why: str, help: str) -> Refused:
    return Refused(node.finding(NO_FORM, f"{node.title} {told}", why, help))
