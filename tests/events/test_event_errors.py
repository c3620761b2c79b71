"""What is wrong with a file of events: one coded error with its place, its reason and a remedy."""

import os
import struct
import tracemalloc
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import event_files
import numpy as np
import pytest
from event_files import Event

from snncc.data import arrays as array_files
from snncc.diagnostics import SnnccError
from snncc.events import Events, Reading, Sensor, read_events
from snncc.events.orientation import orient

FOUR: list[Event] = [(1, 2, 1, 3), (63, 47, 0, 70), (0, 0, 1, 70), (5, 6, 0, 1000)]
BACK: list[Event] = [(1, 2, 1, 30), (1, 2, 1, 40), (0, 0, 1, 20), (0, 0, 1, 10)]
OFF: list[Event] = [(1, 2, 1, 3), (64, 2, 1, 4), (65, 2, 1, 5)]
AEDAT3 = event_files.AEDAT3_HEADER
START = len(AEDAT3)


def refused(call: Callable[[], object], code: str, *said: str) -> None:
    with pytest.raises(SnnccError) as caught:
        call()
    assert len(caught.value.findings) == 1
    finding = caught.value.findings[0]
    assert (finding.code, bool(finding.why), bool(finding.help)) == (code, True, True)
    for text in said:
        assert text in str(caught.value), (text, str(caught.value))


def packet(*numbers: int, body: bytes = b"") -> bytes:
    return AEDAT3.encode() + struct.pack("<hhiiiiii", *numbers) + body


FILES: dict[str, tuple[str, bytes, str, tuple[str, ...]]] = {
    "n-mnist cut": ("a.bin", event_files.atis(FOUR)[:-2], "SNN015", ("within event 3 at byte 15",)),
    "dat cut": (
        "a.dat",
        event_files.dat(FOUR)[:-3],
        "SNN015",
        ("event 3 at byte 61, after 5 of 8",),
    ),
    "evt2 cut": ("a.raw", event_files.evt2(FOUR)[:-1], "SNN015", ("after 3 of 4 bytes",)),
    "aedat2 cut": ("a.aedat", event_files.davis(FOUR)[:-1], "SNN015", ("within event 3 at byte",)),
    "aedat3 cut": (
        "a.aedat",
        event_files.aedat3(FOUR)[:-1],
        "SNN015",
        (f"the packet at byte {START}",),
    ),
    "aedat3 header cut": (
        "a.aedat",
        packet(1, 1, 8, 4, 0, 0, 0, 0)[:-1],
        "SNN015",
        ("header of a",),
    ),
    "dat header alone": ("a.dat", b"% Version 2\n", "SNN015", ("ends at byte 12",)),
    "dat of version 1": ("a.dat", b"% Version 1\n\x0c\x08", "SNN015", ("of version 1",)),
    "dat of no version": ("a.dat", b"% Width 3\n\x0c\x08", "SNN015", ("says no version",)),
    "dat of triggers": ("a.dat", b"% Version 2\n\x0e\x08", "SNN015", ("kind 14 and 8 bytes",)),
    "dat of 9 bytes": ("a.dat", b"% Version 2\n\x0c\x09", "SNN015", ("kind 12 and 9 bytes",)),
    "dat of no width": (
        *("a.dat", event_files.dat(FOUR, "% Version 2\n% Width many\n% Height 3\n"), "SNN015"),
        ("Width 'many'",),
    ),
    "dat of no pixels": (
        *("a.dat", event_files.dat(FOUR, "% Version 2\n% Width 0\n% Height 3\n"), "SNN015"),
        ("a sensor of 0x3 pixels", "--sensor"),
    ),
    "dat polarity": (
        "a.dat",
        event_files.dat([(1, 1, 5, 3)]),
        "SNN080",
        ("polarity of event 0 (byte 37) is 5",),
    ),
    "dat empty": ("a.dat", event_files.dat([]), "SNN080", ("it holds no events",)),
    "dat off": (
        "a.dat",
        event_files.dat(OFF),
        "SNN080",
        ("x of event 1 (byte 45) is 64, and 1 more are outside 0..63", "need 66x3", "--sensor"),
    ),
    "dat back": (
        "a.dat",
        event_files.dat(BACK),
        "SNN080",
        ("go backwards 2 times, first at event 2 (byte 53): 20 us after 40 us", "--sort"),
    ),
    "evt2 back": ("a.raw", event_files.evt2(BACK), "SNN080", ("times go backwards",)),
    "evt2 off": (
        "a.raw",
        event_files.evt2([(9, 48, 0, 1)]),
        "SNN080",
        ("y of event 0 (byte 53) is 48",),
    ),
    "evt2 without events": (
        "a.raw",
        event_files.EVT2_HEADER.encode() + bytes.fromhex("000000a0"),
        "SNN080",
        ("no events, only 1 triggers",),
    ),
    "evt2 untimed": (
        "a.raw",
        event_files.EVT2_HEADER.encode() + bytes(8),
        "SNN080",
        ("only 2 events before the first time",),
    ),
    "evt2 of another kind": (
        "a.raw",
        event_files.EVT2_HEADER.encode() + bytes.fromhex("00000080 00000040"),
        "SNN015",
        ("word 1 at byte 53 is 0x40000000", "number 4"),
    ),
    "evt3": (
        "a.raw",
        b"% evt 3.0\n% format EVT3;height=3;width=3\n% end\n",
        "SNN015",
        ("encoded as EVT3", "convert"),
    ),
    "evt3 of old": ("a.raw", b"% evt 3.0\n% end\n", "SNN015", ("encoded as EVT3",)),
    "evt2.1": ("a.raw", b"% evt 2.1\n% end\n", "SNN015", ("encoded as EVT2.1",)),
    "evt2 endianness": (
        "a.raw",
        b"% evt 2.0\n% endianness middle\n% end\n",
        "SNN015",
        ("'middle'",),
    ),
    "aedat2 off": ("a.aedat", event_files.davis([(240, 0, 0, 0)]), "SNN080", ("is 240", "0..239")),
    "aedat2 back": ("a.aedat", event_files.davis(BACK), "SNN080", ("times go backwards",)),
    "aedat2 of no camera": (
        "a.aedat",
        b"#!AER-DAT2.0\r\n" + bytes(8),
        "SNN001",
        ("names no camera", "--chip dvs128|davis240"),
    ),
    "aedat2 of another": (
        "a.aedat",
        b"#!AER-DAT2.0\r\n# AEChip: Cochlea\r\n" + bytes(8),
        "SNN001",
        ("names 'Cochlea'",),
    ),
    "aedat2 lines": (
        "a.aedat",
        b"#!AER-DAT2.0\r\n# AEChip: DVS128\n" + bytes(8),
        "SNN015",
        ("the line at byte 14 of its header ends otherwise",),
    ),
    "evt2 lines": (
        "a.raw",
        b"% evt 2.0\r\n% geometry 3x3\n" + bytes(8),
        "SNN015",
        ("the line at byte 11 of its header",),
    ),
    "aedat3 without end": ("a.aedat", b"#!AER-DAT3.1\r\n" + bytes(28), "SNN015", ("#!END-HEADER",)),
    "aedat3 of nothing": ("a.aedat", AEDAT3.encode(), "SNN080", ("it holds no events",)),
    "aedat3 back": ("a.aedat", event_files.aedat3(BACK), "SNN080", ("go backwards",)),
    "aedat3 negative time": (
        "a.aedat",
        packet(1, 1, 8, 4, 0, 1, 1, 1, body=bytes.fromhex("01000000 ffffffff")),
        "SNN015",
        ("is negative",),
    ),
    "aedat3 negative size": (
        "a.aedat",
        packet(0, 1, -8, 4, 0, 1, 1, 1),
        "SNN015",
        ("-8 bytes an event",),
    ),
    "aedat3 of no size": (
        "a.aedat",
        packet(0, 1, 0, 4, 0, 2**31 - 1, 1, 1),
        "SNN015",
        ("0 bytes an event",),
    ),
    "aedat3 of more than it has": (
        "a.aedat",
        packet(1, 1, 8, 4, 0, 2**31 - 1, 2**31 - 1, 1),
        "SNN015",
        ("ends at byte 17179869",),
    ),
    "aedat3 more than places": (
        "a.aedat",
        packet(1, 1, 8, 4, 0, 1, 2, 2, body=bytes(16)),
        "SNN015",
        ("2 of 1 events",),
    ),
    "aedat3 events of 16 bytes": (
        "a.aedat",
        packet(1, 1, 16, 4, 0, 1, 1, 1, body=bytes(16)),
        "SNN015",
        ("16 bytes with the time at 4",),
    ),
    "aedat3 time elsewhere": (
        "a.aedat",
        packet(1, 1, 8, 0, 0, 1, 1, 1, body=bytes(8)),
        "SNN015",
        ("time at 0",),
    ),
    "aedat 3.0": ("a.aedat", b"#!AER-DAT3.0\r\n", "SNN015", ("it is AEDAT 3.0",)),
    "aedat 1": (
        "a.aedat",
        bytes(12),
        "SNN015",
        ("no format of events begins with the bytes 00 00",),
    ),
    "empty": ("a.dat", b"", "SNN015", ("it is empty",)),
    "foreign": ("a.dat", b"\x7fELF0123", "SNN015", ("7f 45 4c 46", "--format")),
    "no zip": ("a.npz", b"PK\x03\x04 is no zip", "SNN015", ("there are: none",)),
}


@pytest.mark.parametrize("name", FILES)
def test_a_file_is_refused_with_its_place(name: str, tmp_path: Path) -> None:
    file, data, code, said = FILES[name]
    path = tmp_path / file
    path.write_bytes(data)
    sensor = (64, 64) if file == "a.bin" else None
    refused(lambda: read_events(path, sensor=sensor), code, str(path), *said)


COLUMNS: dict[str, Any] = {"t": [1, 2, 3], "x": [0, 1, 2], "y": [2, 1, 0], "p": [0, 1, 1]}
ARRAYS: dict[str, tuple[dict[str, Any], str, tuple[str, ...]]] = {
    "no p": ({"p": None}, "SNN015", ("no array p; there are: t, x, y",)),
    "float times": ({"t": [1.0, 2.0, 3.5]}, "SNN080", ("time holds float64, not whole numbers",)),
    "NaN": ({"t": [1.0, np.nan, 3.0]}, "SNN080", ("time of event 1 is NaN",)),
    "NaN in x": ({"x": [np.nan, 1, 2]}, "SNN080", ("x of event 0 is NaN",)),
    "text": ({"x": ["a", "b", "c"]}, "SNN080", ("x holds <U1",)),
    "complex": ({"t": [1j, 2, 3]}, "SNN080", ("time holds complex128",)),
    "dates": ({"t": np.array([1, 2, 3], "M8[us]")}, "SNN080", ("datetime64",)),
    "objects": ({"t": np.array([1, None, 3], object)}, "SNN015", ("without objects",)),
    "a table": ({"t": [[1, 2, 3]]}, "SNN080", ("time has shape 1 x 3",)),
    "a number": ({"t": 3}, "SNN080", ("time has shape no axis",)),
    "unequal": ({"x": [1, 2]}, "SNN080", ("differ in length: x 2, y 3, polarity 3, time 3",)),
    "none": ({key: np.zeros(0, int) for key in COLUMNS}, "SNN080", ("it holds no events",)),
    "below 0": ({"x": [0, -1, 2]}, "SNN080", ("x of event 1 is -1 outside 0..2",)),
    "outside": ({"y": [0, 1, 3]}, "SNN080", ("y of event 2 is 3 outside 0..2",)),
    "polarity -1": ({"p": [-1, 1, 1]}, "SNN080", ("polarity of event 0 is -1", "0 for OFF")),
    "beyond": (
        {"t": np.array([1, 2, 2**63], "u8")},
        "SNN080",
        ("event 2 is 9223372036854775808 us",),
    ),
    "before": (
        {"t": np.array([-(2**63), 2, 3])},
        "SNN080",
        ("event 0 is -9223372036854775808 us",),
    ),
    "unsigned back": ({"t": np.array([5, 4, 4], "u8")}, "SNN080", ("4 us after 5 us",)),
}


@pytest.mark.parametrize("name", ARRAYS)
def test_arrays_are_refused_with_their_place(name: str, tmp_path: Path) -> None:
    changed, code, said = ARRAYS[name]
    arrays = {key: value for key, value in {**COLUMNS, **changed}.items() if value is not None}
    np.savez(tmp_path / "a.npz", **arrays)
    refused(lambda: read_events(tmp_path / "a.npz", sensor=(3, 3)), code, *said)
    refused(lambda: read_events(tmp_path / "a.npz"), code if code == "SNN015" else "SNN001")
    if name not in ("unsigned back", "objects", "no p"):
        refused(lambda: read_events(tmp_path / "a.npz", sensor=(3, 3), sort=True), code)


def test_events_of_python_are_checked_like_those_of_files() -> None:
    whole = np.arange(3)
    refused(lambda: Events(whole, whole, whole % 2, whole[::-1], Sensor(3, 3)), "SNN080", "event 1")
    refused(
        lambda: Events(whole, whole, whole, whole, Sensor(3, 3)), "SNN080", "polarity of event 2"
    )
    refused(
        lambda: Events(whole, whole, whole % 2, whole, Sensor(3, 3), 1), "SNN080", "polarities out"
    )
    for sensor in (Sensor(0, 3), Sensor(3, -1), Sensor(3, 1 << 16)):
        refused(lambda s=sensor: Events(whole, whole, whole % 2, whole, s), "SNN001")


def test_the_size_of_the_sensor_is_asked_for_with_the_largest_coordinates(tmp_path: Path) -> None:
    path = tmp_path / "a.bin"
    path.write_bytes(event_files.atis([(3, 9, 0, 1), (30, 2, 1, 2)]))
    refused(lambda: read_events(path), "SNN001", "largest x is 30, its largest y 9", "34x34")


def test_a_given_sensor_stands_before_the_files(tmp_path: Path) -> None:
    path = tmp_path / "a.dat"
    path.write_bytes(event_files.dat(OFF))
    assert read_events(path, sensor=(66, 3)).sensor == (66, 3)


def test_what_is_no_file_is_not_opened(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.dat")
    os.mkfifo(tmp_path / "pipe.bin")
    for name, said in (
        *(("pipe.dat", "a pipe"), ("pipe.bin", "a pipe"), ("", "it is a folder")),
        *(
            ("nothing.dat", "No such file"),
            ("nothing.bin", "No such file"),
            ("x" * 300, "too long"),
        ),
    ):
        for format in (None, "dat", "npz", "nmnist"):
            refused(lambda n=name, f=format: read_events(tmp_path / n, format=f), "SNN015", said)
    refused(lambda: read_events("/dev/zero"), "SNN015", "a device")


@pytest.mark.parametrize("format", ["npz", "nmnist", "dat", "evt2", "aedat2", "aedat3"])
def test_a_format_that_is_not_the_files_is_an_error(format: str, tmp_path: Path) -> None:
    files = {
        "dat": event_files.dat(FOUR),
        "evt2": event_files.evt2(FOUR),
        "aedat2": event_files.davis(FOUR),
        "aedat3": event_files.aedat3(FOUR),
    }
    for name, data in files.items():
        path = tmp_path / name
        path.write_bytes(data)
        if name != format:
            with pytest.raises(SnnccError):
                read_events(path, format=format, sensor=(64, 48))


def test_arguments_are_checked(tmp_path: Path) -> None:
    refused(lambda: Reading(format="avi"), "SNN001", "format 'avi'", "give npz, nmnist")
    refused(lambda: Reading(chip="dvxplorer"), "SNN001", "chip 'dvxplorer'", "give dvs128")
    refused(lambda: Reading(moves=("turn",)), "SNN001", "'turn'")
    refused(lambda: Reading(sensor=(0, 1)), "SNN001", "a sensor of 0x1 pixels")
    wrong: list[Any] = [(3,), (3, 3, 3), ("3", "3"), (3.5, 2), 3, "33", (True, 2)]
    for sensor in wrong:
        refused(lambda s=sensor: Reading(sensor=s), "SNN001", f"a sensor of {sensor!r} pixels")
        refused(lambda s=sensor: Events(*(np.arange(2),) * 4, s), "SNN001", "a sensor of")
    refused(lambda: read_events("a\0b.dat"), "SNN015", "null byte")
    path = tmp_path / "a.dat"
    path.write_bytes(event_files.dat(FOUR))
    refused(lambda: read_events(path, chip="dvs128"), "SNN001", "--chip has no effect here")


def peak(call: Callable[[], object]) -> int:
    """Bytes that a call takes at its peak."""
    tracemalloc.start()
    with suppress(SnnccError):
        call()
    found = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return found


def read_events_once(folder: Path) -> None:
    """So that what is imported and cached at the first call does not count."""
    for name, data in {"w.npz": b"PK\x03\x04", "w.dat": event_files.dat(FOUR)}.items():
        (folder / name).write_bytes(data)
        with suppress(SnnccError):
            read_events(folder / name)


@pytest.mark.parametrize("name", FILES)
def test_a_small_file_takes_little_memory_whatever_it_says(name: str, tmp_path: Path) -> None:
    file, data, _, _ = FILES[name]
    path = tmp_path / file
    path.write_bytes(data)
    read_events_once(tmp_path)
    assert peak(lambda: read_events(path, sensor=(64, 64))) < 1 << 18


def test_memory_is_in_proportion_to_the_file(tmp_path: Path) -> None:
    count = 20_000
    events = [(n % 64, n % 48, n % 2, 3 * n) for n in range(count)]
    read_events_once(tmp_path)
    for name, data in {
        "a.bin": event_files.atis(events),
        "a.dat": event_files.dat(events),
        "a.raw": event_files.evt2(events),
        "a.aedat": event_files.davis(events),
        "b.aedat": event_files.aedat3(events, each=1),
    }.items():
        (tmp_path / name).write_bytes(data)
        path = tmp_path / name
        assert len(read_events(path, sensor=(64, 48))) == count
        assert peak(lambda p=path: read_events(p, sensor=(64, 48))) < 40 * len(data), name


def test_flipping_a_polarity_that_is_not_there_is_refused() -> None:
    whole = np.arange(3)
    spikes = Events(whole, 0 * whole, 0 * whole, whole, Sensor(3, 1), 1)
    refused(lambda: orient(spikes, ("flip-polarity",)), "SNN001", "events have no polarity")


def test_the_place_of_an_event_is_that_in_the_file_when_it_is_sorted(tmp_path: Path) -> None:
    path = tmp_path / "a.dat"
    path.write_bytes(event_files.dat([(1, 1, 0, 9), (2, 2, 0, 8), (99, 3, 0, 1)]))
    refused(lambda: read_events(path, sort=True), "SNN080", "x of event 2 (byte 53) is 99")


def test_what_would_fill_memory_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the limits of big files made small: an archive of zeros, and events of many bytes."""
    zeros = {key: np.zeros(1 << 20, np.uint8) for key in COLUMNS}
    np.savez_compressed(tmp_path / "a.npz", **zeros)
    assert len(read_events(tmp_path / "a.npz", sensor=(1, 1))) == 1 << 20
    monkeypatch.setattr(array_files, "INFLATED", 1 << 20)
    refused(lambda: read_events(tmp_path / "a.npz", sensor=(1, 1)), "SNN015", "inflate to")
    monkeypatch.setattr(array_files, "INFLATED", 1 << 23)
    monkeypatch.setattr(array_files, "free_memory", lambda: 1 << 24)
    monkeypatch.setattr("snncc.events.reading.LOOKED_AT", 1 << 20)
    refused(lambda: read_events(tmp_path / "a.npz", sensor=(1, 1)), "SNN015", "are free")
    monkeypatch.setattr(array_files, "free_memory", lambda: 1 << 26)
    assert len(read_events(tmp_path / "a.npz", sensor=(1, 1))) == 1 << 20
