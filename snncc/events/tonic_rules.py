"""How tonic's `ToFrame` slices events, as far as its slices are of whole numbers."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from snncc.events.errors import not_framed, wrong_option
from snncc.events.record import Events
from snncc.events.rules import Rule, Windows, check_steps, times_from
from snncc.events.spikingjelly_rules import ByTime


@dataclass(frozen=True)
class TonicTimeWindow(Rule):
    """tonic's `ToFrame(time_window=..., overlap=..., include_incomplete=...)`.

    With the stride S = window - overlap there are floor((duration - window) / S) + 1 frames, at
    least 1, rounded up with `incomplete`; frame j takes [first + j S, first + j S + window).

    Attributes:
        window: in microseconds.
        overlap: in microseconds.
        incomplete: whether the tail gets a frame too; else it is left out, and counted.
    """

    name: ClassVar[str] = "tonic-time-window"
    window: int
    overlap: int = 0
    incomplete: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        _check_overlap(self.overlap, self.window, self.incomplete)

    def windows(self, events: Events) -> Windows:
        stride = self.window - self.overlap
        rest = int(events.time[-1] - events.time[0]) - self.window
        steps = max(1, (-(-rest // stride) if self.incomplete else rest // stride) + 1)
        check_steps(events, steps)
        starts = times_from(int(events.time[0]), stride, steps)
        stops = times_from(int(events.time[0]) + self.window, stride, steps)
        return Windows(*(np.searchsorted(events.time, edges) for edges in (starts, stops)))


@dataclass(frozen=True)
class TonicTimeBins(Rule):
    """tonic's `ToFrame(n_time_bins=...)`: as `ByTime`, but the last frame ends like the others.

    So events at or after first + M ((last - first) // M) are left out, and counted.

    Attributes:
        steps: M.
    """

    name: ClassVar[str] = "tonic-time-bins"
    steps: int

    def windows(self, events: Events) -> Windows:
        start, stop = ByTime(self.steps).windows(events)
        each = int(events.time[-1] - events.time[0]) // self.steps
        end = int(events.time[0]) + each * self.steps
        return Windows(start, np.append(stop[:-1], np.searchsorted(events.time, end)))


@dataclass(frozen=True)
class TonicEventCount(Rule):
    """tonic's `ToFrame(event_count=..., overlap=..., include_incomplete=...)`.

    With c = min(count, N) and the stride S = c - overlap there are floor((N - c) / S) + 1 frames,
    rounded up with `incomplete`; frame j takes the events [j S, j S + c).

    Attributes:
        count: events a frame.
        overlap: events that a frame has in common with the next.
        incomplete: whether the tail gets a frame too; else it is left out, and counted.
    """

    name: ClassVar[str] = "tonic-event-count"
    count: int
    overlap: int = 0
    incomplete: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        _check_overlap(self.overlap, self.count, self.incomplete)

    def windows(self, events: Events) -> Windows:
        count = min(self.count, len(events))
        stride = count - self.overlap
        if stride < 1:
            reason = f"it has {len(events):,} events, frames overlap by {self.overlap:,}"
            raise not_framed(events.source, reason, "ask for a smaller overlap")
        rest = len(events) - count
        steps = (-(-rest // stride) if self.incomplete else rest // stride) + 1
        check_steps(events, steps)
        start = stride * np.arange(steps, dtype=np.int64)
        return Windows(start, np.minimum(start + count, len(events)))


@dataclass(frozen=True)
class TonicEventBins(Rule):
    """tonic's `ToFrame(n_event_bins=...)`: as `ByNumber`, but the rest is left out, and counted.

    Attributes:
        steps: frames.
    """

    name: ClassVar[str] = "tonic-event-bins"
    steps: int

    def windows(self, events: Events) -> Windows:
        check_steps(events, self.steps)
        each = len(events) // self.steps
        start = each * np.arange(self.steps, dtype=np.int64)
        return Windows(start, start + each)


def _check_overlap(overlap: int, whole: int, incomplete: object) -> None:
    """Raises SnnccError (SNN001) for an overlap of whole frames, for `incomplete` of no truth."""
    if overlap >= whole:
        raise wrong_option(
            f"frames of {whole} overlap by {overlap}",
            "no next frame begins",
            "give a smaller overlap",
        )
    if not isinstance(incomplete, bool):
        raise wrong_option(f"incomplete={incomplete!r}", "it is true or false", "give one of them")
