"""SHD and SSC, `.h5`: spike trains of sound; read by the package h5py.

    /spikes/times    one array of seconds a recording, float16
    /spikes/units    one array of channels a recording, 0..699
    /labels          the class of each recording, where there are any

A unit is a pixel of a sensor of 700 x 1; its spikes have no polarity. Seconds become whole
microseconds by rounding to the nearest, halves to the even one: a float16 is first taken exactly.
"""

import operator
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from snncc.events.errors import invalid, unreadable
from snncc.events.extras import library
from snncc.events.record import LATEST, Column, Sensor, Where
from snncc.events.sources import Decoded, Source

UNITS = 700
BROKEN = (
    *(OSError, ValueError, TypeError, KeyError, IndexError, AttributeError, RuntimeError),
    *(OverflowError, MemoryError),
)
HELP = "give a file of SHD or SSC, with /spikes/times and /spikes/units"


def read(source: Source) -> Iterator[Decoded]:
    """Every recording of a file, in its order; one is in memory at a time.

    Raises:
        SnnccError: SNN050 without the package, SNN015 when it cannot be read, SNN080 for times
            that are no numbers.
    """
    h5py = library("h5py", source.name)
    with _told(source, "it is damaged, or no HDF5 file"):
        file = h5py.File(source.path, "r")
    with file:
        times, units = _list(source, file, "spikes/times"), _list(source, file, "spikes/units")
        with _told(source, "what it holds cannot be listed"):
            labels = _list(source, file, "labels") if "labels" in file else None
        counts = {len(each) for each in (times, units, labels) if each is not None}
        if len(counts) != 1:
            raise unreadable(source.name, "times, units and labels differ in number", HELP)
        for index in range(counts.pop()):
            seconds, channels = (_array(source, each, index) for each in (times, units))
            with _told(source, f"the label of recording {index} is no whole number"):
                label = None if labels is None else operator.index(labels[index])
            yield Decoded(
                x=channels,
                y=np.zeros(len(channels), np.uint8),
                polarity=np.zeros(len(channels), np.uint8),
                time=_microseconds(source, seconds, index),
                sensor=Sensor(UNITS, 1),
                polarities=1,
                label=label,
                where=_places(index),
            )


def _places(index: int) -> Where:
    return lambda event: f"event {event} of recording {index}"


@contextmanager
def _told(source: Source, reason: str) -> Generator[None]:
    """Turns every way in which h5py fails on a file into SNN015."""
    try:
        yield
    except BROKEN as error:
        raise unreadable(source.name, reason, HELP) from error


def _list(source: Source, file: Any, name: str) -> Any:
    """A data set with one axis, whose length the file can hold."""
    with _told(source, f"/{name} is damaged"):
        found = file.get(name)
        shape = getattr(found, "shape", None)
    if shape is None or len(shape) != 1 or shape[0] > source.path.stat().st_size:
        raise unreadable(source.name, f"it has no list /{name}", HELP)
    return found


def _array(source: Source, found: Any, index: int) -> Column:
    with _told(source, f"recording {index} in {found.name} is damaged"):
        array = np.asarray(found[index])
    if array.ndim != 1 or array.dtype.kind not in "iuf":
        raise unreadable(source.name, f"recording {index} in {found.name} is no list", HELP)
    return array


def _microseconds(source: Source, seconds: Column, index: int) -> Column:
    exact = seconds.astype(np.float64) * 1e6
    wrong = ~(np.abs(exact) <= LATEST)  # so that NaN is wrong too
    if wrong.any():
        first = int(wrong.argmax())
        told = f"the time of event {first} of recording {index} is {seconds[first]}"
        raise invalid(source.name, told, "times are seconds, below 2^62 us")
    return np.rint(exact).astype(np.int64)
