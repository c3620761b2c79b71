"""Commands that run a program take recordings of events, where it takes a frame for every step."""

from pathlib import Path

import event_files
import numpy as np
import pytest

from snncc.artifact import Program, save_program
from snncc.cli.main import run
from snncc.events.framing import Framing
from snncc.events.kept_framing import KeptFraming
from snncc.events.spikingjelly_rules import ByNumber
from snncc.ir import Graph, GraphBuilder, verify
from snncc.ir.dialects.integer import IntegerPopulation, IntegerReadout
from snncc.ir.dialects.projections import Contract, Frames

STEPS, SIZE = 3, 4


def watching(domain: tuple[int, int], height: int = SIZE) -> Graph:
    """Neurons that see both polarities of a small sensor, step by step."""
    b = GraphBuilder("integer", STEPS, "exact")
    image = b.add(
        Frames(("t", "c", "h", "w"), (STEPS, 2, height, SIZE), domain=domain), name="image"
    )
    rng = np.random.default_rng(3)
    weight = b.constant("w", rng.integers(-3, 9, (5, 2, height, SIZE)), ("n", "c", "h", "w"))
    current = b.add(Contract(weight, ("c", "h", "w"), ("n",)), [image], name="current")
    op = IntegerPopulation(b.constant("k", np.array(20)), decay=(1, 1))
    low, high = op.membrane_range(b[current].type, b.context)
    op = IntegerPopulation(op.threshold, decay=(1, 1), membrane=(low, high))
    spikes = b.add(op, [current], name="spikes")
    head = b.constant("h", rng.integers(-5, 6, (2, 5)), ("k", "n"))
    answer = b.add(Contract(head, ("n",), ("k",)), [spikes], name="answer")
    graph = b.finish(b.add(IntegerReadout(), [answer], name="readout"))
    verify(graph)
    return graph


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(1)
    columns = {what: rng.integers(0, SIZE, 60) for what in "xy"}
    np.savez("events.npz", t=np.arange(60) * 10, p=rng.integers(0, 2, 60), **columns)
    np.savez("frames.npz", x=np.zeros((1, 2, SIZE, SIZE), np.uint8))
    for name, domain in (("counts", (0, 15)), ("bits", (0, 1))):
        save_program(Path(f"{name}.snncc"), Program(watching(domain), {}))
    b = GraphBuilder("integer", 2, "exact")
    image = b.add(Frames(("f",), (3,)), name="image")
    weight = b.constant("w", np.ones((2, 3), np.int8), ("k", "f"))
    current = b.add(Contract(weight, ("f",), ("k",)), [image], name="current")
    still = b.finish(b.add(IntegerReadout(), [current], name="readout"))
    save_program(Path("still.snncc"), Program(still, {}))
    return tmp_path


@pytest.mark.parametrize("values", ["counts", "bits"])
def test_a_recording_gives_what_its_frames_give(
    values: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    program = f"{values}.snncc"
    framed = f"frames events.npz -o f.npz --steps {STEPS} --sensor {SIZE}x{SIZE} --values {values}"
    assert run(framed.split()) == 0
    for spec, out in (("events.npz", "a.npz"), ("f.npz:x", "b.npz")):
        assert run(["run", program, spec, "-o", out]) == 0
    assert f"60 events in {STEPS} frames of {values}" in capsys.readouterr().err
    with np.load("a.npz") as one, np.load("b.npz") as other:
        assert one["logits"].any()
        assert all(np.array_equal(one[key], other[key]) for key in one.files)
    told = []
    for spec in ("events.npz", "f.npz:x"):
        for words in (["count", program, spec], ["verify", program, "--run", spec]):
            assert run(words) == 0
            told.append(capsys.readouterr().out.replace(spec, "DATA"))
        assert run(["compare", program, program, "--data", spec]) == 0
        told.append(capsys.readouterr().out.replace(spec, "DATA"))
    assert told[:3] == told[3:]


def test_a_program_of_still_images_takes_none(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["run", "still.snncc", "events.npz"]) == 3
    assert (
        "error[SNN016]: events.npz is a recording of events, and the program takes none"
        in capsys.readouterr().err
    )


def test_values_beyond_the_domain_are_told(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    one = np.zeros(60, np.int64)
    np.savez("events.npz", t=np.arange(60), x=one, y=one, p=one)
    assert run(["run", "counts.snncc", "events.npz"]) == 3
    text = capsys.readouterr().err
    assert "error[SNN" in text
    assert "20" in text


@pytest.mark.parametrize(
    ("sensor", "moves", "taken"),
    [
        ((4, 3), (), True),
        ((3, 4), (), False),
        ((3, 4), ("swap",), True),
        ((4, 3), ("swap",), False),
    ],
)
def test_a_file_that_names_another_sensor_is_refused(
    sensor: tuple[int, int],
    moves: tuple[str, ...],
    taken: bool,
    folder: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """A program of frames 4 wide and 3 high; events of a smaller sensor would lie in a corner."""
    kept = {"framing": KeptFraming(Framing(ByNumber(STEPS), "bits"), moves).to_json()}
    save_program(Path("p.snncc"), Program(watching((0, 1), 3), kept))
    header = f"% Version 2\n% Width {sensor[0]}\n% Height {sensor[1]}\n"
    Path("events.dat").write_bytes(event_files.dat([(2, 2, 1, t) for t in range(9)], header))
    assert run(["run", "p.snncc", "events.dat"]) == (0 if taken else 3)
    if not taken:
        assert f"of a sensor of {sensor[0]}x{sensor[1]} pixels" in capsys.readouterr().err
