"""How far the work is, on stderr: a bar on a terminal, a line every ten seconds elsewhere."""

import sys
import threading
import time
from collections.abc import Generator, Sequence
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

from snncc.cli.manner import in_colour, manner
from snncc.cli.output import say

if TYPE_CHECKING:
    from rich.progress import Progress

EVERY = 10.0
"""Seconds between two lines where there is no terminal."""


class Advance:
    """Tells people how far the work is: in which of its stages, and how much of that is done.

    Args:
        what: the work is.
        stages: its names in order; none for work of one stage.
        left: whether the time that is left is told too, from how fast it went so far.
    """

    def __init__(self, what: str, stages: Sequence[str] = (), left: bool = False) -> None:
        self._what, self._stages, self._left = what, tuple(stages), left
        self._first: tuple[int, float] | None = None
        self._done = self._total = 0
        self._stage = ""
        self._start = self._entered = time.perf_counter()
        self._bar: Progress | None = None

    def __call__(self, done: int, total: int) -> None:
        """So much of the present stage is done."""
        self._done, self._total = done, total
        if self._first is None:
            self._first = done, time.perf_counter()
        self._show()

    def stage(self, name: str) -> None:
        """The next stage begins."""
        if name != self._stage:
            self._leave()
            self._stage, self._done, self._total = name, 0, 0
            self._show()

    def line(self) -> str:
        """All of it in a line."""
        parts = [self._title()]
        if self._total:
            parts.append(f"{self._done:,} of {self._total:,}")
        parts.append(f"{time.perf_counter() - self._start:.0f} s")
        left = self.seconds_left()
        return ", ".join(parts if left is None else [*parts, f"about {left:,.0f} s left"])

    def seconds_left(self) -> float | None:
        """At the rate so far, without what was there at the start; None where nobody can say."""
        if not self._left or self._first is None or self._done <= self._first[0]:
            return None
        each = (time.perf_counter() - self._first[1]) / (self._done - self._first[0])
        return each * (self._total - self._done)

    @contextmanager
    def shown(self) -> Generator[None]:
        """While the work goes on."""
        with ExitStack() as stack:
            if sys.stderr.isatty():
                self._bar = stack.enter_context(_bar(self._left))
                self._bar.add_task(self._title(), total=None)
            else:
                over = threading.Event()
                speaker = threading.Thread(target=self._speak, args=(over,), daemon=True)
                speaker.start()
                stack.callback(speaker.join)
                stack.callback(over.set)
            yield
        self._leave()
        if manner().verbose:
            say(f"{self._what}: {time.perf_counter() - self._start:.2f} s", err=True)

    def _title(self) -> str:
        if not self._stage:
            return self._what
        number = self._stages.index(self._stage) + 1 if self._stage in self._stages else 0
        return f"{self._what}: {number}/{len(self._stages)} {self._stage}"

    def _show(self) -> None:
        if self._bar is not None:
            self._bar.update(
                self._bar.task_ids[0],
                description=self._title(),
                completed=self._done,
                total=self._total or None,
            )

    def _leave(self) -> None:
        """Of a stage that is over, -v tells the seconds."""
        now = time.perf_counter()
        if self._stage and manner().verbose:
            say(f"{self._title()}: {now - self._entered:.2f} s", err=True)
        self._stage, self._entered = "", now

    def _speak(self, over: threading.Event) -> None:
        while not over.wait(EVERY):
            say(self.line(), err=True)


@contextmanager
def progress(
    what: str, quiet: bool = False, stages: Sequence[str] = (), left: bool = False
) -> Generator[Advance]:
    """Shows how far the work is, unless the command or `-q` keeps it quiet."""
    advance = Advance(what, stages, left)
    if quiet or manner().quiet:
        yield advance
        return
    with advance.shown():
        yield advance


def _bar(left: bool) -> "Progress":
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    console = Console(stderr=True, no_color=not in_colour(sys.stderr))
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    remaining = (TimeRemainingColumn(),) if left else ()
    return Progress(*columns, *remaining, console=console, transient=True)
