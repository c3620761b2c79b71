"""Files that people have: which of them compile by which convention, and why others do not."""

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from nir_fuzzer import fuzz, originals, outcome
from shared_folder import shared_folder

from snncc.diagnostics import SnnccError
from snncc.frontends.frontend import ModelSpec, Source
from snncc.frontends.nir.conventions import CONVENTIONS
from snncc.frontends.registry import read_model
from snncc.semantics.traced import run_traced

GIVEN = {"norse", "nir-literal", "rockpool", "spikingjelly"}
"""Conventions that take a dt."""
ONCE = {"snntorch", "snntorch-zero", "norse", "norse-export", "spikingjelly", "nir-literal"}
"""Conventions whose neurons spike at most once a step, and that take a tau below 1."""
COMPILE = {
    "NIR_lif_norse.nir": ONCE,
    "NIR_lif_rockpool.nir": ONCE,
    "NIR_two_lif_neurons.nir": {"norse", "norse-export", "nir-literal"},
    "NIR_cnn_sinabs.nir": ONCE | {"spyx"},
    "NIR_braille_bias_zero.nir": ONCE,
    "NIR_braille_bias_zero_subgraph.nir": ONCE,
}
"""With dt 1e-4 where it can be given; the rest is SNN153, or SNN152 for a dt of 1 and less tau."""


def shared(name: str) -> Path:
    return shared_folder() / "data/nir" / name


def read(path: Path, convention: str, dt: float | None = 1e-4) -> Source:
    return read_model(
        ModelSpec(path, convention=convention, dt=dt if convention in GIVEN else None)
    )


@pytest.mark.parametrize("name", COMPILE)
def test_files_of_the_ecosystem(name: str) -> None:
    path = shared(name)
    for convention in CONVENTIONS:
        source = read(path, convention)
        trace = source.trace(source.input_shape or (), 3, "auto")
        codes = {finding.code for finding in trace.findings}
        if convention in COMPILE[name]:
            assert codes == set(), convention
        else:
            assert codes, convention
            assert codes <= ({"SNN152", "SNN153"} if convention == "spyx" else {"SNN153"})


def test_the_recurrent_network_of_two_states_is_told_by_name() -> None:
    for name, loop in (("", "lif1.lif"), ("_subgraph", "lif1.lif1")):
        source = read(shared(f"NIR_braille_bias_zero{name}.nir"), "sinabs")
        found = source.trace((12,), 2, "auto").findings
        told = [(finding.loc.module_path, finding.message) for finding in found if finding.loc]
        assert [where for where, _ in told] == [loop, loop, "lif2"]
        assert "leads back" in told[0][1]
        assert read(shared(f"NIR_braille_bias_zero{name}.nir"), "norse", None).facts["nir"][
            "dt"
        ] == (1e-4)


def test_names_that_a_writer_lost_are_repaired() -> None:
    source = read(shared("NIR_braille_bias_zero_subgraph.nir"), "snntorch-zero")
    repaired = source.facts["nir"]["repaired"]
    assert any("'lif1.lif'" in note and "'lif1.lif1'" in note for note in repaired)
    assert any("'lif1.input' says [38]" not in note for note in repaired)


def test_a_file_of_rockpool_tells_dt_and_keeps_axes_of_length_one() -> None:
    source = read(shared("NIR_lif_rockpool.nir"), "rockpool", None)
    assert source.facts["nir"]["dt"] == 1e-4
    assert any("[1, 1, 1]" in note for note in source.facts["nir"]["repaired"])


def test_spikes_of_a_real_file_are_those_of_its_equations() -> None:
    """paper/01_lif: v' = v + dt (r x - v) / tau, strict, hard; tau 2.5 ms, threshold 0.1."""
    source = read(shared("NIR_lif_norse.nir"), "nir-literal")
    steps, images = 200, np.linspace(0.05, 3.0, 64)[:, None]
    found = run_traced(source.trace((1,), steps, "auto").graph, images)["1"][..., 0]
    v, wanted = np.zeros(64), []
    for _ in range(steps):
        v = v + 1e-4 * (images[:, 0] - v) / 0.0025
        fires = v > np.float64(np.float32(0.1))
        wanted.append(fires)
        v = np.where(fires, 0.0, v)
    assert 0.1 < np.mean(wanted) < 0.9
    assert np.array_equal(found, np.array(wanted).T)


def test_a_mutant_is_a_valid_network_or_one_coded_error(tmp_path: Path) -> None:
    found: Counter[str] = fuzz(tmp_path, 2000, seed=1)
    assert found.total() == 2000
    assert min(found[kind] for kind in ("valid", "SNN150", "SNN151")) > 200, found


def test_the_originals_are_valid(tmp_path: Path) -> None:
    for data in originals():
        (tmp_path / "net.nir").write_bytes(data)
        assert outcome(tmp_path / "net.nir", "nir-literal") == "valid"
        with pytest.raises(SnnccError):
            read_model(ModelSpec(tmp_path / "net.nir"))
