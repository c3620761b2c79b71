"""`snncc frames`: what is written, what is told, what is refused."""

import json
import subprocess
import sys
from pathlib import Path

import event_files
import numpy as np
import pytest

from snncc.cli.main import run
from snncc.events import ByTime, Framing, framing_from_json, make_frames, read_events
from snncc.events.stacks import frame_files
from snncc.machine import memory as machine_memory


@pytest.fixture
def there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    for name, count in (("a.bin", 300), ("b.bin", 500)):
        times = np.sort(rng.integers(0, 300_000, count))
        x, y, p = (rng.integers(0, n, count) for n in (34, 34, 2))
        both = zip(x, y, p, times, strict=True)
        Path(name).write_bytes(event_files.atis([tuple(map(int, e)) for e in both]))  # type: ignore[misc]
    return tmp_path


CALL = "frames a.bin b.bin -o frames.npz --sensor 34x34 --by time --steps 8"


def test_frames_are_written_with_what_made_them(
    there: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(CALL.split()) == 0
    with np.load("frames.npz") as found:
        assert sorted(found.files) == ["framing", "x"]
        values, done = found["x"], json.loads(str(found["framing"]))
    assert (values.shape, values.dtype) == ((2, 8, 2, 34, 34), np.uint8)
    assert done["schema"] == 1
    assert framing_from_json(done["framing"]) == Framing(ByTime(8))
    assert done["reading"]["sensor"] == [34, 34]
    for index, name in enumerate(("a.bin", "b.bin")):
        events = read_events(name, sensor=(34, 34))
        assert np.array_equal(values[index], make_frames(events, Framing(ByTime(8))).values)
    out = capsys.readouterr().out
    for line in (
        "recordings  2, 800 events",
        "frames      2 x 8 x 2 x 34 x 34, uint8",
        "rule        time: steps 8",
        "not told    nothing: every event is in the frames once",
        "written     frames.npz",
    ):
        assert line in out, out
    first = Path("frames.npz").read_bytes()
    assert run([*CALL.split(), "--json"]) == 0
    assert Path("frames.npz").read_bytes() == first
    record = json.loads(capsys.readouterr().out)
    assert (record["shape"], record["events"]) == ([2, 8, 2, 34, 34], 800)
    assert record["loss"]["outside"] == 0


def test_what_is_lost_is_told(there: Path, capsys: pytest.CaptureFixture[str]) -> None:
    call = "frames a.bin b.bin -o f.npz --sensor 34x34 --by window --steps 4 --window 50000"
    assert run([*call.split(), "--values", "bits"]) == 0
    out = capsys.readouterr().out
    with np.load("f.npz") as found:
        bits = found["x"]
    assert set(np.unique(bits)) == {0, 1}
    assert run([*call.split(), "--json"]) == 0
    loss = json.loads(capsys.readouterr().out)["loss"]
    with np.load("f.npz") as found:
        counts = found["x"].astype(int)
    assert loss["outside"] == 800 - counts.sum() > 100
    assert f"{loss['outside']} events in no frame" in out
    merged = counts.sum() - (counts > 0).sum()
    assert f"{merged} events beyond the first at a bit" in out


def test_a_value_beyond_the_domain_is_refused_or_clipped(
    there: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    call = [
        "frames",
        "a.bin",
        "b.bin",
        "-o",
        "f.npz",
        "--sensor",
        "34x34",
        "--steps",
        "1",
        "--domain",
        "0..1",
    ]
    assert run(call) == 3
    error = capsys.readouterr().err
    assert "error[SNN081]: a.bin does not fit the frames" in error
    assert "its largest value is" in error
    assert not Path("f.npz").exists()
    assert run([*call, "--clip"]) == 0
    assert "taken off by clipping" in capsys.readouterr().out
    with np.load("f.npz") as found:
        assert found["x"].max() == 1


def test_signed_frames_and_labels(there: Path) -> None:
    assert run([*CALL.split(), "--values", "signed", "--domain", "-3..3"]) == 0
    with np.load("frames.npz") as found:
        assert (found["x"].shape, found["x"].dtype) == ((2, 8, 1, 34, 34), np.int8)


def test_recordings_with_different_frames_are_refused(
    there: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("c.bin").write_bytes(event_files.atis([(1, 1, 0, 5), (2, 2, 1, 900_000)]))
    call = "frames a.bin c.bin -o f.npz --sensor 34x34 --by duration --window 50000"
    assert run(call.split()) == 3
    error = capsys.readouterr().err
    assert "c.bin does not fit the frames" in error
    assert "it has frames of 18 x 2 x 34 x 34, a.bin of 6 x 2 x 34 x 34" in error


def test_sorting_and_limits(there: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("c.bin").write_bytes(event_files.atis([(1, 1, 0, 9), (2, 2, 1, 5)]))
    call = ["frames", "c.bin", "-o", "f.npz", "--sensor", "34x34", "--steps", "2"]
    assert run(call) == 3
    assert "give --sort" in capsys.readouterr().err
    assert run([*call, "--sort"]) == 0
    with np.load("f.npz") as found:
        assert found["x"][0, 0, 1, 2, 2] == found["x"][0, 1, 0, 1, 1] == 1
    capsys.readouterr()
    assert run([*CALL.split(), "--limit", "1"]) == 0
    assert "recordings  1, 300 events" in capsys.readouterr().out
    assert run([*CALL.split(), "--limit", "9"]) == 0
    assert "note: --limit 9: recordings are 2" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        ("a.bin -o f.npz --sensor 34x34", 2, "--steps is not given"),
        ("a.bin -o f.npz --sensor 34x34 --by duration", 2, "--window is not given"),
        ("a.bin -o f.npz --sensor 34x34 --by tonic-event-count", 2, "--events is not given"),
        ("a.bin -o f.npz --steps 2", 2, "the size of the sensor is not known"),
        ("a.bin -o f.npz --steps 2 --sensor 34", 2, "give WIDTHxHEIGHT"),
        ("a.bin -o f.npz --steps 2 --sensor 0x3", 2, "0x3 pixels"),
        ("a.bin -o f.npz --steps 2 --domain 1", 2, "give LOW..HIGH"),
        ("a.bin -o f.npz --steps 2 --domain 1..2", 2, "0 is in every domain"),
        ("a.bin -o f.npz --steps 2 --clip", 2, "--clip has no effect here"),
        ("a.bin -o f.npz --steps 2 --window 3", 2, "--window has no effect here"),
        ("a.bin -o f.npz --steps 2 --by time --overlap 3", 2, "--overlap has no effect here"),
        ("a.bin -o f.npz --by tonic-time-window --window 3 --overlap 3", 2, "overlap by 3"),
        ("a.bin -o f.npz --by numbers", 2, "'numbers' is not one of"),
        ("a.bin -o f.npz --steps 2 --sensor 34x34 --chip dvs128", 2, "--chip has no effect here"),
        ("a.bin a.bin -o a.bin --steps 2", 2, "is not apart from the input FILE... a.bin"),
        ("b.bin a.bin -o ./a.bin --steps 2", 2, "is not apart from the input FILE... a.bin"),
        ("-o f.npz --steps 2", 2, "Missing argument"),
        ("nothing.bin -o f.npz --steps 2", 3, "No such file"),
        ("a.bin -o none/f.npz --steps 2 --sensor 34x34", 2, "there is no folder"),
    ],
)
def test_what_does_not_fit_is_refused(
    words: str, code: int, said: str, there: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["frames", *words.split()]) == code
    error = capsys.readouterr().err
    assert said in error, error
    assert "Traceback" not in error
    assert sorted(path.name for path in there.iterdir()) == ["a.bin", "b.bin"]


def test_frames_that_do_not_fit_into_memory(there: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from snncc.diagnostics import SnnccError
    from snncc.events import Reading

    monkeypatch.setattr("snncc.events.stacks.LOOKED_AT", 1000)
    monkeypatch.setattr(machine_memory, "free_memory", lambda: 30_000)
    with pytest.raises(SnnccError, match="SNN004"):
        frame_files(["a.bin", "b.bin"], Framing(ByTime(8)), Reading(sensor=(34, 34)))


def test_neither_the_command_nor_the_package_imports_torch(there: Path) -> None:
    code = (
        "import sys, snncc.events; assert not {'torch', 'numba'} & set(sys.modules)\n"
        f"from snncc.cli.main import run; assert run({CALL.split()!r}) == 0\n"
        "assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
