"""`snncc compare` and `snncc run --record` as a user meets them."""

import json
from pathlib import Path

import numpy as np
import pytest
from executions import IMAGES, images_of, populations, ran, with_neurons
from programs import lowered

from snncc.artifact import Program, load_program, save_program
from snncc.cli.main import run
from snncc.runtime.compare.comparison import compare
from snncc.runtime.recording import (
    load_recording,
    save_recording,
)


@pytest.fixture
def files(tmp_path: Path) -> tuple[str, str, str]:
    """A program, a changed one, and images."""
    graph, images = lowered(7), images_of(7)
    a = ran("A", graph, images)
    for name in populations(graph):
        op = graph[name].op
        other = with_neurons(graph, name, reset="soft" if op.reset == "hard" else "hard")
        if compare(a, ran("B", other, images)).first is not None:
            break
    save_program(tmp_path / "a.snncc", Program(graph, {}))
    save_program(tmp_path / "b.snncc", Program(other, {}))
    np.savez(tmp_path / "d.npz", x=images)
    return str(tmp_path / "a.snncc"), str(tmp_path / "b.snncc"), str(tmp_path / "d.npz")


def test_compare_answers_with_its_exit_code(
    files: tuple[str, str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    a, b, data = files
    assert run(["compare", a, a, "--data", f"{data}:x"]) == 0
    text = capsys.readouterr().out
    assert "(interpreter)" in text
    assert "(simulator)" in text
    assert f"equal: {IMAGES} images" in text
    assert run(["compare", a, b, "--data", data]) == 1
    text = capsys.readouterr().out
    for expected in ("first in ", "cause: another rule of the neurons", "soft", "threshold"):
        assert expected in text
    assert run(["compare", a, b, "--data", data, "--limit", "20", "--json"]) == 1
    record = json.loads(capsys.readouterr().out)
    assert record["images"] == 20
    assert record["equal"] is False
    assert record["first"]["cause"] == "reset-rule"
    assert record["first"]["layer"] in [layer["name"] for layer in record["layers"]]


def test_recordings_through_the_command_line(
    files: tuple[str, str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    a, b, data = files
    names = populations(load_program(Path(a)).graph)
    one, two, part = (str(tmp_path / f"{n}.npz") for n in ("one", "two", "part"))
    assert run(["run", a, data, "--record", one, "--executor", "interpreter"]) == 0
    assert run(["run", b, data, "--record", two]) == 0
    assert run(["run", a, data, "--limit", "4", "--record", part, "--record-only", names[0]]) == 0
    assert list(load_recording(Path(part)).spikes) == [names[0]]
    capsys.readouterr()
    assert run(["compare", one, a]) == 0
    assert run(["compare", one, one]) == 0
    assert run(["compare", part, a]) == 0
    assert f"{len(names) - 1} populations of the program are in one side only" in (
        capsys.readouterr().out
    )
    assert run(["compare", one, two]) == 1
    assert "cause: not known" in capsys.readouterr().out
    assert run(["compare", one, b]) == 1
    assert run(["compare", one, two, "--program", a]) == 3
    assert "sha256 of another program" in capsys.readouterr().err
    assert run(["compare", one, one, "--program", a]) == 0
    again = tmp_path / "again.npz"
    save_recording(again, load_recording(Path(one)))
    assert again.read_bytes() == Path(one).read_bytes()


def test_a_recording_of_somebody_else_is_held_against_a_stated_program(
    files: tuple[str, str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Every layer one step late, without sha256 and images, written with plain NumPy."""
    a, _, data = files
    right, late = tmp_path / "right.npz", tmp_path / "late.npz"
    assert run(["run", a, data, "--record", str(right)]) == 0
    with np.load(right) as file:
        arrays = {k: file[k] for k in file.files if k.startswith(("shape/", "axes/"))}
        for name in file["names"]:
            shape, axes = file[f"shape/{name}"], list(file[f"axes/{name}"])
            bits = np.unpackbits(file[f"spikes/{name}"], count=shape.prod()).reshape(shape)
            trains = np.moveaxis(bits, axes.index("t"), 0)
            trains = np.concatenate([0 * trains[:1], trains[:-1]])
            arrays[f"spikes/{name}"] = np.packbits(np.moveaxis(trains, 0, axes.index("t")))
    np.savez(late, **arrays)
    capsys.readouterr()
    assert run(["compare", str(right), str(late), "--program", a, "--json"]) == 1
    first = json.loads(capsys.readouterr().out)["first"]
    assert first["cause"] == "time-shift"
    assert first["causes"][0]["facts"] == {"steps": 1, "late": "B"}
    texts = {cause["kind"]: cause["text"] for cause in first["causes"]}
    assert texts["rounding"] == "both run the same integers: nothing is rounded between them"
    assert run(["compare", a, str(late), "--data", data]) == 1
    assert "B's currents are not known" in capsys.readouterr().out


def test_wrong_comparisons_end_in_one_clear_error(
    files: tuple[str, str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    a, b, data = files
    empty = tmp_path / "empty.npz"
    np.savez(empty, x=np.zeros(3))
    cases = [
        (["compare", a, b], 2, "--data"),
        (["compare", a, str(empty), "--data", data], 3, "SNN016"),
        (["compare", a, str(tmp_path / "no.npz"), "--data", data], 3, "SNN015"),
        (["compare", a, str(tmp_path / "no.snncc"), "--data", data], 3, "SNN015"),
        (["compare", a, b, "--data", str(empty)], 3, "SNN016"),
        (["compare", a, b, "--data", data, "--axes", "h,,"], 2, "SNN001"),
        (["run", a, data, "--record-only", "x"], 2, "--record FILE"),
        (["run", a, data, "--record", str(empty), "--record-only", "x"], 2, "SNN001"),
        (["run", a, data, "--record", str(tmp_path / "no/r.npz")], 2, "SNN002"),
    ]
    for arguments, code, message in cases:
        assert run(arguments) == code, arguments
        assert message in capsys.readouterr().err, arguments
