""".net files give the bits of lava-dl, of NetX and of slayer, and what is wrong has a name."""

import random
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import net_reference
import numpy as np
import pytest
from net_files import dense, image, neuron, random_layers, write
from nir_fuzzer import mutant, number_places

import snncc
from snncc.cli.main import run
from snncc.diagnostics import SnnccError
from snncc.frontends.frontend import ModelSpec
from snncc.frontends.registry import read_model
from snncc.runtime import interpret

STEPS = 12


def over(values: np.ndarray, names: tuple[str, ...]) -> np.ndarray:
    """Spikes of one sample as [t, c, h, w] or [t, f]."""
    order = [names.index("t")]
    order += [
        next(i for i, name in enumerate(names) if name.startswith(stem))
        for stem in ("c_", "h_", "w_", "f_")
        if any(name.startswith(stem) for name in names)
    ]
    return values.transpose(order)


@pytest.mark.parametrize("seed", [0, 1, 3, 4, 5, 7, 8, 10])
def test_spikes_and_answers_are_those_of_lava_dl(tmp_path: Path, seed: int) -> None:
    convention = ("lava-netx", "lava-slayer")[seed % 2]
    layers, shape, pictures = random_layers(seed, exponents=convention == "lava-slayer")
    rng = np.random.default_rng(seed)
    given = rng.integers(0, 90, shape) if pictures else rng.integers(0, 2, (STEPS, *shape))
    path = write(tmp_path / "net.net", layers)
    program = snncc.compile(path, convention=convention, steps=STEPS)
    netx = convention == "lava-netx"
    spikes, _, answer = net_reference.run(layers, given.astype(np.int64), STEPS, netx=netx)
    batch = given[None].astype(np.uint8)
    fast, slow = program.run(batch), interpret(program.graph, batch, program.populations)
    fired = 0
    for name in program.populations:
        wanted = spikes[int(name.removeprefix("layer_"))]
        names = program.graph[name].type.names
        assert np.array_equal(over(slow.spikes[name][0], names), wanted), name
        axes = fast.spikes[name].axes
        assert np.array_equal(over(fast.spikes[name].values[0], axes[1:]), wanted), name
        fired += int(wanted.sum())
    assert fired > 0, "silent networks do not count"
    told = program.notes[-1]
    wanted = answer[-1] if "after the last step" in told else answer.sum(axis=0)
    assert np.array_equal(fast.logits[0], wanted), told
    program.save(tmp_path / "net.snncc")
    assert snncc.load(tmp_path / "net.snncc") == program


@pytest.mark.parametrize("convention", ["lava-slayer", "lava-netx"])
def test_the_golden_spikes_of_the_tiny_network(convention: str, shared: Path) -> None:
    folder = shared / "data/lava_tiny"
    biases = np.load(folder / "input_bias.npy").transpose(2, 1, 0).astype(np.uint8)
    golden = [np.load(folder / f"{name}.npy")[0] for name in ("input", "layer1", "output")]
    late = convention == "lava-netx"
    path = shared / "data/models/lava_tiny.net"
    result = snncc.compile(path, convention=convention, steps=16).run(biases[None])
    for number, wanted in enumerate(golden[:1] if late else golden):
        held = result.spikes[f"layer_{number}"]
        found = over(held.values[0], held.axes[1:])
        kept = wanted.transpose(3, 0, 1, 2)  # its step 0 is before the first
        assert not kept[0].any()
        assert (found[:-1] != kept[1:]).sum() == 0, number
        assert wanted.sum() > 50
    profile = snncc.compile(path, convention="lava-slayer", profile="loihi-lava")
    assert (profile.steps, profile.graph.profile) == (64, "loihi-lava")


def test_a_membrane_that_lava_holds_at_its_lower_end(tmp_path: Path) -> None:
    """656 steps of -200 << 6 leave 24 bits: v stays at -(2^23 - 1), and comes back from there."""
    weight = np.array([[-200.0, 254.0]])
    layers = [dense(weight, neuron(4096, 0, 100)), dense([[1.0]])]
    steps = 1230
    given = np.zeros((steps, 2), np.int64)
    given[:700, 0], given[700:, 1] = 1, 1
    path = write(tmp_path / "net.net", layers)
    program = snncc.compile(path, convention="lava-slayer", steps=steps)
    found = program.run(given[None].astype(np.uint8)).spikes["layer_0"].values.reshape(-1)
    v, wanted = 0, []
    for left, right in given:
        v = max(v + ((254 * right - 200 * left) << 6), -(2**23) + 1)
        wanted.append(int(v > 6400))
        v = 0 if v > 6400 else v
    assert np.array_equal(found, wanted)
    assert 0 < sum(wanted) < 200


FAULTS: dict[str, tuple[list[Mapping[str, Any]], str, str]] = {
    "unknown type": ([{**dense([[1.0]]), "type": "wide"}], "SNN151", "type that lava-dl"),
    "sigma-delta": ([dense([[1.0]], {"type": "SDNN", "vThMant": 1})], "SNN153", "level none"),
    "another neuron": ([dense([[1.0]], {"type": "RF"})], "SNN153", "type 'RF'"),
    "graded": ([dense([[1.0]], neuron(gradedSpike=True))], "SNN153", "graded spikes"),
    "refractory": ([dense([[1.0]], neuron(refDelay=2))], "SNN153", "refractory"),
    "half a weight": ([dense([[0.5]], neuron())], "SNN151", "not whole"),
    "NaN": ([dense([[np.nan]], neuron())], "SNN151", "not finite"),
    "a decay": ([dense([[1.0]], neuron(current=5000))], "SNN151", "iDecay 5,000"),
    "no decay": (
        [dense([[1.0]], {k: v for k, v in neuron().items() if k != "vDecay"})],
        "SNN151",
        "without vDecay",
    ),
    "unknown field": ([dense([[1.0]], neuron(), more=1)], "SNN151", "has more"),
    "unknown parameter": ([dense([[1.0]], neuron(leak=1))], "SNN151", "neurons with leak"),
    "average": ([dense([[1.0]], neuron()), {"type": "average", "shape": [1]}], "SNN153", "average"),
    "no weight": ([{"type": "dense", "shape": [1]}], "SNN151", "has no weight"),
    "another width": (
        [dense([[1.0]], neuron()), dense([[1.0, 2.0]])],
        "SNN151",
        "reads 2 values, and gets [1]",
    ),
    "no flatten": (
        [image((2, 2, 2), neuron()), dense(np.ones((1, 8)), neuron())],
        "SNN151",
        "without a flatten",
    ),
    "wide weights": ([dense([[300.0, -1.0]], neuron())], "SNN153", "weights -1..300"),
    "a late weight": ([dense([[1.0]], neuron(), delay=[63])], "SNN151", "delays of 63"),
    "a membrane between": ([dense([[1.0]]), dense([[1.0]], neuron())], "SNN153", "no neurons"),
    "only an input": ([image((2,), neuron())], "SNN151", "is the last"),
    "another shape": (
        [{**dense([[1.0]], neuron()), "shape": [2]}],
        "SNN151",
        "says that it has [2] neurons",
    ),
    "half a window": (
        [
            image((1, 5, 4), neuron()),
            {"type": "pool", "weight": np.ones((1, 1, 2, 2, 1)), "neuron": neuron()},
        ],
        "SNN151",
        "do not fill the image [5, 4]",
    ),
    "a current that wraps": (
        [dense(np.full((1, 900), 250.0), neuron(current=10))],
        "SNN153",
        "wraps around",
    ),
}


def test_the_command_compiles_a_file(tmp_path: Path) -> None:
    layers, _, pictures = random_layers(1, exponents=True)
    path, out = write(tmp_path / "net.net", layers), tmp_path / "net.snncc"
    call = ["compile", str(path), "-o", str(out), "--convention", "lava-slayer", "--steps", "12"]
    assert run(call) == 0
    assert snncc.load(out).graph.steps == 12
    assert bool(pictures) == (len(snncc.load(out).graph.nodes[0].type.shape) == 3)


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_one_coded_finding_with_its_layer(tmp_path: Path, fault: str) -> None:
    layers, code, told = FAULTS[fault]
    path = write(tmp_path / "net.net", layers)
    with pytest.raises(SnnccError) as error:
        snncc.compile(path, convention="lava-netx", steps=100)
    (finding,) = error.value.findings
    assert finding.code == code
    assert told in finding.message + finding.why
    assert finding.loc is not None
    assert finding.loc.module_path.startswith("layer_")


def test_options_that_would_change_an_integer_are_refused_by_name(tmp_path: Path) -> None:
    path = write(tmp_path / "net.net", [dense([[3.0]], neuron())])
    with pytest.raises(SnnccError) as error:
        snncc.compile(path)
    assert error.value.code == "SNN152"
    for name, value in (
        ("normalize", (0.5, 0.5)),
        ("weight_bits", 4),
        ("gain", "unshared"),
        ("decay", "by-step"),
        ("encoding", "host"),
        ("calibrate", np.zeros((1, 2, 1), np.uint8)),
        ("dt", 1.0),
        ("layout", "frame"),
        ("convention", "norse"),
        ("input_shape", (2,)),
    ):
        with pytest.raises(SnnccError) as error:
            snncc.compile(path, **{"convention": "lava-netx", "steps": 2, name: value})
        assert error.value.code == "SNN001", name
        assert name.replace("_", "-") in str(error.value).replace("_", "-"), name
    spec = ModelSpec(path, convention="lava-netx")
    assert read_model(spec).whole


def test_a_mutant_is_a_program_or_one_coded_error(tmp_path: Path) -> None:
    rng, found = random.Random(3), Counter[str]()  # noqa: S311
    wholes = [write(tmp_path / f"{n}.net", random_layers(n)[0]).read_bytes() for n in (0, 1, 5)]
    originals = [(whole, number_places(whole)) for whole in wholes]
    path = tmp_path / "mutant.net"
    for _ in range(500):
        path.write_bytes(mutant(rng, *rng.choice(originals)))
        try:
            source = read_model(
                ModelSpec(path, convention=rng.choice(("lava-netx", "lava-slayer")))
            )
            source.trace(source.input_shape or (1, 4, 4), 3, "auto")
            found["valid"] += 1
        except SnnccError as error:
            codes = {finding.code for finding in error.findings}
            assert codes <= {"SNN001", "SNN033", "SNN070", "SNN150", "SNN151", "SNN153"}, codes
            found[error.code] += 1
    assert min(found[kind] for kind in ("valid", "SNN150", "SNN151")) > 40, found
