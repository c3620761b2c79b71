"""Mutated files of events: each is a valid recording, or one coded error."""

import io
import random
import warnings
import zipfile
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

import event_files
import numpy as np
from event_files import Event

from snncc.diagnostics import SnnccError
from snncc.events import ByNumber, Framing, Reading, make_frames, recordings

SENSOR = (128, 128)
CODES = {"SNN001", "SNN015", "SNN050", "SNN080", "SNN081"}
"""SNN050: a header that was changed to AEDAT 4.0, where its package is not installed."""


def originals() -> dict[str, bytes]:
    """A small valid file of every format that is read here, by name."""
    rng = random.Random(1)  # noqa: S311
    times = sorted(rng.randrange(1 << 20) for _ in range(40))
    events: list[Event] = [
        (rng.randrange(64), rng.randrange(48), rng.randrange(2), time) for time in times
    ]
    columns = {name: [e[i] for e in events] for name, i in {"x": 0, "y": 1, "p": 2, "t": 3}.items()}
    packed, plain = io.BytesIO(), io.BytesIO()
    np.savez_compressed(packed, **{key: np.array(each) for key, each in columns.items()})
    np.savez(plain, **{key: np.array(each, np.uint32) for key, each in columns.items()})
    return {
        "a.bin": event_files.atis(events),
        "a.dat": event_files.dat(events),
        "a.raw": event_files.evt2(events),
        "davis.aedat": event_files.davis(events),
        "dvs.aedat": event_files.dvs128(events),
        "three.aedat": event_files.aedat3(events),
        "packed.npz": packed.getvalue(),
        "plain.npz": plain.getvalue(),
    }


def mutant(rng: random.Random, whole: Mapping[str, bytes], name: str) -> bytes:
    """Bytes of a file after one to four changes: bits, bytes, ends, parts of itself and others."""
    data = bytearray(whole[name])
    for _ in range(rng.randint(1, 4)):
        if not data:
            break
        place = rng.randrange(len(data))
        match rng.randrange(8):
            case 0:
                data[place] ^= 1 << rng.randrange(8)
            case 1:
                data[place] = rng.choice((0, 1, 0x0A, 0x0D, 0x23, 0x25, 0x7F, 0x80, 0xFF))
            case 2:
                del data[place:]
            case 3:
                del data[place : place + rng.randint(1, 12)]
            case 4:
                data[place:place] = rng.randbytes(rng.randint(1, 12))
            case 5:
                other = whole[rng.choice(sorted(whole))]
                start = rng.randrange(len(other))
                data[place:place] = other[start : start + rng.randint(1, 64)]
            case 6:
                data[place : place + 4] = rng.choice((b"\xff" * 4, bytes(4), b"\xff\xff\xff\x7f"))
            case _:
                digits = [i for i, byte in enumerate(data[:200]) if 0x30 <= byte <= 0x39]
                if digits:
                    data[rng.choice(digits)] = 0x30 + rng.randrange(10)
    if name.endswith(".npz") and rng.random() < 0.5:
        return sealed(bytes(data))
    return bytes(data)


def sealed(data: bytes) -> bytes:
    """The same archive with checksums that fit, so that what it holds is reached."""
    try:
        found = io.BytesIO()
        with zipfile.ZipFile(io.BytesIO(data)) as archive, zipfile.ZipFile(found, "w") as made:
            for info in archive.infolist():
                with archive.open(info) as file:
                    file._expected_crc = None  # type: ignore[attr-defined]
                    made.writestr(info.filename, file.read(1 << 20))
        return found.getvalue()
    except Exception:  # it is damaged in another way, which is as good
        return data


def fuzz(folder: Path, count: int, seed: int) -> Counter[str]:
    """Outcomes of so many mutants: "valid", or the code of the error.

    Raises:
        AssertionError: an error has another code or no reason, or frames lose events.
    """
    rng = random.Random(seed)  # noqa: S311
    whole, outcomes = originals(), Counter[str]()
    names = sorted(whole)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.filterwarnings("ignore", "Duplicate name")  # of the sealing
        for number in range(count):
            name = names[number % len(names)]
            path = folder / name
            path.write_bytes(mutant(rng, whole, name))
            sensor = SENSOR if name.endswith((".bin", ".npz")) or rng.random() < 0.2 else None
            outcomes[outcome(path, Reading(sensor=sensor, sort=rng.random() < 0.3))] += 1
    return outcomes


def outcome(path: Path, reading: Reading) -> str:
    """What reading a file and framing it gives."""
    try:
        for events in recordings(path, reading):
            framed = make_frames(events, Framing(ByNumber(2)))
            assert framed.values.sum() == len(events) > 0
            assert (np.diff(events.time) >= 0).all()
            assert int(events.x.max()) < events.sensor.width
            assert int(events.y.max()) < events.sensor.height
    except SnnccError as caught:
        error = caught
    else:
        return "valid"
    (finding,) = error.findings
    assert finding.code in CODES, (path, str(error))
    assert finding.why, (path, str(error))
    assert finding.help, (path, str(error))
    return finding.code
