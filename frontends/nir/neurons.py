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
            raise _refused(node, "has constants that cannot be computed", why, "see its r and tau")
    return found


def _neurons(node: NirNode, convention: Convention, dt: float | None) -> Neurons:
    _require_form(node, convention)
    share, tau, told = _leak(node, convention, dt)
    leak, reset = _field(node, "v_leak"), _field(node, "v_reset")
    if convention.leak != "any" and node.kind == "LIF":
        wanted = np.zeros(()) if convention.leak == "zero" else reset
        if not np.array_equal(*np.broadcast_arrays(leak, wanted)):
            than = "0" if convention.leak == "zero" else "v_reset"
            why = f"neurons of {convention.name} have none"
            raise _refused(node, f"has a v_leak other than {than}", why, "see docs/nir.md")
    if convention.reset_to == "zero" and reset.any():
        told = (*told, f"{node.title}: v_reset is not 0, and {convention.name} resets to 0")
        reset = np.zeros(())
    goal = np.zeros(()) if convention.reset == "soft" else reset
    level = _field(node, "v_threshold") - goal
    drive = np.zeros(()) if tau is None else leak - goal
    start = _start(convention, leak if tau is not None else np.zeros(()), reset) - goal
    gain = _gain(node, convention, share, dt)
    ignored = convention.gain_of_if == "one" if node.kind == "IF" else convention.gain != "file"
    if ignored and not _alike(node.real("r"), 1.0):
        told = (*told, f"{node.title}: r is not 1, and {convention.name} ignores it")
    decay_input = tau is not None and not _alike(gain, 1.0) and _alike(gain, share)
    if decay_input:
        offset, unit = drive, np.ones(())
    else:
        unit = np.ones(()) if _alike(gain, 1.0) else gain
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


def _require_form(node: NirNode, convention: Convention) -> None:
    """Raises Refused: what the convention's neurons do has no form yet."""
    lacks = [
        what
        for what, there in (
            ("several spikes a step", convention.several),
            ("a membrane that does not fall below -v_threshold", convention.floor),
            ("spikes that come before the step's input is added", convention.first_spikes),
        )
        if there and (node.kind == "IF" or "v_threshold" not in what)
    ]
    if convention.late and node.kind == "LIF" and not convention.first_spikes:
        lacks.append("a reset that acts one step later, and so takes v_threshold / (1 - dt/tau)")
    if lacks:
        raise _refused(
            node,
            f"has no form with --convention {convention.name}",
            f"its neurons have {' and '.join(lacks)}",
            "neurons of one state that spike once and are reset at once have a form: those of "
            "snntorch-zero, norse, norse-export, spikingjelly and nir-literal",
        )


def _leak(
    node: NirNode, convention: Convention, dt: float | None
) -> tuple[float, float | None, tuple[str, ...]]:
    """What of a membrane goes in a step, the tau in steps of which that is 1/tau, and notes."""
    if node.kind == "IF":
        return 0.0, None, ()
    seconds = node.real("tau")
    step = 1.0 if dt is None else dt
    if convention.tau_is != "seconds":
        seconds = seconds / step
    with np.errstate(all="ignore"):  # what overflows is not uniform, or refused below
        steps = seconds / step
        if convention.decay == "exponential":
            steps = 1.0 / -np.expm1(-step / seconds)
    tau = _single(node, steps, "time constants")
    if not 1.0 - SAME <= tau < float("inf"):
        raise Refused(
            node.finding(
                OPEN,
                f"{node.title} has a time constant of {float(seconds.reshape(-1)[0]):g} s, shorter "
                f"than the step of {step:g} s",
                "its membrane would leap over the value that it goes to",
                "give the --dt that the network was made for",
            )
        )
    whole = float(round(tau)) if tau <= MOST_STEPS else tau
    same = abs(tau - whole) <= SAME * whole
    if same and np.float32(1.0 - 1.0 / tau) == np.float32(1.0 - 1.0 / whole) and tau != whole:
        told = f"{node.title}: tau/dt = {tau:.9g} is taken as {whole:g}, as it is in 32 bits"
        return 1.0 / whole, whole, (told,)
    tau = max(tau, 1.0)
    return 1.0 / tau, tau, ()


def _gain(node: NirNode, convention: Convention, share: float, dt: float | None) -> Real:
    """What one unit of input adds to a membrane in a step."""
    r = node.real("r")
    if node.kind == "IF":
        gain = np.ones(()) if convention.gain_of_if == "one" else r * (1.0 if dt is None else dt)
    else:
        gain = {"one": np.ones(()), "tau": np.asarray(share), "file": share * r}[convention.gain]
    if (gain <= 0.0).any():
        why = "the sign of an input belongs into weights; without input a neuron does nothing"
        raise _refused(node, "has an r that is not above 0", why, "put the sign into the weights")
    return gain


def _start(convention: Convention, leak: Real, reset: Real) -> Real:
    return {"zero": np.zeros(()), "leak": leak, "reset": reset}[convention.start]


def _field(node: NirNode, name: str) -> Real:
    return node.real(name) if name in node.fields else np.zeros(())


def _alike(values: Real | float, wanted: float) -> bool:
    return bool(np.allclose(values, wanted, rtol=SAME, atol=0.0))


def _single(node: NirNode, values: Real, what: str) -> float:
    """The one value of all neurons."""
    first = float(np.asarray(values).reshape(-1)[0])
    if not (np.asarray(values) == first).all():
        low, high = float(np.min(values)), float(np.max(values))
        why = f"they are from {low:g} to {high:g}, and one population has one for all"
        raise _refused(node, f"has {what} that differ from neuron to neuron", why, "make them one")
    return first


def _refused(node: NirNode, told: str, why: str, help: str) -> Refused:
    return Refused(node.finding(NO_FORM, f"{node.title} {told}", why, help))
