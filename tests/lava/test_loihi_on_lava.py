"""Programs of the profile `loihi-lava` as Lava's own processes: every spike, every membrane."""

import json
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from compiled_mixers import CompiledMixers
from lava_environment import lava_environment
from lava_runs import arrays_of, differences, export, run_all, spikes_in
from loihi_networks import that_fit

from snncc.ir import Graph
from snncc.runtime.simulator import Simulator

NETWORKS = {"bit-planes": 60, "host": 40}
LIMIT = 900
"""Seconds for any one run: 270 processes take most of a minute to start on two cores."""


@pytest.fixture(scope="module")
def python() -> Path:
    return lava_environment().python


def run_bundle(python: Path, folder: Path, images: np.ndarray, *options: str) -> dict[str, Any]:
    """What a bundle writes for these images, run from another directory."""
    given, out = folder.parent / "given.npy", folder.parent / "out.npz"
    np.save(given, images)
    command = [str(python), str(folder / "run.py"), str(given), "-o", str(out), *options]
    done = subprocess.run(command, cwd="/", capture_output=True, text=True, timeout=LIMIT)
    assert done.returncode == 0, done.stderr
    return arrays_of(out)


def test_the_registers_are_as_documented(python: Path, root: Path) -> None:
    command = [str(python), str(root / "tests/helpers/loihi_facts.py")]
    done = subprocess.run(command, cwd="/", capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    facts = json.loads(done.stdout.splitlines()[-1])
    even = [254, -256, 2, -4, 254, -256, 254, -256]
    assert facts["dense"] == facts["sparse"] == even
    assert facts["halved"] == [w // 2 for w in even]
    # Within 17 bits a current is shifted and kept; beyond it u leaves its 24 bits, v with it.
    assert facts["u"][:3] == [6400, 2_560_000, 8_388_544]
    assert facts["u"][4] == -8_388_544
    assert facts["u"][5] == 8_388_608  # wrapped: -2^17 is no legal current
    assert facts["v"][:3] == facts["u"][:3]
    assert facts["biases"] == [524_160, -524_288, 1, -8]
    assert facts["leaks"] == [0, 0, 1, -1, 4_194_303, -4_194_303]  # toward zero
    assert facts["threshold"] == [0, 0, 1]
    assert facts["resets"] == [10, 20, 10, 20, 30, 40, 10, 20]  # before what arrives is added
    assert facts["delay"] == [0, 0, 0, 1, 0, 0, 0, 0]


@pytest.mark.parametrize("encoding", NETWORKS)
def test_random_networks(python: Path, tmp_path: Path, encoding: str) -> None:
    """All of them with Lava's processes as threads; every tenth as its own."""
    given = list(that_fit(0, NETWORKS[encoding], 5, encoding))
    programs = [(graph, images) for _, graph, images in given]
    found = run_all(python, tmp_path / "threads", programs, threads=True, seconds=LIMIT)
    own = run_all(python, tmp_path / "own", programs[::10], threads=False, seconds=LIMIT)
    wrong = {}
    for (seed, graph, images), arrays in zip(given + given[::10], found + own, strict=True):
        if differs := differences(graph, images, arrays):
            wrong[seed] = differs
    assert wrong == {}
    assert sum(map(spikes_in, found)) > 10_000, "silent layers hide bugs"


@pytest.fixture(scope="module")
def digits(shared: Path) -> dict[str, np.ndarray]:
    with np.load(shared / "data/mnist_32x32.npz") as data:
        return {key: data[key] for key in ("x_test", "y_test")}


@pytest.fixture(scope="module")
def trained(mixer: CompiledMixers) -> Graph:
    return mixer(images=256, profile="loihi-lava").graph


def test_the_trained_mixer_on_20_images(
    python: Path, trained: Graph, digits: dict[str, np.ndarray], tmp_path: Path
) -> None:
    images = digits["x_test"][:20]
    folder = export(trained, tmp_path / "bundle")
    arrays = run_bundle(python, folder, images, "--record")
    assert len(arrays) == 1 + 2 * 35
    assert differences(trained, images, arrays) == []
    assert spikes_in(arrays) > 10_000


def test_the_trained_mixer_answers_200_images_as_the_simulator(
    python: Path, trained: Graph, digits: dict[str, np.ndarray], tmp_path: Path
) -> None:
    """In Lava's own processes: as threads of one, so many are no faster."""
    images, labels = digits["x_test"][:200], digits["y_test"][:200]
    folder = export(trained, tmp_path / "bundle")
    readout = run_bundle(python, folder, images)["readout"]
    assert np.array_equal(readout, Simulator(trained).run(images).readout)
    assert (readout.argmax(axis=1) == labels).mean() >= 0.94
