"""Frames of whole numbers from a recording, and what they do not tell of it."""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from snncc.events.errors import not_framed, wrong_option
from snncc.events.framing import Framing
from snncc.events.record import Events
from snncc.events.rules import Indices, Windows

MOST_VALUES = 1 << 28
"""Of all frames of a recording; the same holds for what a network may be given."""


@dataclass(frozen=True)
class Loss:
    """What frames do not tell of the events; all 0 when every event is in them once.

    Attributes:
        outside: events in no frame.
        repeated: how often an event is in a further frame, where frames overlap.
        clipped: what clipping took off: sums of counts beyond the domain.
        merged: events beyond the first at a bit.
        cancelled: events that an event of the other polarity cancelled in signed values.
    """

    outside: int = 0
    repeated: int = 0
    clipped: int = 0
    merged: int = 0
    cancelled: int = 0

    def __add__(self, other: "Loss") -> "Loss":
        mine, theirs = asdict(self), asdict(other)
        return Loss(**{name: mine[name] + theirs[name] for name in mine})


@dataclass(frozen=True, eq=False)
class Framed:
    """Frames of one recording.

    Attributes:
        values: [T, C, H, W], in the smallest type of whole numbers that holds the domain.
        low: smallest value before clipping.
        high: largest value before clipping.
        empty: frames without events.
        loss: what they do not tell.
    """

    values: NDArray[Any]
    low: int
    high: int
    empty: int
    loss: Loss


def make_frames(events: Events, framing: Framing) -> Framed:
    """Frames of a recording; memory is in proportion to the events and to the frames.

    Raises:
        SnnccError: SNN081 when a value is beyond the domain (with the largest, and where), when
            the rule gives no frames, or more than `MOST_VALUES`; SNN001 for signed values of
            events without polarity.
    """
    channels = _channels(events, framing)
    windows = framing.rule.windows(events)
    steps = len(windows.start)
    shape = (steps, channels, events.sensor.height, events.sensor.width)
    lengths = windows.stop - windows.start
    held = int(lengths.sum())
    _check_size(events, shape, held)
    if not held:
        reason = f"none of its {len(events):,} events is in a frame"
        help_ = f"its times are {int(events.time[0])}..{int(events.time[-1])} us: look at the rule"
        raise not_framed(events.source, reason, help_)
    place = _places(windows, lengths, held)
    cells, counts, cancelled = _counted(events, framing, shape, place, lengths)
    most, least = int(counts.max(initial=0)), int(counts.min(initial=0))
    merged = 0
    if framing.values == "bits":
        merged = int(counts.sum()) - len(counts)
        counts = np.minimum(counts, 1)
    kept = _within(events, framing, shape, cells, counts)
    low, high = _domain(framing, kept)
    values = np.zeros(shape, _smallest(low, high))
    values.reshape(-1)[cells] = kept
    once = np.zeros(len(events), np.bool_)
    once[place] = True
    outside = len(events) - int(once.sum())
    loss = Loss(
        outside=outside,
        repeated=held - (len(events) - outside),
        clipped=int(np.abs(counts - kept).sum()),
        merged=merged,
        cancelled=cancelled,
    )
    return Framed(values, least, most, int((lengths == 0).sum()), loss)


def smallest_type(framing: Framing, arrays: list[NDArray[Any]]) -> np.dtype[Any]:
    """The type that holds the frames of several recordings."""
    ends = [_domain(framing, array) for array in arrays]
    return _smallest(min(low for low, _ in ends), max(high for _, high in ends))


def _channels(events: Events, framing: Framing) -> int:
    if framing.values == "signed":
        if events.polarities == 1:
            message = f"{events.source}: signed values of events without polarity"
            raise wrong_option(message, "there is no ON and OFF to subtract", "ask for counts")
        return 1
    return events.polarities


def _check_size(events: Events, shape: tuple[int, ...], held: int) -> None:
    values = int(np.prod([*map(int, shape)], dtype=object))
    if values > MOST_VALUES:
        size = " x ".join(map(str, shape))
        reason = f"frames of {size} are {values:,} values"
        help_ = f"at most {MOST_VALUES:,} are made: ask for fewer steps, or give --sensor"
        raise not_framed(events.source, reason, help_)
    if held > max(MOST_VALUES, 16 * len(events)):
        reason = f"frames overlap so much that they hold {held:,} events"
        raise not_framed(events.source, reason, "ask for a smaller overlap")


def _places(windows: Windows, lengths: Indices, held: int) -> Indices:
    """Indices of all events of all frames, frame by frame."""
    firsts = np.cumsum(lengths) - lengths
    return np.repeat(windows.start - firsts, lengths) + np.arange(held)


def _counted(
    events: Events, framing: Framing, shape: tuple[int, ...], place: Indices, lengths: Indices
) -> tuple[Indices, Indices, int]:
    """Cells of all frames that have events, their counts, and how many events cancelled."""
    steps, channels, height, width = shape
    cell = np.repeat(np.arange(steps, dtype=np.int64), lengths) * channels
    polarity = events.polarity[place]
    if channels == 2:
        cell += polarity
    cell = (cell * height + events.y[place]) * width + events.x[place]
    if framing.values != "signed":
        cells, counts = np.unique(cell, return_counts=True)
        return cells, counts.astype(np.int64), 0
    cells, inverse, total = np.unique(cell, return_inverse=True, return_counts=True)
    on = np.bincount(inverse.reshape(-1)[polarity == 1], minlength=len(cells))
    signed = 2 * on.astype(np.int64) - total
    return cells, signed, int((total - np.abs(signed)).sum())


def _within(
    events: Events, framing: Framing, shape: tuple[int, ...], cells: Indices, counts: Indices
) -> Indices:
    """Values in the domain.

    Raises:
        SnnccError: SNN081 when one is not, and clipping was not asked for.
    """
    if framing.domain is None:
        return counts
    low, high = framing.domain
    beyond = (counts < low) | (counts > high)
    if not framing.clip and beyond.any():
        worst = int(np.abs(np.where(beyond, counts, 0)).argmax())
        place: list[np.intp] = [*np.unravel_index(cells[worst], shape)]
        t, c, y, x = map(int, place)
        reason = f"its largest value is {int(counts[worst])}, in frame {t}, channel {c}, "
        reason += f"y {y}, x {x}; {int(beyond.sum()):,} values are beyond the domain {low}..{high}"
        help_ = f"declare a domain of {min(low, int(counts.min()))}..{max(high, int(counts.max()))}"
        help_ += ", ask for more steps, or clip (--clip), which says what it loses"
        raise not_framed(events.source, reason, help_)
    return np.clip(counts, low, high)


def _domain(framing: Framing, values: NDArray[Any]) -> tuple[int, int]:
    """The declared domain, or the one that the values span."""
    if framing.domain is not None:
        return framing.domain
    return int(values.min(initial=0)), int(values.max(initial=0))


def _smallest(low: int, high: int) -> np.dtype[Any]:
    kinds = (np.uint8, np.uint16, np.uint32) if low >= 0 else (np.int8, np.int16, np.int32)
    fits = (kind for kind in kinds if np.iinfo(kind).min <= low and high <= np.iinfo(kind).max)
    return np.dtype(next(fits, np.int64))
