"""Readers of event files: bytes computed by hand, SpikingJelly's readers, borders of formats."""

from pathlib import Path

import event_files
import numpy as np
import pytest
from event_files import Event
from spikingjelly_events import functions

from snncc.events import Events, read_events
from snncc.events.clocks import unwrapped

SENSOR = (64, 48)
SIMPLE: list[Event] = [(1, 2, 1, 3), (63, 47, 0, 70), (0, 0, 1, 70), (5, 6, 0, 1000)]


def columns(events: Events) -> list[Event]:
    both = zip(events.x, events.y, events.polarity, events.time, strict=True)
    return [(int(x), int(y), int(p), int(t)) for x, y, p, t in both]


def written(folder: Path, name: str, data: bytes) -> Path:
    path = folder / name
    path.write_bytes(data)
    return path


def some(seed: int, count: int, last: int, sensor: tuple[int, int] = SENSOR) -> list[Event]:
    rng = np.random.default_rng(seed)
    times = np.sort(rng.integers(0, last, count))
    x, y, p = (rng.integers(0, n, count) for n in (*sensor, 2))
    return [(int(a), int(b), int(c), int(d)) for a, b, c, d in zip(x, y, p, times, strict=True)]


BY_HAND = {
    # x, y, then polarity and 23 bits of time with the high bits first
    "nmnist.bin": ("0203 800007  2120 012345", [(2, 3, 1, 7), (33, 32, 0, 0x012345)]),
    # type 0x0c, 8 bytes; time; x in the low 14 bits, y in the next 14, then polarity
    "two.dat": (
        b"% Data file containing CD events\n% Version 2\n% Width 64\n% Height 48\n".hex()
        + "0c08  0a000000 05800010  ffffffff 3fc00b00",
        [(5, 2, 1, 10), (63, 47, 0, 0xFFFFFFFF)],
    ),
    # time high 1, an ON event with low time 5, x 3, y 4; time high 2, an OFF event
    "two.raw": (
        b"% evt 2.0\n% geometry 64x48\n% end\n".hex() + "01000080  04184011  02000080  0108c00f",
        [(3, 4, 1, 64 + 5), (1, 1, 0, 128 + 63)],
    ),
    # big-endian; bit 31 clear, y << 22, x << 12, polarity << 11
    "davis.aedat": (
        b"#!AER-DAT2.0\r\n# AEChip: Davis240C\r\n".hex() + "02cee800 00000001  00003800 80000000",
        [(0xEE, 0x0B, 1, 1), (3, 0, 1, 0x80000000)],
    ),
    # big-endian; y << 8, x << 1, polarity
    "dvs128.aedat": (
        b"#!AER-DAT2.0\n# AEChip: DVS128\n".hex() + "00007fff 00000010  00000304 00000011",
        [(127, 127, 1, 16), (2, 3, 0, 17)],
    ),
    # little-endian: a packet of kind 1 with 2 of 2 events; the clock was full once
    "packet.aedat": (
        b"#!AER-DAT3.1\r\n#Source 0: DVS128\r\n#!END-HEADER\r\n".hex()
        + "0100 0000 08000000 04000000 01000000 02000000 02000000 02000000"
        + "0b000600 05000000  fd01fe00 ffffff7f",
        [(3, 2, 1, 2**31 + 5), (127, 127, 0, 2**32 - 1)],
    ),
}


@pytest.mark.parametrize("name", BY_HAND)
def test_bytes_computed_by_hand(name: str, tmp_path: Path) -> None:
    text, expected = BY_HAND[name]
    sensor = (34, 34) if name == "nmnist.bin" else None
    events = read_events(written(tmp_path, name, bytes.fromhex(text)), sensor=sensor)
    assert columns(events) == expected
    widths = {"nmnist": 34, "two": 64, "davis": 240, "dvs128": 128, "packet": 128}
    assert events.sensor.width == widths[name.split(".")[0]]
    assert events.left_out == ()


WRITERS = {
    "a.dat": event_files.dat,
    "a.raw": event_files.evt2,
    "davis.aedat": event_files.davis,
    "dvs.aedat": event_files.dvs128,
    "three.aedat": event_files.aedat3,
}


@pytest.mark.parametrize("name", WRITERS)
@pytest.mark.parametrize("seed", range(3))
def test_what_was_written_is_read(name: str, seed: int, tmp_path: Path) -> None:
    for count, last in ((1, 1), (300, 200), (500, 3_000_000)):
        events = some(seed, count, last)
        found = read_events(written(tmp_path, name, WRITERS[name](events)))
        assert columns(found) == events


@pytest.mark.parametrize("order", ["<", ">"])
def test_words_of_evt2_in_either_byte_order(order: str, tmp_path: Path) -> None:
    events = some(5, 200, 100_000)
    said = "little" if order == "<" else "big"
    for header in (
        f"% evt 2.0\n% format EVT2;height=48;width=64;endianness={said}\n% end\n",
        f"% evt 2.0\n% geometry 64x48\n% endianness {said}\n",
    ):
        path = written(tmp_path, "a.raw", event_files.evt2(events, header, order))
        assert columns(read_events(path)) == events


CLOCKS = {"a.dat": 2**32, "davis.aedat": 2**32, "a.raw": 2**34, "three.aedat": 2**31}


@pytest.mark.parametrize("name", CLOCKS)
def test_clocks_that_start_again(name: str, tmp_path: Path) -> None:
    full = CLOCKS[name]
    times = [full - 100, full - 1, full, full + 1, full + 90, full + full // 2, 2 * full - 1]
    times += [2 * full, 2 * full + 7]
    events = [(n, n, n % 2, t) for n, t in enumerate(times)]
    found = read_events(written(tmp_path, name, WRITERS[name](events)))
    assert columns(found) == events


def test_marks_of_n_mnist_let_time_go_on(tmp_path: Path) -> None:
    events = [
        (1, 1, 0, 5),
        (0, 240, 0, 0),
        (2, 2, 1, 6),
        (9, 240, 1, 1),
        (0, 240, 0, 1),
        (3, 3, 0, 7),
    ]
    path = written(tmp_path, "a.bin", event_files.atis(events))
    found = read_events(path, sensor=(34, 34))
    assert columns(found) == [(1, 1, 0, 5), (2, 2, 1, 6 + 8192), (3, 3, 0, 7 + 3 * 8192)]
    assert found.left_out == (("marks of time that went on", 3),)


def test_spikingjelly_reads_the_same_from_n_mnist(tmp_path: Path) -> None:
    events = some(1, 4000, 2**23, (34, 34))
    path = written(tmp_path, "a.bin", event_files.atis(events))
    theirs = functions("utils.py", "load_ATIS_bin")["load_ATIS_bin"](path)
    ours = read_events(path, sensor=(34, 34))
    for name, column in (("x", ours.x), ("y", ours.y), ("p", ours.polarity), ("t", ours.time)):
        assert np.array_equal(theirs[name], column), name


def test_spikingjelly_reads_the_same_from_aedat3(tmp_path: Path) -> None:
    events = some(2, 500, 2**33, (128, 128))
    between = bytes.fromhex(
        "0000 0100 04000000 00000000 00000000 01000000 01000000 01000000 ffffffff"
    )
    path = written(tmp_path, "a.aedat", event_files.aedat3(events, between=between))
    theirs = functions("utils.py", "load_aedat_v3")["load_aedat_v3"](path)
    ours = read_events(path)
    for name, column in (("x", ours.x), ("y", ours.y), ("p", ours.polarity), ("t", ours.time)):
        assert np.array_equal(theirs[name], column), name
    kinds = dict(ours.left_out)
    assert kinds["events of other kinds"] >= len(events) // 7


def test_cifar10_dvs_is_turned_as_spikingjelly_turns_it(tmp_path: Path) -> None:
    events = some(3, 500, 10**6, (128, 128))
    header = "#!AER-DAT2.0\r\n# This is a raw AE data file - do not edit\r\n"
    path = written(tmp_path, "a.aedat", event_files.dvs128(events, header))
    names = ["_read_bits", "_skip_header", "_load_raw_events", "_parse_raw_address", "_load_events"]
    names += ["_load_origin_data", "x_mask", "x_shift", "y_mask", "y_shift"]
    names += ["polarity_mask", "polarity_shift", "valid_mask", "valid_shift", "EVT_DVS"]
    theirs = functions("cifar10_dvs.py", *names)["_load_origin_data"](path)
    moves = ("swap", "flip-x", "flip-y", "flip-polarity")
    ours = read_events(path, chip="dvs128", moves=moves)
    for name, column in (("x", ours.x), ("y", ours.y), ("p", ours.polarity), ("t", ours.time)):
        assert np.array_equal(theirs[name], column), name


def test_what_is_no_event_of_a_pixel_is_counted(tmp_path: Path) -> None:
    beside = b"% evt 2.0\n% geometry 64x48\n% end\n"
    words = [0x10000000, 0x80000001, 0xA0000000, 0xE0000000, 0xF0000000, 0xF0000001, 0x00000802]
    path = written(tmp_path, "a.raw", beside + np.array(words, "<u4").tobytes())
    events = read_events(path)
    assert columns(events) == [(1, 2, 0, 64)]
    assert dict(events.left_out) == {
        "triggers": 1,
        "words of other events": 1,
        "words that go on": 2,
        "events before the first time": 1,
    }
    aedat = event_files.davis(SIMPLE) + bytes.fromhex("80000001 00000400 00000400 00000401")
    events = read_events(written(tmp_path, "a.aedat", aedat))
    assert columns(events) == SIMPLE
    assert events.left_out == (("addresses of other events", 2),)


def test_invalid_events_and_spare_places_of_aedat3(tmp_path: Path) -> None:
    data = bytearray(event_files.aedat3(SIMPLE, spare=3))
    start = len(event_files.AEDAT3_HEADER) + 28
    data[start + 8] &= 0xFE  # the second event is not valid
    events = read_events(written(tmp_path, "a.aedat", bytes(data)))
    assert columns(events) == [SIMPLE[0], *SIMPLE[2:]]
    assert events.left_out == (("events that are marked invalid", 1),)


def test_numpy_arrays_of_any_whole_type(tmp_path: Path) -> None:
    events = some(4, 100, 5000)
    for kinds in (
        ("<u4", "u1", "<i2", "?"),
        (">i8", ">u2", "i1", "<i8"),
        ("<u8", "u1", "u1", "u1"),
    ):
        arrays = {
            name: np.array([event[place] for event in events]).astype(kind)
            for name, place, kind in zip("txyp", (3, 0, 1, 2), kinds, strict=True)
        }
        np.savez(tmp_path / "a.npz", **arrays, more=np.zeros(3))
        found = read_events(tmp_path / "a.npz", sensor=SENSOR)
        assert columns(found) == events
        assert [found.x.dtype, found.time.dtype] == [np.uint16, np.int64]


def test_data_whose_first_byte_is_the_mark_of_a_header_line(tmp_path: Path) -> None:
    """An address of row 140 of a DAVIS begins with "#"; a newline in it ends no header line."""
    events = [(0x0A0, 140, 1, 0x0A000000), (0x0A0, 140, 1, 0x0A000001)]
    found = read_events(written(tmp_path, "a.aedat", event_files.davis(events)))
    assert columns(found) == events


def test_sorting_keeps_events_of_one_time_in_order(tmp_path: Path) -> None:
    events = [(1, 0, 0, 9), (2, 0, 0, 4), (3, 0, 0, 9), (4, 0, 0, 4)]
    path = written(tmp_path, "a.dat", event_files.dat(events))
    found = read_events(path, sort=True)
    assert [int(x) for x in found.x] == [2, 4, 1, 3]


def test_moves_are_made_in_order(tmp_path: Path) -> None:
    path = written(tmp_path, "a.dat", event_files.dat([(5, 7, 1, 1)]))
    expected = {
        (): (5, 7, 1),
        ("swap",): (7, 5, 1),
        ("flip-x",): (58, 7, 1),
        ("flip-y", "flip-polarity"): (5, 40, 0),
        ("swap", "flip-x"): (40, 5, 1),
        ("flip-x", "swap"): (7, 58, 1),
    }
    for moves, (x, y, p) in expected.items():
        found = read_events(path, moves=moves)
        assert columns(found) == [(x, y, p, 1)], moves
        assert found.sensor == ((48, 64) if "swap" in moves else (64, 48))


@pytest.mark.parametrize("bits", [28, 32])
def test_a_clock_starts_again_where_it_falls_by_more_than_half(bits: int) -> None:
    half, full = 1 << (bits - 1), 1 << bits
    times = unwrapped(np.array([half, 0, half + 1, 0, full - 1, half], np.uint32), bits)
    assert times.tolist() == [half, 0, half + 1, full, 2 * full - 1, full + half]
