"""How SpikingJelly splits events into frames (`split_by`, `duration`)."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from snncc.events.errors import not_framed
from snncc.events.record import Events
from snncc.events.rules import Rule, Windows, check_steps


@dataclass(frozen=True)
class ByNumber(Rule):
    """As many events a frame as fit: SpikingJelly's `split_by="number"`.

    Of N events, frame j of M takes [j d, (j + 1) d) with d = N // M; the last takes the rest too.
    With fewer events than frames all but the last are empty.

    Attributes:
        steps: M.
    """

    name: ClassVar[str] = "number"
    steps: int

    def windows(self, events: Events) -> Windows:
        check_steps(events, self.steps)
        each = len(events) // self.steps
        start = each * np.arange(self.steps, dtype=np.int64)
        stop = start + each
        stop[-1] = len(events)
        return Windows(start, stop)


@dataclass(frozen=True)
class ByTime(Rule):
    """Frames of equal duration: SpikingJelly's `split_by="time"`.

    With d = (last time - first time) // M, frame j of M takes the times [first + j d, first +
    (j + 1) d); the last takes all that is later too. A frame without events is empty, where
    SpikingJelly ends with an IndexError.

    Attributes:
        steps: M.
    """

    name: ClassVar[str] = "time"
    steps: int

    def windows(self, events: Events) -> Windows:
        check_steps(events, self.steps)
        span = int(events.time[-1] - events.time[0])
        if span < self.steps:
            reason = (
                f"it lasts {span} us, so {self.steps} frames of whole microseconds have no room"
            )
            raise not_framed(events.source, reason, "ask for fewer steps, or frame by number")
        each = span // self.steps
        first = int(events.time[0])
        edges: NDArray[np.int64] = first + each * np.arange(self.steps, dtype=np.int64)
        start = np.asarray(events.time.searchsorted(edges), np.int64)
        return Windows(start, np.append(start[1:], len(events)))


@dataclass(frozen=True)
class ByDuration(Rule):
    """Frames of a given duration, as many as there are: SpikingJelly's `duration`.

    There are ceil((last time - first time) / D) frames; frame j takes the times [first + j D,
    first + (j + 1) D), the last one also an event at its end.

    Attributes:
        window: D in microseconds.
    """

    name: ClassVar[str] = "duration"
    window: int

    def windows(self, events: Events) -> Windows:
        span = int(events.time[-1] - events.time[0])
        if not span:
            reason = "all its events are at one time, so it has no frame of any duration"
            raise not_framed(events.source, reason, "frame by number or by window")
        steps = -(-span // self.window)
        check_steps(events, steps)
        first = int(events.time[0])
        edges: NDArray[np.int64] = first + self.window * np.arange(steps, dtype=np.int64)
        start = np.asarray(events.time.searchsorted(edges), np.int64)
        return Windows(start, np.append(start[1:], len(events)))
