"""What single neurons of each framework do with the numbers of a file: its own loop, in float64."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

Real = NDArray[np.float64]
Fields = dict[str, Any]
Reference = Callable[[str, Fields, Real, float], Real]


def nir_literal(kind: str, p: Fields, x: Real, dt: float) -> Real:
    """Euler steps of the equations in the documentation of NIR; x is [t, n, ...]."""
    v, out = np.zeros(x.shape[1:]), []
    for now in x:
        if kind == "IF":
            v = v + dt * (p["r"] * now)
        else:
            v = v + dt * ((p["v_leak"] - v) + p["r"] * now) / p["tau"]
        z = v > p["v_threshold"]
        v = np.where(z, p.get("v_reset", 0.0), v)
        out.append(z)
    return np.array(out, np.float64)


def snntorch(kind: str, p: Fields, x: Real, dt: float) -> Real:
    """Leaky with reset_mechanism='subtract' and reset_delay=True, its default; an IF has beta 1."""
    beta = 1.0 if kind == "IF" else 1.0 - 1e-4 / p["tau"]
    memory, out = np.zeros(x.shape[1:]), []
    for now in x:
        reset = (memory > p["v_threshold"]).astype(np.float64)
        memory = beta * memory + now - reset * p["v_threshold"]
        out.append(memory > p["v_threshold"])
    return np.array(out, np.float64)


def snntorch_zero(kind: str, p: Fields, x: Real, dt: float) -> Real:
    """Leaky with reset_mechanism='zero'; its gain is r dt / tau."""
    beta = 1.0 if kind == "IF" else 1.0 - 1e-4 / p["tau"]
    gain = 1.0 if kind == "IF" else p["r"] * 1e-4 / p["tau"]
    memory, out = np.zeros(x.shape[1:]), []
    for now in x:
        memory = beta * memory + gain * now
        spike = memory > p["v_threshold"]
        memory = memory * (1 - spike)
        out.append(spike)
    return np.array(out, np.float64)


def norse(kind: str, p: Fields, x: Real, dt: float) -> Real:
    """lif_box_feed_forward_step and the one of IAF: no r, reset to 0, from v_leak."""
    v, out = np.zeros(x.shape[1:]) + (0.0 if kind == "IF" else p["v_leak"]), []
    for now in x:
        v = v + now if kind == "IF" else v + dt * (1.0 / p["tau"]) * ((p["v_leak"] - v) + now)
        z = v > p["v_threshold"]
        v = (1 - z) * v
        out.append(z)
    return np.array(out, np.float64)


def norse_export(kind: str, p: Fields, x: Real, dt: float) -> Real:
    """Norse's own cell: tau_mem_inv is dt / (tau of the file), with dt 1e-3."""
    right = p if kind == "IF" else {**p, "tau": p["tau"] / 1e-3}
    return norse(kind, right, x, 1e-3)


def spikingjelly(kind: str, p: Fields, x: Real, dt: float) -> Real:
    """IFNode and LIFNode, with decay_input or without, as its importer reads r."""
    rest = p.get("v_reset", 0.0)
    v, out = np.zeros(x.shape[1:]) + rest, []
    for now in x:
        if kind == "IF":
            v = v + now * (p["r"] * dt)
        else:
            tau = p["tau"] / dt
            decays = np.all(p["r"] == 1.0)
            v = v + (now - (v - rest)) / tau if decays else v - (v - rest) / tau + now
        z = v >= p["v_threshold"]
        v = np.where(z, rest, v)
        out.append(z)
    return np.array(out, np.float64)


def spyx(kind: str, p: Fields, x: Real, dt: float) -> Real:
    """LIF and IF: the spike of the old membrane first; beta is 1 - 1 / tau, r is not read."""
    beta = 1.0 if kind == "IF" else 1.0 - 1.0 / p["tau"]
    v, out = np.zeros(x.shape[1:]), []
    for now in x:
        spikes = (v > p["v_threshold"]).astype(np.float64)
        v = beta * v + now - spikes * p["v_threshold"]
        out.append(spikes)
    return np.array(out)


def synaptic(p: Fields, x: Real, dt: float, convention: str) -> Real:
    """Two states of each framework: the current first, then the membrane that reads it."""
    if convention == "norse-export":
        alpha, beta = 1.0 - 1e-3 * (1e-3 / p["tau_syn"]), 1.0 - 1e-3 * (1e-3 / p["tau_mem"])
        into, onto = 1.0, (1.0 - beta) * p["r"]
    else:
        alpha, beta = 1.0 - dt / p["tau_syn"], 1.0 - dt / p["tau_mem"]
        into, onto = (1.0 - alpha) * p["w_in"], (1.0 - beta) * p["r"]
    rest = p["v_reset"] if convention in ("spikingjelly", "nir-literal") else 0.0
    start = rest if convention == "spikingjelly" else 0.0
    current, v = np.zeros(x.shape[1:]), np.zeros(x.shape[1:]) + start
    spikes, out = np.zeros(x.shape[1:]), []
    for now in x:
        current = alpha * current + into * now
        if convention == "snntorch":
            v = beta * v + onto * current - spikes * p["v_threshold"]
        else:
            v = beta * v + onto * current + (1.0 - beta) * p["v_leak"]
        fires = v >= p["v_threshold"] if convention == "spikingjelly" else v > p["v_threshold"]
        spikes = fires.astype(np.float64)
        if convention != "snntorch":
            v = np.where(fires, rest, v)
        out.append(spikes)
    return np.array(out)


REFERENCES: dict[str, Reference] = {
    "nir-literal": nir_literal,
    "snntorch": snntorch,
    "snntorch-zero": snntorch_zero,
    "norse": norse,
    "norse-export": norse_export,
    "spikingjelly": spikingjelly,
    "spyx": spyx,
}
