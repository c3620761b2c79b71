"""`snncc run --on lava` as a user meets it, with a bundle that answers from a file.

What real bundles compute is tested elsewhere; here is what is done with their answers, right and
wrong, and with a bundle that fails.
"""

import json
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from executions import images_of, populations
from programs import lowered

from snncc.artifact import Program, save_program
from snncc.backends import lava_nc
from snncc.backends.lava_nc import environment
from snncc.cli.main import run
from snncc.runtime import ALL, interpret, recording

SEED = 8

# Finds each image among the known ones and writes what was recorded for it.
RUN = """
import json, os, sys, time
import numpy as np
here = os.path.dirname(os.path.abspath(__file__))
images, out = np.load(sys.argv[1]), sys.argv[sys.argv.index("-o") + 1]
assert {"--record", "--progress"} <= set(sys.argv)
with np.load(os.path.join(here, "answers.npz")) as file:
    answers = dict(file)
known = answers.pop("known")
if "hang" in answers:
    time.sleep(60)
rows = [next(k for k in range(len(known)) if np.array_equal(known[k], x)) for x in images]
for done in range(1, len(images) + 1):
    print(json.dumps({"done": done, "of": len(images)}), flush=True)
np.savez(out + ".new.npz", **{key: array[rows] for key, array in answers.items()})
os.rename(out + ".new.npz", out)
"""

Change = Callable[[dict[str, np.ndarray]], None]


@pytest.fixture
def files(tmp_path: Path) -> tuple[str, str]:
    graph, images = lowered(SEED), images_of(SEED)
    save_program(tmp_path / "p.snncc", Program(graph, {}))
    np.savez(tmp_path / "d.npz", x=images, y=np.arange(len(images)) % 2)
    return str(tmp_path / "p.snncc"), str(tmp_path / "d.npz:x")


@pytest.fixture
def bundles(monkeypatch: pytest.MonkeyPatch) -> Callable[[Change | None], None]:
    """Puts bundles that answer from a file in the place of real ones, changed as wanted."""
    python = environment.LavaEnvironment(Path(sys.executable), "test", "3.x", "0.x", "2.x")
    monkeypatch.setattr(environment, "require_lava", lambda given: python)

    def answer(change: Change | None) -> None:
        def write_bundle(program: Program, folder: Path) -> None:
            images = images_of(SEED)
            done = interpret(program.graph, images, ALL)
            answers = {"readout": done.readout.copy(), "known": images}
            answers |= {f"spikes:{n}": a.copy() for n, a in done.spikes.items()}
            answers |= {f"membranes:{n}": a.copy() for n, a in done.membranes.items()}
            if change is not None:
                change(answers)
            folder.mkdir()
            (folder / "run.py").write_text(RUN)
            np.savez(folder / "answers.npz", **answers)

        monkeypatch.setattr(lava_nc, "write_bundle", write_bundle)

    answer(None)
    return answer


def test_equal_runs_say_so_and_answer_as_the_cpu_does(
    files: tuple[str, str],
    bundles: Callable[[Change | None], None],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    program, data = files
    cpu, lava, spikes = (tmp_path / f"{n}.npz" for n in ("cpu", "lava", "spikes"))
    assert run(["run", program, data, "-o", str(cpu), "--labels", "y", "--json"]) == 0
    expected = json.loads(capsys.readouterr().out)
    monkeypatch.setattr(recording, "CHUNK_BYTES", 1 << 12)  # several calls of the bundle
    on_lava = ["run", program, data, "--on", "lava", "--labels", "y"]
    assert run([*on_lava, "-o", str(lava), "--record", str(spikes), "--json"]) == 0
    record = json.loads(capsys.readouterr().out)
    assert lava.read_bytes() == cpu.read_bytes()
    for key in ("images", "accuracy", "spike_rate", "spike_rates"):
        assert record[key] == expected[key]
    assert record["executor"] == "lava"
    graph, n = lowered(SEED), len(images_of(SEED))
    sites = n * sum(np.prod(graph[name].type.shape) for name in populations(graph))
    assert record["lava"]["compared"] == sites
    assert [record["lava"][key] for key in ("spikes", "membranes", "answers")] == [0, 0, 0]
    assert record["lava"]["comparison"]["equal"] is True
    assert run(["compare", str(spikes), program]) == 0
    capsys.readouterr()
    assert run([*on_lava, "--executor", "interpreter", "--limit", "5"]) == 0
    text = capsys.readouterr().out
    assert f"0 of {5 * sites // n:,} differ" in text
    assert "5 images" in text


def flip_a_spike(answers: dict[str, np.ndarray]) -> None:
    name = populations(lowered(SEED))[-1]
    answers[f"spikes:{name}"][3].flat[0] ^= 1


def move_a_membrane(answers: dict[str, np.ndarray]) -> None:
    name = populations(lowered(SEED))[0]
    answers[f"membranes:{name}"][2].flat[0] += 1


def move_an_answer(answers: dict[str, np.ndarray]) -> None:
    answers["readout"][4, 0] += 1


@pytest.mark.parametrize(
    ("change", "counts", "place"),
    [
        (flip_a_spike, {"spikes": 1, "membranes": 0, "answers": 0}, (-1, 3)),
        (move_a_membrane, {"spikes": 0, "membranes": 1, "answers": 0}, (0, 2)),
        (move_an_answer, {"spikes": 0, "membranes": 0, "answers": 1}, (None, 4)),
    ],
)
def test_one_difference_is_found_and_named(
    files: tuple[str, str],
    bundles: Callable[[Change | None], None],
    capsys: pytest.CaptureFixture[str],
    change: Change,
    counts: dict[str, int],
    place: tuple[int | None, int],
) -> None:
    bundles(change)
    program, data = files
    assert run(["run", program, data, "--on", "lava", "--json"]) == 1
    record = json.loads(capsys.readouterr().out)["lava"]
    assert {key: record[key] for key in counts} == counts
    graph = lowered(SEED)
    layer = graph.output if place[0] is None else populations(graph)[place[0]]
    first = record["comparison"]["first"]
    assert (first["layer"], first["image"]) == (layer, place[1])
    assert run(["run", program, data, "--on", "lava"]) == 1
    text = capsys.readouterr().out
    assert f"first in {layer}, image {place[1]}" in text
    for what, number in counts.items():
        line = next(line for line in text.splitlines() if line.startswith(what))
        assert line.split()[1] == str(number)


def drop_an_array(answers: dict[str, np.ndarray]) -> None:
    del answers[f"membranes:{populations(lowered(SEED))[0]}"]


def drop_a_neuron(answers: dict[str, np.ndarray]) -> None:
    key = f"spikes:{populations(lowered(SEED))[0]}"
    answers[key] = answers[key][..., 1:]


def spike_twice(answers: dict[str, np.ndarray]) -> None:
    answers[f"spikes:{populations(lowered(SEED))[0]}"][0].flat[0] = 2


def answer_in_floats(answers: dict[str, np.ndarray]) -> None:
    answers["readout"] = answers["readout"] / 2


def hang(answers: dict[str, np.ndarray]) -> None:
    answers["hang"] = np.zeros(0)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (drop_an_array, "it has no array membranes:"),
        (drop_a_neuron, "not integers ["),
        (spike_twice, "are not 0 and 1 in uint8"),
        (answer_in_floats, "readout is float64"),
        (hang, "did not end within 1 s"),
    ],
)
def test_a_bundle_that_fails_ends_in_exit_code_6(
    files: tuple[str, str],
    bundles: Callable[[Change | None], None],
    capsys: pytest.CaptureFixture[str],
    change: Change,
    message: str,
) -> None:
    bundles(change)
    program, data = files
    assert (
        run(["run", program, data, "--on", "lava", "--timeout", "1" if change is hang else "500"])
        == 6
    )
    assert message in capsys.readouterr().err


def test_wrong_options_end_before_anything_runs(
    files: tuple[str, str],
    bundles: Callable[[Change | None], None],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    bundles(hang)
    program, data = files
    keep = ["--record", str(tmp_path / "r.npz"), "--record-only", "nobody"]
    for arguments, code, message in (
        (["--lava-python", sys.executable], 2, "--on lava"),
        (["--on", "lava", *keep], 2, "no population is called 'nobody'"),
        (["--on", "lava", "--timeout", "0"], 2, "--timeout"),
    ):
        assert run(["run", program, data, *arguments]) == code, arguments
        assert message in capsys.readouterr().err


def test_without_an_environment_the_exit_code_is_5(
    files: tuple[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    program, data = files
    arguments = ["run", program, data, "--on", "lava", "--lava-python", sys.executable, "--json"]
    assert run(arguments) == 5
    said = capsys.readouterr()
    assert json.loads(said.out)["errors"][0]["code"] == "SNN051"
    assert "Lava needs 3.10" in said.err
    assert "snncc doctor --make-lava" in said.err
