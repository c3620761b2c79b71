"""Recordings come back, are readable by NumPy, or are refused; axes that nobody named."""

import itertools
from pathlib import Path

import numpy as np
import pytest
from executions import (
    images_of,
    lowered,
    populations,
    ran,
)

from snncc.diagnostics import SnnccError
from snncc.ir import Axis, Kind, ValueType
from snncc.runtime.compare.axis_orders import arranged, parse_order
from snncc.runtime.recording import (
    Recording,
    load_recording,
    narrow,
    save_recording,
)


def test_recordings_come_back_and_numpy_reads_them(tmp_path: Path) -> None:
    for seed in range(10):
        graph = lowered(seed)
        recording = ran("A", graph, images_of(seed)).recording
        path = tmp_path / "r.npz"
        save_recording(path, recording)
        again = load_recording(path)
        assert list(again.spikes) == populations(graph)
        assert again.axes == recording.axes
        assert again.program == recording.program
        assert np.array_equal(again.images, recording.images)
        assert np.array_equal(again.readout, recording.readout)
        for name in again.spikes:
            assert np.array_equal(again.spikes[name], recording.spikes[name])
            assert np.array_equal(again.membranes[name], recording.membranes[name])
            assert again.membranes[name].dtype == narrow(recording.membranes[name]).dtype
        with np.load(path, allow_pickle=False) as plain:
            name = str(plain["names"][0])
            shape = plain[f"shape/{name}"]
            bits = np.unpackbits(plain[f"spikes/{name}"], count=shape.prod()).reshape(shape)
            assert np.array_equal(bits, recording.spikes[name])
            assert plain[f"axes/{name}"][0] == "batch"
        first = path.read_bytes()
        save_recording(path, again)
        assert path.read_bytes() == first


def test_recording_in_chunks_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = ran("A", lowered(3), images_of(3)).recording
    monkeypatch.setattr("snncc.runtime.recording.CHUNK_BYTES", 1)
    parts = ran("A", lowered(3), images_of(3)).recording
    for name in whole.spikes:
        assert np.array_equal(whole.spikes[name], parts.spikes[name])
        assert np.array_equal(whole.membranes[name], parts.membranes[name])
    assert np.array_equal(whole.readout, parts.readout)


@pytest.mark.parametrize(
    ("low", "high", "dtype"),
    [(-128, 127, "int8"), (0, 128, "int16"), (-32769, 0, "int32"), (0, 2**31, "int64")],
)
def test_narrowing_keeps_every_value(low: int, high: int, dtype: str) -> None:
    values = np.array([low, 0, high])
    assert narrow(values).dtype == dtype
    assert np.array_equal(narrow(values), values)


def wrong_arrays(good: dict[str, np.ndarray], name: str) -> dict[str, dict[str, np.ndarray]]:
    def but(**changes: np.ndarray) -> dict[str, np.ndarray]:
        return {**good, **{k.replace("__", "/") + name: v for k, v in changes.items()}}

    return {
        "no spikes": {"images": good["images"]},
        "no shape": {k: v for k, v in good.items() if not k.startswith("shape/")},
        "short": but(spikes__=good[f"spikes/{name}"][:-1]),
        "wild shape": but(shape__=np.array([2**62, 2**62])),
        "negative": but(shape__=-good[f"shape/{name}"]),
        "real shape": but(shape__=good[f"shape/{name}"] * 1.0),
        "not packed": but(spikes__=good[f"spikes/{name}"].astype(np.int32)),
        "axes": but(axes__=good[f"axes/{name}"][1:]),
        "axes twice": but(axes__=np.array(["batch"] * len(good[f"axes/{name}"]))),
        "number axes": but(axes__=np.arange(3)),
        "membranes": but(membranes__=good[f"membranes/{name}"][:1]),
        "real membranes": but(membranes__=good[f"membranes/{name}"] * 1.0),
        "names": {**good, "names": np.array(["other"])},
        "program": {**good, "program": np.array([1, 2])},
        "images": {**good, "images": good["images"][:-1]},
        "real images": {**good, "images": good["images"] / 255.0},
        "readout": {**good, "readout": good["readout"] * 0.5},
    }


def test_wrong_recordings_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "r.npz"
    graph = lowered(1)
    save_recording(path, ran("A", graph, images_of(1)).recording)
    with np.load(path) as plain:
        good = {key: plain[key] for key in plain.files}
    cases = wrong_arrays(good, populations(graph)[0])
    for what, arrays in cases.items():
        np.savez(path, **arrays)
        with pytest.raises(SnnccError) as caught:
            load_recording(path)
        assert caught.value.code == "SNN016", what
    np.savez(path, **good)
    assert load_recording(path).spikes


def test_damaged_recordings_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "r.npz"
    recording = ran("A", lowered(1), images_of(1)).recording
    save_recording(path, recording)
    content = path.read_bytes()
    rng, refused = np.random.default_rng(0), 0
    np.save(tmp_path / "one.npy", np.zeros(3))
    objects = {"spikes/a": np.array([{}], object), "shape/a": np.array([1])}
    np.savez(tmp_path / "objects.npz", **objects)
    for other in ("one.npy", "objects.npz", "none.npz"):
        with pytest.raises(SnnccError) as caught:
            load_recording(tmp_path / other)
        assert caught.value.code == "SNN015", other
    for cut in (0, 1, 100, len(content) // 2, len(content) - 1):
        path.write_bytes(content[:cut])
        with pytest.raises(SnnccError) as caught:
            load_recording(path)
        assert caught.value.code == "SNN015", cut
    for _ in range(300):
        broken = bytearray(content)
        broken[int(rng.integers(len(content)))] ^= 1 << int(rng.integers(8))
        path.write_bytes(broken)
        again = loaded_or_code(path)
        if isinstance(again, str):
            assert again in ("SNN015", "SNN016")
            refused += 1
            continue
        for name, spikes in again.spikes.items():  # a date, or another field that nobody reads
            assert np.array_equal(spikes, recording.spikes[name])
    assert refused > 200


def loaded_or_code(path: Path) -> Recording | str:
    try:
        return load_recording(path)
    except SnnccError as error:
        return error.code


# Axes of recordings that do not name them.


def test_every_order_of_unequal_axes_is_inferred() -> None:
    kind = ValueType(Kind.SPIKE, (Axis("h1", 3), Axis("t", 2), Axis("w1", 1), Axis("c1", 5)))
    whole = np.random.default_rng(0).integers(0, 2, (4, 2, 3, 1, 5)).astype(np.uint8)
    for order in itertools.permutations((2, 3, 4)):
        array = whole.transpose(1, 0, *order)
        assert np.array_equal(arranged("x", array, (), kind, []), whole)
    flat = whole.transpose(1, 0, 4, 2, 3).reshape(2, 4, 15)
    with pytest.raises(SnnccError, match="spikes of x") as caught:
        arranged("x", flat, (), kind, [])
    assert "h1,c1 or c1,h1" in str(caught.value)
    order = parse_order("x=(c h),w")
    assert np.array_equal(arranged("x", flat[..., None], (), kind, [order]), whole)
    order = parse_order("x=(c h)")
    assert np.array_equal(arranged("x", flat, (), kind, [order]), whole)


def test_axes_that_lengths_do_not_tell_are_refused_or_stated() -> None:
    kind = ValueType(Kind.SPIKE, (Axis("t", 2), Axis("h1", 3), Axis("w1", 3)))
    whole = np.random.default_rng(0).integers(0, 2, (4, 2, 3, 3)).astype(np.uint8)
    swapped = whole.transpose(1, 0, 3, 2)
    with pytest.raises(SnnccError, match="spikes of x"):
        arranged("x", swapped, (), kind, [])
    for text in ("w,h", "w1,h1", "x=w,h", "?=t,batch,w,h", "*=w,h"):
        assert np.array_equal(arranged("x", swapped, (), kind, [parse_order(text)]), whole)
    batch_first = whole.transpose(0, 3, 1, 2)
    assert np.array_equal(arranged("x", batch_first, (), kind, [parse_order("batch,w,t,h")]), whole)
    for text in ("w", "w,w", "w,h,c", "c,h", "t,batch,w", "(h w),w"):
        with pytest.raises(SnnccError):
            arranged("x", swapped, (), kind, [parse_order(text)])
    for text in ("", "h,,w", "(h", "h;w", "x="):
        with pytest.raises(SnnccError) as caught:
            parse_order(text)
        assert caught.value.code == "SNN001"
