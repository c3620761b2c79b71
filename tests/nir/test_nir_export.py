"""`export --to nir`: literal equations of NIR give the program's spikes, and it comes back."""

import random
from collections import Counter
from pathlib import Path
from typing import Any

import nir_networks
import numpy as np
import pytest
from net_files import dense, image, neuron
from net_files import write as write_net
from nir_files import affine, chain, conv2d, ends, integrate, lif, write
from nir_fuzzer import mutant, number_places

import snncc
from snncc.cli.main import run
from snncc.diagnostics import SnnccError
from snncc.frontends.frontend import ModelSpec
from snncc.frontends.registry import read_model
from snncc.semantics.traced import run_traced

h5py = pytest.importorskip("h5py")
COUNTS = (0.0, 1.0 / 255.0)


def compiled(path: Path, convention: str, **more: Any) -> snncc.Program:
    given: dict[str, Any] = {"convention": convention, "steps": 8, "normalize": COUNTS}
    return snncc.compile(path, **{**given, "weight_bits": 12, **more})


def images_network(path: Path) -> Path:
    """Channels, windows, several maps to one population, a delay, and a bias by channel."""
    rng = np.random.default_rng(4)
    field = {key: np.full((3, 5, 5), value[0]) for key, value in integrate(1, r=1e4)[1].items()}
    pool = ("SumPool2d", {"kernel_size": [2, 2], "stride": [2, 2], "padding": [0, 0]})
    conv = conv2d(rng.integers(-3, 4, (3, 2, 2, 2)) * 0.25, [6, 6])
    nodes = {
        **ends([2, 6, 6], [4]),
        "conv": (conv[0], {**conv[1], "bias": rng.integers(-2, 3, 3) * 0.25}),
        "a": ("IF", field),
        "pool": pool,
        "flat": ("Flatten", {"start_dim": 0, "end_dim": -1}),
        "fc": affine(rng.integers(-3, 5, (4, 12)) * 0.25, [0.5, 0.0, -0.25, 0.25]),
        "more": affine(rng.integers(-3, 4, (4, 75)) * 0.25),
        "wait": ("Delay", {"delay": np.full((3, 5, 5), 2e-4)}),
        "plain": ("Flatten", {"start_dim": 0, "end_dim": -1}),
        "b": lif(4, tau=2e-4, r=2.0),
    }
    edges = [*chain("input", "conv", "a", "pool", "flat", "fc", "b", "output")]
    return write(path, nodes, [*edges, *chain("a", "wait", "plain", "more", "b")])


@pytest.mark.parametrize("convention", ["spikingjelly", "snntorch-zero"])
@pytest.mark.parametrize("seed", range(4))
def test_a_program_comes_back_and_literal_nir_has_its_spikes(
    tmp_path: Path, convention: str, seed: int
) -> None:
    """Leaks of 1/2 and 1/4 are exact in integers: NIR's real numbers decide alike."""
    first = tmp_path / "net.nir"
    if seed:
        nodes = nir_networks.network(convention, seed)
        if convention == "spikingjelly":  # a start and a reset other than 0 are more than NIR says
            for name in ("v_reset", "v_leak"):
                nodes["first"][1][name] = np.zeros(nir_networks.SIZES[1])
        nir_networks.store(first, nodes)
    else:
        images_network(first)
    program = compiled(first, convention)
    out = tmp_path / "out.nir"
    program.export("nir", out)
    back = snncc.compile(out, convention="snncc")
    assert back.digest == program.digest
    program.export("nir", tmp_path / "again.nir")
    assert (tmp_path / "again.nir").read_bytes() == out.read_bytes()
    given = np.random.default_rng(seed).integers(0, 6, (40, *program.input_shape), dtype=np.uint8)
    known = program.run(given)
    source = read_model(ModelSpec(out, convention="nir-literal", dt=1.0))
    trace = source.trace(program.input_shape, 8, "auto")
    assert trace.findings == ()
    values = run_traced(trace.graph, given.astype(np.float64))
    for name in program.populations:
        wanted, axes = known.spikes[name].values, known.spikes[name].axes
        ours = trace.graph[name].type.names
        order = [0, 1, *(axes.index(axis) for axis in axes[2:])]
        if len(ours) == 4:  # channels lead in NIR
            order = [0, 1, 4, 2, 3]
        assert 0.02 < wanted.mean() < 0.95
        assert (values[name] != wanted.transpose(order)).sum() == 0, name
    assert np.array_equal(values[trace.graph.output].argmax(axis=1), known.logits.argmax(axis=1))


def test_integers_of_loihi_go_out_and_come_back(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    layers = [
        image((5,), neuron(4096, 1024, 60)),
        dense(rng.integers(-30, 40, (4, 5)), neuron(4096, 300, 20), bias=[3.0, 0.0, -2.0, 1.0]),
        dense(rng.integers(-30, 40, (3, 4)), neuron(4096, 4096, 10)),
    ]
    for convention, first in (("lava-netx", 0), ("lava-slayer", 0), ("lava-slayer", 1)):
        path = write_net(tmp_path / "net.net", layers[first:])  # without its input: spikes a step
        program = snncc.compile(path, convention=convention, steps=9)
        program.export("nir", tmp_path / "net.nir", force=True)
        assert snncc.compile(tmp_path / "net.nir", convention="snncc").digest == program.digest


def test_a_file_that_was_changed_is_no_longer_that_program(tmp_path: Path) -> None:
    compiled(images_network(tmp_path / "net.nir"), "spikingjelly").export(
        "nir", path := tmp_path / "out.nir"
    )
    whole = path.read_bytes()
    for field, value in (
        ("b/tau", 3.0),
        ("conv/stride", 2),
        ("b/v_threshold", 9.0),
        ("conv/weight", 1.0),
    ):
        path.write_bytes(whole)
        with h5py.File(path, "r+") as file:
            held = file[f"node/nodes/{field}"]
            held[...] = np.full(held.shape, value, held.dtype)
        with pytest.raises(SnnccError) as error:
            snncc.compile(path, convention="snncc")
        assert error.value.code == "SNN151", field
    path.write_bytes(whole)
    for option in ({"steps": 9}, {"dt": 0.5}, {"normalize": (0.5, 0.5)}):
        with pytest.raises(SnnccError):
            snncc.compile(path, convention="snncc", **option)
    with pytest.raises(SnnccError) as error:
        snncc.compile(images_network(tmp_path / "other.nir"), convention="snncc")
    assert error.value.code == "SNN152"


def test_what_nir_cannot_say_is_refused_by_name(tmp_path: Path) -> None:
    path = nir_networks.store(tmp_path / "net.nir", nir_networks.network("snntorch", 1))
    with pytest.raises(SnnccError) as error:
        compiled(path, "snntorch").export("nir", tmp_path / "out.nir")
    assert error.value.code == "SNN040"
    assert "first" in error.value.findings[0].message
    nodes = {**ends([2], [2]), "fc": affine([[1.0, 0.5], [0.25, 1.0]]), "n": integrate(2, r=1e4)}
    edges = [*chain("input", "fc", "n", "output"), ("n", "n")]
    looped = compiled(write(tmp_path / "loop.nir", nodes, edges), "spikingjelly")
    with pytest.raises(SnnccError, match="closes a loop"):
        looped.export("nir", tmp_path / "out.nir")
    assert not (tmp_path / "out.nir").exists()


def test_the_command_replaces_only_what_it_wrote(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other, program = images_network(tmp_path / "net.nir"), tmp_path / "p.snncc"
    compiled(other, "spikingjelly").save(program)
    call = ["export", str(program), "--to", "nir", "-o"]
    assert run([*call, str(tmp_path / "new.nir")]) == 0
    assert "Conv2d" in capsys.readouterr().out
    for target, flags in ((other, ["--force"]), (tmp_path / "new.nir", [])):
        assert run([*call, str(target), *flags]) == 2
        assert "SNN002" in capsys.readouterr().err
    assert run([*call, str(tmp_path / "new.nir"), "--force"]) == 0
    assert run(["inspect", str(program)]) == 0


def test_mutants_of_an_export_are_programs_or_one_coded_error(tmp_path: Path) -> None:
    compiled(images_network(tmp_path / "net.nir"), "spikingjelly").export(
        "nir", path := tmp_path / "out.nir"
    )
    whole = path.read_bytes()
    places, found = number_places(whole), Counter[str]()
    rng = random.Random(5)  # noqa: S311
    for _ in range(120):
        path.write_bytes(mutant(rng, whole, places))
        try:
            source = read_model(ModelSpec(path, convention="snncc"))
            source.trace(source.input_shape or (), source.steps or 1, "auto")
            found["valid"] += 1
        except SnnccError as error:
            found[error.code] += 1
    assert {*found} <= {"valid", "SNN150", "SNN151", "SNN152", "SNN153", "SNN070"}
    assert found["SNN151"] > 20, found
    assert found["SNN150"] > 20, found
