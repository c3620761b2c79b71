"""Formats that need `snncc[events]`: AEDAT 4.0 by aedat, SHD and SSC by h5py; and without them."""

import base64
import sys
import zlib
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from snncc.diagnostics import SnnccError
from snncc.events import Reading, Sensor, read_events, recordings

WRITTEN_BY_DV_PROCESSING = (
    "c-oDWTTc^F6onUU0j*F9t%_WSp>h-2LJ&~f%2g#1Nw5Jgyfk#ci7+#nPB9o0jX%IwUP$~2{sABA{Sq%xgE0m}j2c"
    "5?BE|<_Oms~tSWAtZWSZ}+v-aL|y3d)~nx27?mj0e_yVqZ6_gH~a0E5HF29O+f&TS~bHWHA-$H_;`#m4wz0RqukV"
    "OG*(vZ@5dHm_d{*#(Y(qDCb_iOfhrQH>je%A_g^TEsXP6n&|=FJ;ZN`!^Z=>DHt@Vi>w`UYZMv6Y7knOEI&)C>V1"
    "Z6T}Q%R;I+z@iXlKpXvN(u&T>bvJ#mdQls%{=>*GX<`_~HwU4?U8PjD$(zlp!IBsZhBU?ggR#J@Ef6|yC{Zec~mo"
    "+2H#`@whL!A+#5hIdZ5!7Tk?-sHSMp<5-lqEeg>A-0CWYz>}t&y{}(eINpx|yYROui_cS}!Rph8XI|+MFz5r~e9T"
    "@7hY38rLT_{q_B$**EAjcbIk-)8^|O@I_}s_VsiBk(a?H4wZIyCl-m{#RbdS<uLz4AdgqZ#$THFG?)>I#vj4(+RZ"
    "U9Qoa*nA>43PIMG@Ly9chrq<R$j;nGO$a0_tVAmw0>6Rw{m2dexK$8Kq8Ek`Yv6Hb&gTtgc=ZwqMMj}`{sq|pKkj"
    "l*{+7MZ17s}w6xK=Jxrij621AdcUo+JRksmHPWcE6QoW1ELcG(|;yaVlUU19x|#4O<Z4oM70w>CRly!M6qoorxz%"
    "CLbVv%X$U+eR>48M@Qk<*E@ntPCw8Hf>h2fBTvRf{rI*AKh%|hCMXW|W4ca2H8O=2Odd(6Cs=yKpZ>Z)WkM^T)i7"
    "xCgUw4THq0U0XgLhP0u#@V-GVvhFh?n0J^HI$b+6ST=9;)gmVhtM2cQCi<g_nl;6(_D7f;HJ9bEJBFmiVo1JoN!Q"
    "67K2E?6Dc(PKG$p%ul9`vkG|NaO3LQaS2%q*{po5S~d>D{K}t0@f+)NLO%"
)
"""A file of dv-processing 2.0.4 with the events below, compressed by zlib, in base 85."""
EVENTS = [
    (i * 13 % 64, i * 5 % 48, int(i % 3 == 0), 1_500_000_000_000_000 + i * i * 7) for i in range(40)
]


@pytest.fixture
def aedat4(tmp_path: Path) -> Path:
    path = tmp_path / "a.aedat4"
    path.write_bytes(zlib.decompress(base64.b85decode(WRITTEN_BY_DV_PROCESSING)))
    return path


def columns(events: Any) -> list[tuple[int, ...]]:
    both = zip(events.x, events.y, events.polarity, events.time, strict=True)
    return [tuple(map(int, each)) for each in both]


@pytest.mark.parametrize(("package", "name"), [("aedat", "a.aedat4"), ("h5py", "a.h5")])
def test_without_the_package_the_error_names_the_extra(
    package: str, name: str, aedat4: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if name == "a.h5":
        (aedat4.parent / name).write_bytes(b"\x89HDF\r\n\x1a\n")
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(SnnccError, match="SNN050") as caught:
        read_events(aedat4.parent / name)
    assert f"needs the package {package}" in str(caught.value)
    assert "snncc[events]" in str(caught.value)


def test_a_file_of_dv_processing(aedat4: Path) -> None:
    pytest.importorskip("aedat")
    events = read_events(aedat4)
    assert columns(events) == EVENTS
    assert events.sensor == Sensor(64, 48)


def test_a_cut_or_changed_aedat4_is_an_error_or_events(aedat4: Path) -> None:
    pytest.importorskip("aedat")
    whole = aedat4.read_bytes()
    outcomes = set()
    for place in range(0, len(whole), 7):
        for data in (whole[:place], whole[:place] + b"\xff\xff" + whole[place + 2 :]):
            aedat4.write_bytes(data)
            try:
                outcomes.add(len(read_events(aedat4, format="aedat4")))
            except SnnccError as error:
                outcomes.add(error.code)
    assert {"SNN015", 40} <= outcomes <= {"SNN015", "SNN080", "SNN001", *range(1, 41)}


class Panic(BaseException):
    """As a panic of aedat's decoder: no Exception."""


def stand_in(streams: Any, packets: Any) -> SimpleNamespace:
    """A module with a decoder that gives these."""

    class Decoder:
        def __init__(self, path: str) -> None:
            if isinstance(packets, BaseException):
                raise packets

        def id_to_stream(self) -> Any:
            return streams

        def __iter__(self) -> Any:
            return iter(packets)

    return SimpleNamespace(Decoder=Decoder)


KIND = np.dtype([("t", "<u8"), ("x", "<u2"), ("y", "<u2"), ("on", "?")])
STREAM = {"type": "events", "width": 64, "height": 48}


def test_what_the_decoder_gives_is_checked(aedat4: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    two = [np.array([(5, 1, 2, True)], KIND), np.array([(6, 3, 4, False), (7, 0, 0, True)], KIND)]
    packets = [{"stream_id": 0, "events": two[0]}, {"stream_id": 2, "frame": {}}]
    packets += [{"stream_id": 0, "events": two[1]}]
    streams = {0: STREAM, 2: {"type": "frame"}}
    monkeypatch.setitem(sys.modules, "aedat", stand_in(streams, packets))
    events = read_events(aedat4)
    assert columns(events) == [(1, 2, 1, 5), (3, 4, 0, 6), (0, 0, 1, 7)]
    assert events.left_out == (("packets of other streams", 1),)
    for module, code, said in (
        (stand_in({0: STREAM, 1: STREAM}, packets), "SNN015", "2 streams of events"),
        (stand_in({}, []), "SNN015", "0 streams of events"),
        (stand_in({0: STREAM}, []), "SNN080", "no events"),
        (stand_in({0: STREAM}, RuntimeError("no\nmore")), "SNN015", "aedat says: no"),
        (stand_in({0: STREAM}, Panic()), "SNN015", "aedat says: Panic"),
        (stand_in({0: STREAM}, [packets[2], packets[0]]), "SNN080", "go backwards"),
        (stand_in({0: {**STREAM, "width": 3}}, packets), "SNN080", "x of event 1 is 3"),
    ):
        monkeypatch.setitem(sys.modules, "aedat", module)
        with pytest.raises(SnnccError, match=code) as caught:
            read_events(aedat4)
        assert said in str(caught.value)
    monkeypatch.setitem(sys.modules, "aedat", stand_in({}, KeyboardInterrupt()))
    with pytest.raises(KeyboardInterrupt):
        read_events(aedat4)


def shd(path: Path, times: list[Any], units: list[Any], labels: list[int] | None) -> Path:
    """A file of SHD's layout."""
    h5py = pytest.importorskip("h5py")
    with h5py.File(path, "w") as file:
        for name, kind, parts in (("times", np.float16, times), ("units", np.uint16, units)):
            held = file.create_dataset(f"spikes/{name}", (len(parts),), h5py.vlen_dtype(kind))
            for index, part in enumerate(parts):
                held[index] = np.array(part, kind)
        if labels is not None:
            file["labels"] = np.array(labels, np.uint16)
    return path


def test_recordings_of_shd(tmp_path: Path) -> None:
    seconds = [[0.0, 0.25, 1.0009765625], [0.1]]
    path = shd(tmp_path / "a.h5", seconds, [[0, 699, 5], [7]], [3, 19])
    first, second = recordings(path)
    assert columns(first) == [(0, 0, 0, 0), (699, 0, 0, 250_000), (5, 0, 0, 1_000_977)]
    assert columns(second) == [(7, 0, 0, 99_976)]  # the float16 nearest to 0.1 is 0.0999755859375
    assert (first.label, second.label) == (3, 19)
    assert (first.sensor, first.polarities) == (Sensor(700, 1), 1)
    with pytest.raises(SnnccError, match="it holds several recordings"):
        read_events(path)
    one = shd(tmp_path / "b.h5", seconds[1:], [[7]], None)
    assert read_events(one).label is None


def test_what_is_wrong_with_a_file_of_shd(tmp_path: Path) -> None:
    h5py = pytest.importorskip("h5py")
    path = tmp_path / "a.h5"
    for times, units, labels, code, said in (
        ([[np.nan]], [[1]], None, "SNN080", "event 0 of recording 0 is nan"),
        ([[1.0], [1.0, np.inf]], [[1], [1, 2]], None, "SNN080", "event 1 of recording 1 is inf"),
        ([[2.0, 1.0]], [[1, 2]], None, "SNN080", "go backwards"),
        ([[1.0]], [[700]], None, "SNN080", "x of event 0 of recording 0 is 700"),
        ([[1.0, 2.0]], [[7]], None, "SNN080", "differ in length"),
        ([[]], [[]], None, "SNN080", "it holds no events"),
        ([[1.0]], [[1], [2]], None, "SNN015", "differ in number"),
        ([[1.0]], [[1]], [1, 2], "SNN015", "differ in number"),
    ):
        with pytest.raises(SnnccError, match=code) as caught:
            list(recordings(shd(path, times, units, labels)))
        assert said in str(caught.value)
    whole = shd(path, [[1.0]], [[1]], [0]).read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(SnnccError, match="SNN015"):
        list(recordings(path))
    with h5py.File(path, "w") as file:
        file["spikes/times"] = np.zeros((2, 2))
        file["spikes/units"] = np.zeros(2)
    with pytest.raises(SnnccError, match="it has no list /spikes/times"):
        list(recordings(path))
    with h5py.File(path, "w") as file:  # more entries than the file has bytes
        file.create_dataset("spikes/times", (1 << 40,), np.float16, chunks=(1024,))
        file["spikes/units"] = np.zeros(2)
    with pytest.raises(SnnccError, match="it has no list /spikes/times"):
        list(recordings(path))


def test_changed_bytes_of_a_file_of_shd(tmp_path: Path) -> None:
    """Of its tables; in a damaged heap libhdf5 itself may search without end (docs/events.md)."""
    path = shd(tmp_path / "a.h5", [[0.5, 0.75]] * 3, [[1, 2]] * 3, [0, 1, 2])
    whole = path.read_bytes()
    codes = set()
    for place in range(0, whole.index(b"GCOL"), 31):
        for data in (whole[:place], whole[:place] + b"\xff" + whole[place + 1 :]):
            path.write_bytes(data or b"0")
            try:
                codes.add(len(list(recordings(path, Reading(format="shd")))))
            except SnnccError as error:
                codes.add(error.code)
    assert codes <= {0, 1, 2, 3, "SNN015", "SNN080"}
    assert {3, "SNN015"} <= codes
