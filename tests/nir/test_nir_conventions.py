"""Spikes of .nir files are those of the framework whose convention is named, each of them."""

from pathlib import Path

import nir_networks
import numpy as np
import pytest
from nir_files import affine, chain, ends, integrate, lif, small, write
from nir_references import REFERENCES

import snncc
from snncc.diagnostics import SnnccError
from snncc.frontends.frontend import ModelSpec, Source
from snncc.frontends.nir.conventions import CONVENTIONS
from snncc.frontends.nir.state_neurons import TWO_STATES
from snncc.frontends.registry import read_model
from snncc.runtime import interpret
from snncc.semantics.traced import run_traced

LATER = {"sinabs", "rockpool"}
"""Conventions whose neurons have no form yet."""
COUNTS = (0.0, 1.0 / 255.0)
"""Normalisation with which an image enters as the numbers that it holds."""


def read(path: Path, convention: str | None, dt: float | None = None) -> Source:
    return read_model(ModelSpec(path, convention=convention, dt=dt))


def images(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 4, (1000, 6), dtype=np.uint8)


def test_every_convention_is_held_against_a_reference_or_refused() -> None:
    assert {*CONVENTIONS} == {*REFERENCES} | LATER


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("convention", REFERENCES)
def test_spikes_are_those_of_the_framework(tmp_path: Path, convention: str, seed: int) -> None:
    nodes = nir_networks.network(convention, seed)
    path = nir_networks.store(tmp_path / "net.nir", nodes)
    source = read(path, convention, nir_networks.time_step(convention))
    trace = source.trace((6,), nir_networks.STEPS, "auto")
    assert trace.findings == ()
    values = run_traced(trace.graph, images(seed).astype(np.float64))
    for name, spikes in nir_networks.expected(convention, nodes, images(seed)).items():
        assert 0.05 < spikes.mean() < 0.8, "silent neurons do not count"
        assert (np.moveaxis(values[name], 1, 0) != spikes).sum() == 0, name


@pytest.mark.parametrize("convention", TWO_STATES)
def test_neurons_with_a_current_of_their_own(tmp_path: Path, convention: str) -> None:
    nodes = nir_networks.with_two_states(convention, 1)
    path = nir_networks.store(tmp_path / "net.nir", nodes)
    source = read(path, convention, nir_networks.time_step(convention))
    trace = source.trace((6,), nir_networks.STEPS, "auto")
    assert trace.findings == ()
    values = run_traced(trace.graph, images(1).astype(np.float64))
    for name, spikes in nir_networks.expected(convention, nodes, images(1)).items():
        assert 0.05 < spikes.mean() < 0.8, "silent neurons do not count"
        assert (np.moveaxis(values[name], 1, 0) != spikes).sum() == 0, name


@pytest.mark.parametrize(
    ("convention", "states"),
    [*((name, 1) for name in REFERENCES), ("snntorch", 2), ("nir-literal", 2)],
)
def test_the_program_spikes_as_the_framework(tmp_path: Path, convention: str, states: int) -> None:
    make = nir_networks.network if states == 1 else nir_networks.with_two_states
    nodes = make(convention, 5)
    path = nir_networks.store(tmp_path / "net.nir", nodes)
    program = snncc.compile(
        path,
        convention=convention,
        dt=nir_networks.time_step(convention),
        steps=nir_networks.STEPS,
        normalize=COUNTS,
        weight_bits=16,
    )
    spikes = nir_networks.expected(convention, nodes, images(5))
    known = interpret(program.graph, images(5), tuple(spikes)).spikes
    few = program.run(images(5)[:20])
    for name, wanted in spikes.items():
        assert (np.moveaxis(known[name], 1, 0) != wanted).sum() == 0, name
        assert (few.spikes[name].values.transpose(1, 0, 2) != wanted[:, :20]).sum() == 0, name
    assert program.report["nir"]["convention"] == convention


def test_conventions_differ_where_frameworks_do(tmp_path: Path) -> None:
    """A current of exactly the threshold: >= spikes and > does not."""
    nodes = {**ends([1], [1]), "fc": affine([[1.0]]), "if": integrate(1, r=1e4)}
    path = write(tmp_path / "net.nir", nodes, chain("input", "fc", "if", "output"))
    rates = {}
    for convention in ("spikingjelly", "nir-literal", "snntorch"):
        dt = None if convention == "snntorch" else 1e-4
        trace = read(path, convention, dt).trace((1,), 4, "auto")
        rates[convention] = run_traced(trace.graph, np.ones((1, 1)))["if"].ravel().tolist()
    assert rates == {
        "spikingjelly": [1, 1, 1, 1],
        "nir-literal": [0, 1, 0, 1],  # hard: two units for each
        "snntorch": [0, 1, 1, 1],  # soft: one unit stays
    }


@pytest.mark.parametrize("convention", sorted(LATER))
def test_neurons_without_a_form_are_refused_by_name(tmp_path: Path, convention: str) -> None:
    path = small(tmp_path / "net.nir", r=20.0)
    dt = 1e-4 if convention == "rockpool" else None
    source = read(path, convention, dt)
    (finding,) = source.trace((2,), 4, "auto").findings
    assert (finding.code, finding.loc and finding.loc.module_path) == ("SNN153", "lif")
    assert convention in finding.message
    assert "spike" in finding.why
    with pytest.raises(SnnccError) as error:
        snncc.compile(path, convention=convention, dt=dt)
    assert error.value.code == "SNN153"


def test_membranes_that_are_read(tmp_path: Path) -> None:
    """LI: tau dv/dt = v_leak - v + r x; the answer is the mean of v over the steps."""
    fields = {"tau": np.array([2.0, 4.0]), "r": np.full(2, 3.0), "v_leak": np.full(2, 0.5)}
    nodes = {**ends([2], [2]), "fc": affine([[1.0, 0.5], [0.25, -1.0]]), "li": ("LI", fields)}
    path = write(tmp_path / "net.nir", nodes, chain("input", "fc", "li", "output"))
    given = np.random.default_rng(0).integers(0, 8, (50, 2)).astype(np.float64)
    for convention, gain, start in (("nir-literal", 3.0, 0.0), ("norse", 1.0, 0.5)):
        graph = read(path, convention, 1.0).trace((2,), 8, "auto").graph
        v, total = np.full((50, 2), start), np.zeros((50, 2))
        for _ in range(8):
            x = given @ nodes["fc"][1]["weight"].T
            v = v + (fields["v_leak"] - v + gain * x) / fields["tau"]
            total += v
        assert np.allclose(run_traced(graph, given)[graph.output], total / 8, rtol=1e-12)
    with pytest.raises(SnnccError, match="no meaning with convention snntorch"):
        snncc.compile(path, convention="snntorch")


def test_leaks_of_sinabs_are_exponential(tmp_path: Path) -> None:
    """ExpLeak with norm_input: v' = alpha v + (1 - alpha) x, alpha = exp(-1 / tau)."""
    fields = {"tau": np.full(2, 3.0), "r": np.ones(2), "v_leak": np.zeros(2)}
    nodes = {**ends([2], [2]), "fc": affine(np.eye(2)), "li": ("LI", fields)}
    path = write(tmp_path / "net.nir", nodes, chain("input", "fc", "li", "output"))
    graph = read(path, "sinabs").trace((2,), 3, "auto").graph
    alpha = np.exp(-1.0 / 3.0)
    wanted = np.cumsum([(1 - alpha ** (t + 1)) for t in range(3)])[-1] / 3
    assert np.allclose(run_traced(graph, np.ones((1, 2)))[graph.output], wanted, rtol=1e-12)


def test_a_convention_is_asked_for(tmp_path: Path) -> None:
    with pytest.raises(SnnccError) as error:
        snncc.compile(small(tmp_path / "net.nir"))
    (finding,) = error.value.findings
    assert finding.code == "SNN152"
    assert all(name in finding.help for name in CONVENTIONS)
    assert all(any(name in line for line in finding.details) for name in CONVENTIONS)
    with pytest.raises(SnnccError, match="one of: snntorch"):
        snncc.compile(small(tmp_path / "net.nir"), convention="norsee")


@pytest.mark.parametrize("convention", ["nir-literal", "norse"])
def test_dt_is_asked_for_where_the_file_does_not_tell_it(tmp_path: Path, convention: str) -> None:
    for fields in ({}, {"r": 5.0, "tau": 0.02}, {"r": [2.0, 3.0], "tau": [0.1, 0.2]}):
        path = small(tmp_path / "net.nir", **{k: np.asarray(v) for k, v in fields.items()})
        with pytest.raises(SnnccError) as error:
            read(path, convention)
        assert error.value.code == "SNN152"
        assert "--dt" in error.value.findings[0].help


def test_dt_is_recovered_from_resistances_of_several_time_constants(tmp_path: Path) -> None:
    tau = np.float32(1e-4) / (1 - np.float32([0.9, 0.55]))
    path = small(tmp_path / "net.nir", tau=tau, r=tau / np.float32(1e-4))
    source = read(path, "nir-literal")
    assert source.facts["nir"]["dt"] == 1e-4
    assert "recovered" in source.facts["nir"]["dt_is"]


def test_rockpool_tells_dt_by_its_resistance(tmp_path: Path) -> None:
    tau, dt = 0.02, 1e-3
    path = small(tmp_path / "net.nir", tau=tau, r=tau / dt * np.exp(-dt / tau))
    assert read(path, "rockpool").facts["nir"]["dt"] == dt


def test_a_dt_that_contradicts_the_convention_is_refused(tmp_path: Path) -> None:
    path = small(tmp_path / "net.nir")
    with pytest.raises(SnnccError) as error:
        read(path, "snntorch", 1e-3)
    assert error.value.code == "SNN152"
    assert read(path, "snntorch", 1e-4).facts["nir"]["dt"] == 1e-4
    for wrong in (0.0, -1.0, float("nan"), float("inf")):
        with pytest.raises(SnnccError) as error:
            snncc.compile(path, convention="norse", dt=wrong)
        assert error.value.code == "SNN001"


def test_a_step_longer_than_a_time_constant_is_refused(tmp_path: Path) -> None:
    path = small(tmp_path / "net.nir", tau=2.2e-4)
    (finding,) = read(path, "norse", 1e-3).trace((2,), 2, "auto").findings
    assert finding.code == "SNN152"
    assert "shorter than the step" in finding.message


def test_what_is_rounded_to_32_bits_is_taken_as_whole_and_said(tmp_path: Path) -> None:
    path = small(tmp_path / "net.nir", tau=np.float32([2.5e-4, 2.5e-4]))
    trace = read(path, "nir-literal", 1.25e-4).trace((2,), 2, "auto")
    assert trace.graph["lif"].op.tau == 2.0
    assert any("taken as 2" in note for note in trace.notes)
    exact = small(tmp_path / "exact.nir", tau=2.5e-4 * (1 + 1e-4))
    trace = read(exact, "nir-literal", 1.25e-4).trace((2,), 2, "auto")
    assert trace.graph["lif"].op.tau != 2.0


@pytest.mark.parametrize(
    ("convention", "fields", "told"),
    [
        ("nir-literal", {"r": [1.0, -1.0]}, "not above 0"),
        ("nir-literal", {"r": 0.0}, "not above 0"),
        ("snntorch-zero", {"v_leak": 0.5}, "v_leak other than 0"),
        ("spikingjelly", {"v_leak": 0.5}, "v_leak other than v_reset"),
    ],
)
def test_parameters_without_a_form_are_refused(
    tmp_path: Path, convention: str, fields: dict[str, object], told: str
) -> None:
    given = {key: np.broadcast_to(np.asarray(each), 2) for key, each in fields.items()}
    path = small(tmp_path / "net.nir", **given)
    dt = None if convention == "snntorch-zero" else 1e-4
    (finding,) = read(path, convention, dt).trace((2,), 2, "auto").findings
    assert told in finding.message
    assert finding.code == "SNN153"


def test_time_constants_may_differ_from_neuron_to_neuron(tmp_path: Path) -> None:
    path = small(tmp_path / "net.nir", tau=np.array([2.0, 4.0]))
    graph = read(path, "nir-literal", 1.0).trace((2,), 9, "auto").graph
    given = np.random.default_rng(1).integers(0, 6, (200, 2)).astype(np.float64)
    x = given @ np.array([[1.0, -1.0], [0.5, 0.25]]).T
    v, wanted = np.zeros((200, 2)), []
    for _ in range(9):
        v = v + (x - v) / np.array([2.0, 4.0])
        wanted.append(v > 1.0)
        v = np.where(v > 1.0, 0.0, v)
    assert 0.05 < np.mean(wanted) < 0.8
    assert np.array_equal(np.moveaxis(run_traced(graph, given)["lif"], 1, 0), wanted)


def test_what_norse_ignores_is_said(tmp_path: Path) -> None:
    path = small(tmp_path / "net.nir", r=3.0, v_reset=0.25)
    notes = read(path, "norse", 1.0).trace((2,), 2, "auto").notes
    assert any("r is not 1" in note for note in notes)
    assert any("v_reset is not 0" in note for note in notes)


def test_a_v_reset_that_is_not_used_is_said(tmp_path: Path) -> None:
    path = small(tmp_path / "net.nir", v_reset=0.25, tau=2e-4)
    notes = read(path, "snntorch").trace((2,), 2, "auto").notes
    assert any("subtracts v_threshold" in note for note in notes)


def test_old_files_without_v_reset_reset_to_0(tmp_path: Path) -> None:
    both = [
        read(small(tmp_path / f"{i}.nir", v_reset=each), "nir-literal", 1.0)
        for i, each in enumerate((None, 0.0))
    ]
    old, new = (source.trace((2,), 3, "auto").graph for source in both)
    assert old["lif"].op == new["lif"].op


def test_the_artefact_and_inspect_say_what_the_file_leaves_open(tmp_path: Path, capsys) -> None:
    from snncc.cli.main import run

    path = small(tmp_path / "net.nir")
    program = str(tmp_path / "net.snncc")
    call = ["compile", str(path), "-o", program, "--convention", "nir-literal", "--dt", "0.5"]
    assert run(call) == 0
    assert "nir-literal" in capsys.readouterr().err
    held = snncc.load(program).report["nir"]
    assert (held["convention"], held["dt"], held["reset"]) == ("nir-literal", 0.5, "hard")
    assert {*CONVENTIONS["nir-literal"].facts} <= {*held}
    assert run(["inspect", program]) == 0
    shown = capsys.readouterr().out
    for part in ("nir-literal", "dt 0.5 s", "given with --dt", "compare gt", "reset hard"):
        assert part in shown


def test_reading_needs_no_torch(tmp_path: Path) -> None:
    import subprocess
    import sys

    path = small(tmp_path / "net.nir")
    code = (
        "import sys, snncc; "
        f"snncc.compile({str(path)!r}, convention='nir-literal', dt=1.0); "
        "assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_an_unknown_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    path = small(tmp_path / "net.nir")
    monkeypatch.setitem(sys.modules, "h5py", None)
    with pytest.raises(SnnccError) as error:
        snncc.compile(path, convention="norse")
    assert error.value.code == "SNN050"
    assert "snncc[nir]" in error.value.findings[0].help


def test_options_of_nir_files_go_with_nothing_else(tmp_path: Path) -> None:
    from torch import nn

    with pytest.raises(SnnccError, match="convention"):
        snncc.compile(nn.Linear(2, 2), convention="norse", input_shape=(2,))
    with pytest.raises(SnnccError) as error:
        snncc.compile("mod:make", dt=1e-4)
    assert error.value.code == "SNN001"
    assert "dt" in error.value.findings[0].message


def test_thresholds_by_neuron_and_one_number_for_all(tmp_path: Path) -> None:
    nodes = {
        **ends([2], [2]),
        "fc": affine([[1.0, 0.5], [0.25, 1.0]]),
        "lif": ("LIF", {**lif(2)[1], "tau": np.array(2.0), "v_threshold": np.array([1.0])}),
    }
    path = write(tmp_path / "net.nir", nodes, chain("input", "fc", "lif", "output"))
    trace = read(path, "nir-literal", 1.0).trace((2,), 3, "auto")
    assert trace.findings == ()
    assert trace.graph["lif"].op.threshold is None
