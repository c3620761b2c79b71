"""Framing rules: which events belong to which frame.

A rule gives the windows of a recording: frame j takes the events of index start[j] up to, and
without, stop[j]. Windows may leave events out (tails), and may overlap where that is asked for.
All of it is arithmetic of whole numbers, so that no rounding moves an event.
"""

from abc import ABC, abstractmethod
from dataclasses import asdict, dataclass
from typing import Any, ClassVar, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from snncc.events.errors import not_framed, wrong_option
from snncc.events.record import Events
from snncc.events.whole_numbers import is_whole

Indices = NDArray[np.int64]
LIMIT = 1 << 62
"""Options of rules are below it."""
MOST_STEPS = 1 << 24
"""Frames of one recording: beyond it a rule was given a wrong unit of time."""


class Windows(NamedTuple):
    """For each frame the index of its first event, and one beyond its last."""

    start: Indices
    stop: Indices


@dataclass(frozen=True)
class Rule(ABC):
    """A framing rule. Its fields are its options: whole numbers from 1, times in microseconds.

    Raises:
        SnnccError: SNN001 for an option that is out of its range.
    """

    name: ClassVar[str]

    def __post_init__(self) -> None:
        for what, value in asdict(self).items():
            if what in ("incomplete", "origin"):
                continue
            low = 0 if what == "overlap" else 1
            if not is_whole(value) or not low <= value < LIMIT:
                message = f"{what}={value!r} of framing by {self.name}"
                why = f"it is a whole number from {low} on, below 2^62"
                raise wrong_option(message, why, "give another")
            object.__setattr__(self, what, int(value))  # NumPy's have no JSON form

    @abstractmethod
    def windows(self, events: Events) -> Windows:
        """The windows of a recording.

        Raises:
            SnnccError: SNN081 when the recording has none by this rule.
        """

    def to_json(self) -> dict[str, Any]:
        """The rule as an artefact keeps it; `framing_from_json` reads it."""
        return {"rule": self.name, **asdict(self)}


@dataclass(frozen=True)
class ByWindow(Rule):
    """A given number of frames of a given duration; what is later is left out, and counted.

    Frame j of M takes the times [o + j D, o + (j + 1) D).

    Attributes:
        steps: M.
        window: D in microseconds.
        origin: o is the first event's time ("first") or the recording's zero ("zero").
    """

    name: ClassVar[str] = "window"
    steps: int
    window: int
    origin: Literal["first", "zero"] = "first"

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.origin not in ("first", "zero"):
            raise wrong_option(f"origin={self.origin!r}", "it is first or zero", "give one of them")

    def windows(self, events: Events) -> Windows:
        check_steps(events, self.steps)
        first = int(events.time[0]) if self.origin == "first" else 0
        edges = times_from(first, self.window, self.steps + 1)
        places = np.searchsorted(events.time, edges)
        return Windows(places[:-1], places[1:])


def check_steps(events: Events, steps: int) -> None:
    """Raises SnnccError (SNN081) for more frames than `MOST_STEPS`."""
    if steps > MOST_STEPS:
        span = int(events.time[-1] - events.time[0])
        reason = f"it lasts {span:,} us, which makes {steps:,} frames"
        raise not_framed(events.source, reason, f"at most {MOST_STEPS:,} frames are made")


def times_from(first: int, each: int, count: int) -> Indices:
    """The times first + each * j of so many j; beyond 64 bits they are the latest number there."""
    top = np.iinfo(np.int64).max
    reachable = min(count, (top - first) // each + 1)
    found = np.full(count, top, np.int64)
    found[:reachable] = first + each * np.arange(reachable, dtype=np.int64)
    return found
