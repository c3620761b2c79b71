"""Random networks of two populations as .nir files, all numbers dyadic: spikes must be equal."""

from pathlib import Path
from typing import Any

import numpy as np
from nir_files import affine, chain, ends, integrate, lif, write
from nir_references import REFERENCES, synaptic
from numpy.typing import NDArray

SIZES = (6, 8, 5)
STEPS = 12
TIME_STEPS = {"nir-literal": 2.0**-10, "norse": 2.0**-10, "norse-export": 1e-3, "spyx": 1.0}
"""By convention; 1e-4 for the others."""
Nodes = dict[str, tuple[str, Any]]
Real = NDArray[np.float64]


def time_step(convention: str) -> float:
    return TIME_STEPS.get(convention, 1e-4)


def network(convention: str, seed: int) -> Nodes:
    """Nodes of the chain input, a, first, b, second, output, as the framework would write them."""
    rng = np.random.default_rng(seed)
    inputs, hidden, outputs = SIZES
    dt = time_step(convention)
    tau = dt * float(rng.choice([2, 4]))
    leaky: dict[str, Any] = {"tau": tau, "v_threshold": rng.choice([0.5, 1.0, 1.5], hidden)}
    plain: dict[str, Any] = {"v_threshold": rng.choice([1.0, 2.0], outputs)}
    if convention == "nir-literal":
        leaky["r"] = rng.choice([1.0, 2.0, 0.5], hidden)
        leaky["v_leak"] = rng.choice([0.0, 0.25, -0.5], hidden)
        leaky["v_reset"] = rng.choice([0.0, -0.25, 0.25], hidden)
        plain |= {"r": 1.0 / dt, "v_reset": -0.5}
    elif convention == "norse":
        leaky |= {"v_leak": 0.25, "r": 3.0, "v_reset": 0.5}
    elif convention == "norse-export":
        leaky |= {"tau": tau * 1e-3, "v_leak": 0.25}
    elif convention == "spikingjelly":
        leaky |= {"v_reset": -0.25, "v_leak": -0.25, "r": tau / dt if seed % 2 else 1.0}
        plain["r"] = 1.0 / dt
    elif convention.startswith("snntorch"):
        leaky["r"] = tau / dt
    first = lif(hidden, **leaky)
    return {
        **ends([inputs], [outputs]),
        "a": affine(_weight(rng, hidden, inputs), rng.integers(-2, 3, hidden) * 0.25),
        "first": first,
        "b": affine(_weight(rng, outputs, hidden), rng.integers(-1, 3, outputs) * 0.25),
        "second": integrate(outputs, **plain),
    }


def with_two_states(convention: str, seed: int) -> Nodes:
    """The same with CubaLIF as its first population."""
    nodes, dt = network(convention, seed), time_step(convention)
    unit = dt * 1e-3 if convention == "norse-export" else dt
    rest = -0.25 if convention in ("spikingjelly", "nir-literal") else 0.0
    fields: dict[str, Any] = {
        "tau_syn": 2.0 * unit,
        "tau_mem": 4.0 * unit,
        "r": 4.0,
        "w_in": 2.0,
        "v_leak": rest if convention == "spikingjelly" else 0.5 * (convention == "nir-literal"),
        "v_threshold": 1.5,
        "v_reset": rest,
    }
    hidden = SIZES[1]
    return {**nodes, "first": ("CubaLIF", {key: np.full(hidden, v) for key, v in fields.items()})}


def _weight(rng: np.random.Generator, rows: int, columns: int) -> Real:
    weight: Real = rng.integers(-4, 5, (rows, columns)) * 0.25
    return weight


def store(path: Path, nodes: Nodes) -> Path:
    return write(path, nodes, chain("input", "a", "first", "b", "second", "output"))


def expected(convention: str, nodes: Nodes, images: NDArray[np.uint8]) -> dict[str, Real]:
    """Spikes [t, n, neurons] by the framework's own loops, for images that stand still."""
    reference, dt = REFERENCES[convention], time_step(convention)
    x: Real = np.broadcast_to(images.astype(np.float64), (STEPS, *images.shape))
    found: dict[str, Real] = {}
    for mapped, neurons in (("a", "first"), ("b", "second")):
        fields = nodes[mapped][1]
        kind, parameters = nodes[neurons]
        x = x @ fields["weight"].T + fields["bias"]
        if kind == "CubaLIF":
            x = synaptic(parameters, x, dt, convention)
        else:
            x = reference(kind, parameters, x, dt)
        found[neurons] = x
    return found
