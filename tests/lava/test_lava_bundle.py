"""Bundles under Lava itself: every spike, every membrane and every answer is the interpreter's."""

import hashlib
import json
import subprocess
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from compiled_mixers import CompiledMixers
from lava_environment import lava_environment
from lava_networks import by_hand
from lava_runs import arrays_of, differences, export, networks, run_all, spikes_in
from random_programs import program_images, random_program

from snncc.ir import Graph
from snncc.ir.dialects.projections import Frames
from snncc.runtime import interpret
from snncc.runtime.simulator import Simulator

NETWORKS = 100
LIMIT = 300
"""Seconds that any one of these runs may take."""


@pytest.fixture(scope="module")
def python() -> Path:
    return lava_environment().python


def run_bundle(
    python: Path, folder: Path, images: np.ndarray, out: Path, *options: str
) -> subprocess.CompletedProcess[str]:
    """Runs a bundle from another directory."""
    given = out.parent / "given.npy"
    np.save(given, images)
    command = [str(python), str(folder / "run.py"), str(given), "-o", str(out), *options]
    return subprocess.run(command, cwd="/", capture_output=True, text=True, timeout=LIMIT)


@pytest.mark.parametrize("threads", [True, False])
def test_random_networks(python: Path, tmp_path: Path, threads: bool) -> None:
    """All of them with Lava's processes as threads; every tenth and those by hand as its own."""
    given = networks(NETWORKS)[:: 1 if threads else 10] + by_hand()
    found = run_all(python, tmp_path, [each[1:] for each in given], threads=threads)
    wrong = {}
    for (name, graph, images), arrays in zip(given, found, strict=True):
        if differs := differences(graph, images, arrays):
            wrong[name] = differs
    assert wrong == {}
    assert sum(map(spikes_in, found)) > (50_000 if threads else 5_000), "silent layers hide bugs"


@pytest.fixture(scope="module")
def trained(mixer: CompiledMixers) -> Graph:
    return mixer().graph


@pytest.fixture(scope="module")
def digits(shared: Path) -> tuple[np.ndarray, np.ndarray]:
    with np.load(shared / "data/mnist_32x32.npz") as data:
        return data["x_test"][:200], data["y_test"][:200]


def test_the_trained_mixer_on_20_images(
    python: Path, trained: Graph, digits: tuple[np.ndarray, np.ndarray], tmp_path: Path
) -> None:
    images = digits[0][:20]
    folder = export(trained, tmp_path / "bundle")
    done = run_bundle(python, folder, images, tmp_path / "out.npz", "--record")
    assert done.returncode == 0, done.stderr
    arrays = arrays_of(tmp_path / "out.npz")
    assert len(arrays) == 1 + 2 * 35
    assert differences(trained, images, arrays) == []
    assert spikes_in(arrays) > 10_000


def test_the_trained_mixer_whose_images_the_host_encodes(
    python: Path, trained: Graph, digits: tuple[np.ndarray, np.ndarray], tmp_path: Path
) -> None:
    nodes = tuple(
        replace(n, op=replace(n.op, encoding="host")) if isinstance(n.op, Frames) else n
        for n in trained.nodes
    )
    graph, images = replace(trained, nodes=nodes), digits[0][:20]
    [arrays] = run_all(python, tmp_path, [(graph, images)], threads=True, seconds=LIMIT)
    assert len(arrays) == 1 + 2 * 35
    assert differences(graph, images, arrays) == []
    assert spikes_in(arrays) > 10_000


def test_the_trained_mixer_answers_200_images_as_the_simulator(
    python: Path, trained: Graph, digits: tuple[np.ndarray, np.ndarray], tmp_path: Path
) -> None:
    images, labels = digits
    [arrays] = run_all(python, tmp_path, [(trained, images)], threads=True, seconds=LIMIT)
    result = Simulator(trained).run(images)
    assert np.array_equal(arrays["readout"], result.readout)
    assert spikes_in(arrays) == sum(result.spike_counts.values())
    assert (arrays["readout"].argmax(axis=1) == labels).mean() > 0.95


def test_progress_and_a_python_that_sees_nothing_of_the_user(python: Path, tmp_path: Path) -> None:
    graph, images = random_program(3), program_images(3, 7)
    folder = export(graph, tmp_path / "bundle")
    np.save(tmp_path / "given.npy", images)
    out = tmp_path / "out.npz"
    command = [str(python), "-I", str(folder / "run.py"), str(tmp_path / "given.npy"), "-o"]
    done = subprocess.run(
        [*command, str(out), "--progress", "--record"],
        cwd="/",
        capture_output=True,
        text=True,
        timeout=LIMIT,
    )
    assert done.returncode == 0, done.stderr
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert all(set(line) == {"done", "of"} and line["of"] == 7 for line in lines)
    counts = [line["done"] for line in lines]
    assert counts == sorted(counts)
    assert counts[-1] == 7
    assert differences(graph, images, arrays_of(out)) == []


def test_a_changed_bundle_does_not_run(python: Path, tmp_path: Path) -> None:
    folder = export(random_program(3), tmp_path / "bundle")
    with (folder / "arithmetic.py").open("a") as file:
        file.write("# changed\n")
    (folder / "tensors.npz").unlink()
    done = run_bundle(python, folder, program_images(3, 1), tmp_path / "out.npz")
    assert done.returncode == 3
    assert "['arithmetic.py', 'tensors.npz']" in done.stderr
    assert not (tmp_path / "out.npz").exists()


def test_images_of_another_shape_leave_no_output(python: Path, tmp_path: Path) -> None:
    folder = export(random_program(3), tmp_path / "bundle")
    images = np.zeros((2, 5, 5), np.uint8)
    done = run_bundle(python, folder, images, tmp_path / "out.npz")
    assert done.returncode != 0
    assert "uint8 [n, 2, 3, 4], not uint8 [2, 5, 5]" in done.stderr
    assert sorted(p.name for p in tmp_path.iterdir()) == ["bundle", "given.npy"]


def changed(folder: Path, file: str, old: str, new: str) -> None:
    """Changes a bundle's file, and what its manifest says of it."""
    path = folder / file
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["files"][file] = hashlib.sha256(path.read_bytes()).hexdigest()
    (folder / "manifest.json").write_text(json.dumps(manifest))


CURRENT = "        current = self.total()\n        now"
STARTS = "        self.window: Window = proc_params"


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        ("neurons.py", CURRENT, f"        1 // (self.time_step - 3)\n{CURRENT}"),
        ("window.py", STARTS, f"        1 // 0\n{STARTS}"),  # while the models are made
    ],
)
def test_a_process_that_fails_ends_the_run_and_says_why(
    python: Path, tmp_path: Path, file: str, old: str, new: str
) -> None:
    folder = export(random_program(3), tmp_path / "bundle")
    changed(folder, file, old, new)
    start = time.monotonic()
    done = run_bundle(python, folder, program_images(3, 3), tmp_path / "out.npz")
    assert done.returncode == 1
    assert "ZeroDivisionError" in done.stderr
    assert time.monotonic() - start < 60
    assert not (tmp_path / "out.npz").exists()


def test_a_process_killed_while_they_stop_takes_no_answer_away(
    python: Path, tmp_path: Path
) -> None:
    """Lava waits for ever for its last word."""
    program, images = random_program(3), program_images(3, 3)
    folder = export(program, tmp_path / "bundle")
    kill = (
        "import multiprocessing\n"
        "        models = (c for c in multiprocessing.active_children() if 'System' in c.name)\n"
        "        next(models).kill()"
    )
    changed(
        folder, "host.py", "        self.LAST.stop()", f"        {kill}\n        self.LAST.stop()"
    )
    changed(folder, "run.py", "STOP_SECONDS = 20.0", "STOP_SECONDS = 1.0")
    done = run_bundle(python, folder, images, tmp_path / "out.npz")
    assert done.returncode == 0, done.stderr
    assert "did not stop within 1 s" in done.stderr
    assert arrays_of(tmp_path / "out.npz")["readout"].tolist() == (
        interpret(program, images).readout.tolist()
    )


USER_PROGRAM = """
import sys
import numpy as np

sys.path.insert(0, {bundle!r})
from lava.magma.core.run_conditions import RunSteps
from lava.magma.core.run_configs import Loihi2SimCfg
from lava.proc.io.sink import RingBuffer as Sink
from lava.proc.io.source import RingBuffer as Source
from network import Network

images = np.load({images!r})


class MyNetwork(Network):
    def build(self):
        super().build()
        planes = np.stack([images >> b & 1 for b in range(8)]).astype(int)  # [8, n, *image]
        steps = planes.repeat(self.STEPS, axis=1)  # period = STEPS
        self.image = Source(data=np.moveaxis(steps, 1, -1))


net = MyNetwork(np.zeros_like(images))
sink = Sink(shape=net.readout.y_out.shape, buffer=net.steps_needed)
net.readout.y_out.connect(sink.a_in)
net.run()
seen = sink.data.get().astype(np.int64)
net.stop()
last = [net.DEPTH + net.STEPS * (k + 1) - 1 for k in range(len(images))]
assert net.answers.tolist() == seen[:, last].T.tolist()
print(net.answers.tolist())
"""


def test_in_a_lava_program_of_ones_own(python: Path, tmp_path: Path) -> None:
    graph, images = random_program(3), program_images(3, 3)
    folder, given = export(graph, tmp_path / "bundle"), tmp_path / "given.npy"
    np.save(given, images)
    program = tmp_path / "program.py"
    program.write_text(USER_PROGRAM.format(bundle=str(folder), images=str(given)))
    done = subprocess.run(
        [str(python), str(program)], cwd=tmp_path, capture_output=True, text=True, timeout=LIMIT
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == interpret(graph, images).readout.tolist()
