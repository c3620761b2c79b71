"""From a file to checked events."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np

from snncc.events.chips import CHIPS_OF_AEDAT2
from snncc.events.errors import not_framed, unreadable, wrong_option
from snncc.events.formats import FORMATS, format_of
from snncc.events.orientation import check_moves, orient
from snncc.events.record import Events, Sensor, check_sensor, is_sensor
from snncc.events.sources import LOOKED_AT, Decoded, check_file, read_source
from snncc.events.whole_numbers import pair_of

EACH = 40
"""Bytes that an event takes while it is checked, about."""


@dataclass(frozen=True)
class Reading:
    """How files are read; the default is what the file says of itself.

    Attributes:
        format: one of `FORMATS`, or None: by the first bytes of the file.
        sensor: (width, height) in pixels; stands before what the file says. None: the file's.
        must: whether a file that says another sensor is refused.
        chip: camera by whose layout AEDAT 2.0 is read, where the header does not name it.
        moves: of `orientation.MOVES`, in order.
        sort: whether events are put in the order of their times; else the file must have it.

    Raises:
        SnnccError: SNN001 for a name or a size that there is not.
    """

    format: str | None = None
    sensor: tuple[int, int] | None = None
    chip: str | None = None
    moves: tuple[str, ...] = ()
    sort: bool = False
    must: bool = False

    def __post_init__(self) -> None:
        check_moves(self.moves)
        if self.sensor is not None:
            check_sensor(self.sensor, "the argument")
            object.__setattr__(self, "sensor", pair_of(self.sensor))
        for what, name, names in (
            ("format", self.format, tuple(FORMATS)),
            ("chip", self.chip, CHIPS_OF_AEDAT2),
        ):
            if name is not None and name not in names:
                raise wrong_option(
                    f"{what} {name!r}", "there is none of that name", f"give {', '.join(names)}"
                )

    def to_json(self) -> dict[str, Any]:
        """For an artefact: what was done to the events before they became frames."""
        told = asdict(self)
        del told["must"]  # nothing was done for it
        return told


def recordings(path: str | PathLike[str], reading: Reading | None = None) -> Iterator[Events]:
    """Every recording of a file, in its order; only SHD and SSC hold more than one.

    Args:
        path: of the file.
        reading: how it is read.

    Raises:
        SnnccError: SNN015 when the file cannot be read, SNN050 when its format needs a package
            that is not installed, SNN080 when it holds no valid recording, SNN001 when it does
            not say how large the sensor is, or an argument has no effect on it.
    """
    how = reading or Reading()
    file = Path(path)
    check_file(file)
    name = how.format or format_of(file)
    known = FORMATS[name]
    if how.chip is not None and not known.takes_chip:
        why = f"{path} is of format {name}, whose addresses are the same for every camera"
        raise wrong_option("--chip has no effect here", why, "leave --chip out")
    source = read_source(file, how.chip, whole=known.whole)
    for decoded in known.read(source):
        _check_room(file, decoded)
        yield orient(_events(source.name, decoded, how), how.moves)


def read_events(
    path: str | PathLike[str],
    *,
    format: str | None = None,
    sensor: tuple[int, int] | None = None,
    chip: str | None = None,
    moves: tuple[str, ...] = (),
    sort: bool = False,
) -> Events:
    """The recording of a file that holds one; see `Reading` for the arguments.

    Raises:
        SnnccError: as `recordings`; SNN015 when there are several or none.
    """
    found = recordings(path, Reading(format, sensor, chip, moves, sort))
    events = next(found, None)
    if events is None:
        raise unreadable(str(path), "it holds no recordings", "leave it out")
    if next(found, None) is not None:
        raise unreadable(str(path), "it holds several recordings", "use recordings(path)")
    return events


def _events(source: str, decoded: Decoded, how: Reading) -> Events:
    sensor = decoded.sensor if how.sensor is None else Sensor(*how.sensor)
    if sensor is None:
        raise _no_sensor(source, decoded)
    if how.must and decoded.sensor not in (None, sensor):
        reason = f"it is of a sensor of {decoded.sensor} pixels, and the program sees {sensor}"
        raise not_framed(source, reason, "give recordings of the camera that the network is for")
    if how.sensor is None and not is_sensor(sensor):
        reason = f"its header says a sensor of {sensor} pixels"
        raise unreadable(source, reason, "fetch it again, or give --sensor WIDTHxHEIGHT")
    if how.sort:
        decoded = _sorted(decoded)
    return Events(
        x=decoded.x,
        y=decoded.y,
        polarity=decoded.polarity,
        time=decoded.time,
        sensor=sensor,
        polarities=decoded.polarities,
        source=source,
        label=decoded.label,
        left_out=tuple((what, count) for what, count in decoded.left_out.items() if count),
        where=decoded.where,
    )


def _check_room(path: Path, decoded: Decoded) -> None:
    """Raises SnnccError (SNN015) for events that do not fit into memory: zeros pack well."""
    size = EACH * np.size(decoded.time)
    if size > LOOKED_AT:
        from snncc.data.arrays import require_room

        require_room(path, size)


def _sorted(decoded: Decoded) -> Decoded:
    """Events of one time stay in the order of the file."""
    columns = (decoded.x, decoded.y, decoded.polarity, decoded.time)
    if np.ndim(decoded.time) != 1 or len({np.shape(each) for each in columns}) != 1:
        return decoded  # the check of the columns says it
    order = np.argsort(decoded.time, kind="stable")
    x, y, polarity, time = (np.asarray(each)[order] for each in columns)
    where = decoded.where

    def place(number: int) -> str:
        return where(int(order[number]))

    return replace(decoded, x=x, y=y, polarity=polarity, time=time, where=place)


def _no_sensor(source: str, decoded: Decoded) -> Exception:
    why = "its format does not say it, or the file leaves it out"
    if all(
        np.size(each) and np.asarray(each).dtype.kind in "iu" for each in (decoded.x, decoded.y)
    ):
        why += f"; its largest x is {np.max(decoded.x)}, its largest y {np.max(decoded.y)}"
    help_ = "give --sensor WIDTHxHEIGHT (in Python, sensor=), for N-MNIST 34x34"
    return wrong_option(f"{source}: the size of the sensor is not known", why, help_)
