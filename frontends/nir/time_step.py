"""dt: what the user or the convention says, or what the file's own resistances tell."""

import math
from dataclasses import dataclass

import numpy as np

from snncc.diagnostics import SnnccError
from snncc.frontends.nir.conventions import FIXED, FROM_R, GIVEN, USUAL, Convention
from snncc.frontends.nir.network import Network
from snncc.frontends.nir.records import OPEN, NirNode, Real

CLOSE = 1e-5
"""How far, relative, numbers may be apart that writers computed in 32 bits from one dt."""
STEPPED = {"LI": "tau", "LIF": "tau", "CubaLI": "tau_mem", "CubaLIF": "tau_mem", "IF": "", "I": ""}
"""Nodes whose steps depend on dt, with their time constant."""
WRITERS = "snnTorch and SpikingJelly write files for 1e-4, Norse for 1e-3, sinabs and Spyx for 1"


@dataclass(frozen=True)
class TimeStep:
    """Seconds from one step to the next, and where they are from.

    Attributes:
        seconds: dt; None where nothing depends on it.
        source: "given with --dt", ..., for users and the artefact.
    """

    seconds: float | None
    source: str


def time_step_of(
    network: Network, convention: Convention, given: float | None, name: str
) -> TimeStep:
    """The dt of a network.

    Raises:
        SnnccError: SNN152 where it is not known, or the user's is not the convention's.
    """
    stepped = [
        node
        for node in network.nodes
        if (node.kind in STEPPED and not (node.kind == "IF" and convention.gain_of_if == "one"))
        or node.kind == "Delay"
    ]
    if convention.dt_is == FIXED:
        if given is not None and given != convention.dt:
            raise SnnccError(
                OPEN,
                f"--dt {given:g} with --convention {convention.name}",
                why=f"its time step is always {convention.dt:g}",
                help="leave --dt out, or give another convention",
            )
        return TimeStep(convention.dt, f"always so with {convention.name}")
    if given is not None:
        return TimeStep(given, "given with --dt")
    if not stepped:
        return TimeStep(None, "nothing depends on it")
    found = _recovered(stepped, convention)
    if found is not None:
        return TimeStep(found, "recovered from tau and r of the file")
    if convention.dt_is == USUAL:
        return TimeStep(convention.dt, f"what {convention.name} writes when nothing else is said")
    raise SnnccError(
        OPEN,
        f"the time step of {name} is not known",
        why="a NIR file does not hold it, and its r and tau do not tell it: r = "
        f"{'(tau/dt) exp(-dt/tau)' if convention.dt_is == FROM_R else 'tau/dt'} for one dt and "
        "neurons of several tau would",
        help=f"give --dt SECONDS; {WRITERS}",
    )


def _recovered(stepped: list[NirNode], convention: Convention) -> float | None:
    """The one dt of which all resistances are; None where there is none, or any would do.

    A single time constant proves nothing where r need not be made from dt.
    """
    found: list[Real] = []
    constants: list[Real] = []
    for node in stepped:
        if "r" not in node.fields:
            continue
        r, constant = node.real("r"), STEPPED[node.kind]
        if (r <= 0.0).any() or (np.abs(r - 1.0) < CLOSE).all():
            return None
        tau = node.real(constant) if constant else np.ones(())
        share = _solved(r) if convention.dt_is == FROM_R and constant else 1.0 / r
        found.append((tau * share).reshape(-1))
        constants.append(tau.reshape(-1))
    every = np.concatenate(found) if found else np.empty(0)
    if not every.size or every.max() > every.min() * (1.0 + CLOSE):
        return None
    taus = np.concatenate(constants)
    if convention.dt_is == GIVEN and taus.max() <= taus.min() * (1.0 + CLOSE):
        return None
    return _shortest(float(np.median(every)))


def _solved(r: Real) -> Real:
    """The x = dt / tau for which r = exp(-x) / x."""
    x = 1.0 / (r + 1.0)
    for _ in range(60):
        x = np.exp(-x) / r * (1.0 + x) / (1.0 + np.exp(-x) / r)
    return x


def _shortest(value: float) -> float:
    """The number of fewest decimal digits that is as close as 32 bits tell."""
    for digits in range(1, 7):
        short = float(f"{value:.{digits - 1}e}")
        if math.isclose(short, value, rel_tol=CLOSE):
            return short
    return value
