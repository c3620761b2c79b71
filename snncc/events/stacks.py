"""Frames of many recordings as one array."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from os import PathLike
from typing import Any

import numpy as np
from numpy.typing import NDArray

from snncc.diagnostics import SnnccError
from snncc.events.errors import not_framed
from snncc.events.frames import Framed, Loss, make_frames, smallest_type
from snncc.events.framing import Framing
from snncc.events.reading import Reading, recordings
from snncc.events.record import Events

LOOKED_AT = 1 << 26
"""Bytes from which the frames are held against the memory that is free."""


@dataclass(frozen=True, eq=False)
class Stack:
    """Frames of recordings, in order.

    Attributes:
        values: [n, T, C, H, W].
        labels: class of each recording, int64 [n]; None unless every file says them.
        events: of all recordings.
        low: smallest value before clipping.
        high: largest value before clipping.
        empty: frames without events.
        loss: what the frames do not tell.
        left_out: what the files hold besides events, and how often.
    """

    values: NDArray[Any]
    labels: NDArray[np.int64] | None
    events: int
    low: int
    high: int
    empty: int
    loss: Loss
    left_out: dict[str, int] = field(default_factory=dict[str, int])


def frame_files(
    paths: Iterable[str | PathLike[str]],
    framing: Framing,
    reading: Reading | None = None,
    limit: int | None = None,
) -> Stack:
    """Frames of every recording of some files.

    Args:
        paths: of the files.
        framing: of each recording.
        reading: how files are read.
        limit: only so many recordings.

    Raises:
        SnnccError: of `recordings` and of `make_frames`; SNN081 when recordings have frames of
            different shapes, or there is none; SNN004 when they do not fit into memory.
    """
    arrays: list[NDArray[Any]] = []
    labels: list[int | None] = []
    told: list[Framed] = []
    events, held, first = 0, 0, ""
    left_out: dict[str, int] = {}
    for found in _up_to(limit, paths, reading):
        framed = make_frames(found, framing)
        values = framed.values
        if arrays and values.shape != arrays[0].shape:
            reason = f"it has frames of {_size(values)}, {first} of {_size(arrays[0])}"
            help_ = "frame to a number of --steps, and give all the same --sensor"
            raise not_framed(found.source, reason, help_)
        first = first or found.source
        held += values.nbytes
        _require_room(held)
        arrays.append(values)
        labels.append(found.label)
        told.append(Framed(values[:0], framed.low, framed.high, framed.empty, framed.loss))
        events += len(found)
        for what, count in found.left_out:
            left_out[what] = left_out.get(what, 0) + count
    if not arrays:
        raise not_framed("what is given", "it holds no recordings", "give files of events")
    known = [label for label in labels if label is not None]
    return Stack(
        values=np.stack(arrays, dtype=smallest_type(framing, arrays), casting="same_kind"),
        labels=np.array(known, np.int64) if len(known) == len(labels) else None,
        events=events,
        low=min(each.low for each in told),
        high=max(each.high for each in told),
        empty=sum(each.empty for each in told),
        loss=sum((each.loss for each in told), Loss()),
        left_out=left_out,
    )


def _up_to(
    limit: int | None, paths: Iterable[str | PathLike[str]], reading: Reading | None
) -> Iterator[Events]:
    count = 0
    for path in paths:
        for found in recordings(path, reading):
            yield found
            count += 1
            if count == limit:
                return


def _require_room(size: int) -> None:
    """Raises SnnccError (SNN004) when so many bytes, and the array of them all, are not free."""
    if size <= LOOKED_AT:
        return
    from snncc.machine.memory import free_memory, megabytes

    free = free_memory()
    if free is not None and size > free:
        raise SnnccError(
            "SNN004",
            "the frames of all recordings do not fit into memory",
            why=f"{megabytes(size)} so far have to be put together, {megabytes(free)} are free",
            help="give fewer files, or --limit; declare a --domain so that each value is a byte",
        )


def _size(values: NDArray[Any]) -> str:
    return " x ".join(map(str, values.shape))
