"""A recording of events: columns that were checked, whatever file they came from."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from snncc.events.errors import invalid, wrong_option
from snncc.events.whole_numbers import pair_of

Column = NDArray[Any]
Where = Callable[[int], str]
LARGEST_SIDE = 1 << 15
"""Pixels: no format can address more."""
LATEST = (1 << 62) - 1
"""Microseconds: differences of two times must fit 64 bits."""


class Sensor(NamedTuple):
    """Size of a sensor in pixels."""

    width: int
    height: int

    def __str__(self) -> str:
        return f"{self.width}x{self.height}"


def by_number(index: int) -> str:
    """An event's place, where there is no file or none that has byte offsets."""
    return f"event {index}"


def at_bytes(offsets: Column) -> Where:
    """Places of events in a file, from the byte offset of each."""
    return lambda index: f"event {index} (byte {int(offsets[index])})"


def is_sensor(sensor: object) -> bool:
    """Whether there can be a sensor of a size."""
    sides = pair_of(sensor)
    return sides is not None and all(1 <= side <= LARGEST_SIDE for side in sides)


def check_sensor(sensor: object, what: str) -> None:
    """Raises SnnccError (SNN001) for a size that no sensor has."""
    if not is_sensor(sensor):
        sides = pair_of(sensor)
        told = repr(sensor) if sides is None else str(Sensor(*sides))
        help_ = f"give its width and height, each from 1 to {LARGEST_SIDE} pixels"
        raise wrong_option(f"{what} has a sensor of {told} pixels", "there is none", help_)


@dataclass(frozen=True, eq=False)
class Events:
    """Events in the order of their times; every one lies on the sensor.

    Attributes:
        x: column of each event's pixel, uint16 [events].
        y: its row, uint16 [events].
        polarity: 1 for ON and 0 for OFF, uint8 [events].
        time: microseconds, int64 [events], never decreasing.
        sensor: width and height in pixels.
        polarities: 2, or 1 where events have none (spike trains of sound).
        source: what the recording is called in messages.
        label: its class, where the file says it.
        left_out: what the file holds besides, and how often: ("triggers", 3).
        where: the place of an event in its file.

    Raises:
        SnnccError: SNN080 for an empty recording, columns of unequal length or that hold no whole
            numbers, pixels off the sensor, times that go backwards; SNN001 for the sensor.
    """

    x: Column
    y: Column
    polarity: Column
    time: Column
    sensor: Sensor
    polarities: int = 2
    source: str = "the recording"
    label: int | None = None
    left_out: tuple[tuple[str, int], ...] = ()
    where: Where = field(default=by_number, repr=False)

    def __post_init__(self) -> None:
        check_sensor(self.sensor, self.source)
        columns = {"x": self.x, "y": self.y, "polarity": self.polarity, "time": self.time}
        whole = {name: self._whole(name, column) for name, column in columns.items()}
        lengths = {name: len(column) for name, column in whole.items()}
        if len(set(lengths.values())) > 1:
            told = ", ".join(f"{name} {length:,}" for name, length in lengths.items())
            raise self._invalid(f"its columns differ in length: {told}", "write all columns anew")
        if not len(whole["time"]):
            left = ", ".join(f"{count:,} {what}" for what, count in self.left_out)
            reason = f"it holds no events{f', only {left}' if left else ''}"
            raise self._invalid(reason, "leave the file out")
        self._check_range("x", whole["x"], self.sensor.width - 1)
        self._check_range("y", whole["y"], self.sensor.height - 1)
        self._check_range("polarity", whole["polarity"], self.polarities - 1)
        self._check_times(whole["time"])
        types = {"x": np.uint16, "y": np.uint16, "polarity": np.uint8, "time": np.int64}
        for name, column in whole.items():
            object.__setattr__(self, name, column.astype(types[name]))

    def __len__(self) -> int:
        return len(self.time)

    def _whole(self, name: str, column: Column) -> Column:
        array = np.asarray(column)
        if array.ndim != 1:
            shape = " x ".join(map(str, array.shape)) or "no axis"
            raise self._invalid(f"{name} has shape {shape}", f"give one {name} an event")
        if array.dtype.kind in "iub":
            return array
        help_ = "give whole numbers; times are whole microseconds"
        if array.dtype.kind == "f" and np.isnan(array).any():
            first = int(np.isnan(array).argmax())
            raise self._invalid(f"{name} of {self.where(first)} is NaN", help_)
        raise self._invalid(f"{name} holds {array.dtype}, not whole numbers", help_)

    def _check_range(self, name: str, column: Column, high: int) -> None:
        outside = (column < 0) | (column > high)
        if not outside.any():
            return
        first, count = int(outside.argmax()), int(outside.sum())
        also = f", and {count - 1:,} more are" if count > 1 else ""
        reason = f"{name} of {self.where(first)} is {int(column[first])}{also} outside 0..{high}"
        if name == "polarity":
            help_ = "polarities are 0 for OFF and 1 for ON" if high else "leave polarities out"
        else:
            spot = f"{int(self.x.max()) + 1}x{int(self.y.max()) + 1}"
            help_ = f"the sensor is said to have {self.sensor} pixels, these events need {spot}; "
            help_ += "give --sensor (in Python, sensor=), or look whether the format is another"
        raise self._invalid(reason, help_)

    def _check_times(self, times: Column) -> None:
        far = (times > LATEST) | (times < -LATEST)
        if far.any():
            first = int(far.argmax())
            reason = f"the time of {self.where(first)} is {int(times[first])} us"
            raise self._invalid(reason, "times are microseconds, less than 2^62 from zero")
        back = times[1:] < times[:-1]
        if back.any():
            first, count = int(back.argmax()) + 1, int(back.sum())
            pair = f"{int(times[first])} us after {int(times[first - 1])} us"
            reason = f"times go backwards {count:,} times, first at {self.where(first)}: {pair}"
            help_ = "give --sort (in Python, sort=True) if the order in the file means nothing"
            raise self._invalid(reason, help_)

    def _invalid(self, reason: str, help: str) -> Exception:
        return invalid(self.source, reason, help)
