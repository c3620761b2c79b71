"""Recurrent edges and delays of .nir files, against the frameworks' own steps."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from nir_files import affine, chain, ends, integrate, lif, write
from nir_networks import STEPS, time_step
from nir_references import REFERENCES, synaptic

import snncc
from snncc.frontends.frontend import ModelSpec
from snncc.frontends.nir.conventions import CONVENTIONS
from snncc.frontends.registry import read_model
from snncc.runtime import interpret

CUT = [name for name, each in CONVENTIONS.items() if each.cut and name in REFERENCES]
COUNTS = (0.0, 1.0 / 255.0)
LINE = chain("input", "fc", "a", "wait", "out", "b", "output")


def quarters(rng: np.random.Generator, *shape: int) -> np.ndarray:
    return rng.integers(-4, 5, shape) * 0.25


@pytest.mark.parametrize("kind", ["LIF", "CubaLIF"])
@pytest.mark.parametrize("convention", CUT)
def test_a_loop_is_cut_where_the_framework_cuts_it(
    tmp_path: Path, convention: str, kind: str
) -> None:
    """Biases in the loop tell "spike" from "w_rec": the second lacks them in the first step."""
    rng, dt = np.random.default_rng(len(convention)), time_step(convention)
    unit = dt * 1e-3 if convention == "norse-export" else dt
    tau: dict[str, Any] = {"tau": 2.0 * unit}
    if convention.startswith("snntorch") or convention == "spikingjelly":
        tau["r"] = 2.0
    neurons = lif(4, **tau)
    if kind == "CubaLIF":
        fields = {"tau_syn": 2.0 * unit, "tau_mem": 4.0 * unit, "r": 4.0, "w_in": 2.0}
        fields |= {"v_leak": 0.0, "v_threshold": 1.0, "v_reset": 0.0}
        neurons = ("CubaLIF", {key: np.full(4, value) for key, value in fields.items()})
    nodes = {
        **ends([3], [4]),
        "fc": affine(quarters(rng, 4, 3)),
        "n": neurons,
        "back": affine(quarters(rng, 4, 4), rng.integers(1, 3, 4) * 0.5),
    }
    edges = [*chain("input", "fc", "n", "output"), ("n", "back"), ("back", "n")]
    path = write(tmp_path / "net.nir", nodes, edges)
    given = {"nir-literal", "norse"}
    program = snncc.compile(
        path,
        convention=convention,
        dt=dt if convention in given else None,
        steps=STEPS,
        normalize=COUNTS,
        weight_bits=16,
    )
    images = rng.integers(0, 4, (200, 3), dtype=np.uint8)
    first = images.astype(np.float64) @ nodes["fc"][1]["weight"].T
    spikes = np.zeros((STEPS, 200, 4))
    for _ in range(STEPS):  # each round makes one step more right
        before = np.concatenate([np.zeros((1, 200, 4)), spikes[:-1]])
        back = before @ nodes["back"][1]["weight"].T + nodes["back"][1]["bias"]
        if CONVENTIONS[convention].cut == "w_rec":
            back[0] = 0.0
        x = first + back
        if kind == "CubaLIF":
            spikes = synaptic(neurons[1], x, dt, convention)
        else:
            spikes = REFERENCES[convention](kind, neurons[1], x, dt)
    assert 0.05 < spikes.mean() < 0.9
    found = interpret(program.graph, images, ("n",)).spikes["n"]
    assert (np.moveaxis(found, 1, 0) != spikes).sum() == 0
    fast = program.run(images[:10]).spikes["n"].values
    assert (np.moveaxis(fast, 1, 0) != spikes[:, :10]).sum() == 0


def test_delays_wait_for_whole_steps_element_by_element(tmp_path: Path) -> None:
    rng = np.random.default_rng(2)
    waits = np.array([0.0, 2.0, 1.0, 2.0])
    nodes = {
        **ends([3], [2]),
        "fc": affine(quarters(rng, 4, 3) + 0.5),
        "a": integrate(4, r=1.0),
        "wait": ("Delay", {"delay": np.float32(1e-3) * waits}),
        "out": affine(quarters(rng, 2, 4) + 0.25),
        "b": integrate(2, r=1.0),
    }
    path = write(
        tmp_path / "net.nir", nodes, chain("input", "fc", "a", "wait", "out", "b", "output")
    )
    program = snncc.compile(path, convention="snntorch", normalize=COUNTS, steps=9, weight_bits=16)
    images = rng.integers(0, 3, (50, 3), dtype=np.uint8)
    run = REFERENCES["snntorch"]
    x = np.broadcast_to(images.astype(float) @ nodes["fc"][1]["weight"].T, (9, 50, 4))
    spikes = run("IF", nodes["a"][1], x, 1e-4)
    assert 0.1 < spikes.mean() < 0.9
    late = np.zeros_like(spikes)
    for i, wait in enumerate((waits * 10).astype(int)):
        late[wait:, :, i] = spikes[: max(0, 9 - wait), :, i]
    wanted = run("IF", nodes["b"][1], late @ nodes["out"][1]["weight"].T, 1e-4)
    found = interpret(program.graph, images, ("b",)).spikes["b"]
    assert (np.moveaxis(found, 1, 0) != wanted).sum() == 0
    nodes["wait"] = ("Delay", {"delay": np.full(4, 2e-4)})
    line = chain("input", "fc", "wait", "a", "out", "b", "output")  # a current waits
    path = write(tmp_path / "current.nir", nodes, line)
    program = snncc.compile(path, convention="snntorch", normalize=COUNTS, steps=9, weight_bits=16)
    held = interpret(program.graph, images, ("a",)).spikes["a"]
    assert np.array_equal(np.moveaxis(held, 1, 0)[2:], spikes[:-2])
    assert not held[:, :2].any()
    nodes["wait"] = ("Delay", {"delay": np.full(4, 2.5e-4)})
    path = write(
        tmp_path / "half.nir", nodes, chain("input", "fc", "a", "wait", "out", "b", "output")
    )
    source = read_model(ModelSpec(path, convention="snntorch"))
    (finding,) = source.trace((3,), 2, "auto").findings
    assert (finding.code, finding.loc.module_path) == ("SNN152", "wait")
    assert "2.5 steps" in finding.message
