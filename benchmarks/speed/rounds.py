"""Contenders in turn, round after round: what disturbs the machine disturbs all of them alike."""

import re
import statistics
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

EQUAL = "equal bits"
LONGEST = 200
"""Characters of a reason."""
REST = 0.05
"""Seconds between two turns: idle threads of the last contender stop spinning."""


class Refused(Exception):
    """A contender cannot run here; its text is the reason that the page gives."""


@dataclass(frozen=True)
class Contender:
    """Something that answers the same images.

    Attributes:
        name: as the page has it.
        answer: runs all images once and returns logits or readouts, [images, classes].
        prepare_s: seconds to make it ready, compiling included.
        note: what one should know about it.
        checked: what its answers were compared with, and how they differ.
        own_seconds: what the last run took by its own clock, where a run is a process of its own
            whose start should not count.
    """

    name: str
    answer: Callable[[], NDArray[Any]]
    prepare_s: float = 0.0
    note: str = ""
    checked: str = ""
    own_seconds: Callable[[], float] | None = None


@dataclass
class Measured:
    """Seconds of one contender, one number a round."""

    contender: Contender
    warm_up_s: float
    seconds: list[float] = field(default_factory=list[float])


def prepared(make: Callable[[], Contender]) -> Contender:
    """A contender with the time that it took to make."""
    start = time.perf_counter()
    contender = make()
    return replace(contender, prepare_s=time.perf_counter() - start)


def measure(contenders: Sequence[Contender], rounds: int) -> list[Measured]:
    """Warm-up runs first, timed apart; then every contender once a round."""
    found = [Measured(c, _run(c)) for c in contenders]
    for number in range(rounds):
        turn = number % len(found)  # nobody always follows the same neighbour
        for each in (*found[turn:], *found[:turn]):
            time.sleep(REST)
            each.seconds.append(_run(each.contender))
    return found


def ratios(ours: Measured, other: Measured) -> dict[str, float]:
    """How many times our seconds the other needs, by round: median, least and most."""
    each = [b / a for a, b in zip(ours.seconds, other.seconds, strict=True)]
    return {"median": statistics.median(each), "least": min(each), "most": max(each)}


def times(found: Measured) -> dict[str, float]:
    """Median, least and most seconds of a run."""
    return {
        "median": statistics.median(found.seconds),
        "least": min(found.seconds),
        "most": max(found.seconds),
    }


def tell(what: str) -> None:
    """A line for who waits."""
    print(f"{time.strftime('%H:%M:%S')} {what}", file=sys.stderr, flush=True)


def reason(error: BaseException) -> str:
    """An error in one short line, without paths of this machine."""
    if isinstance(error, ModuleNotFoundError):
        return f"{error.name} is not installed (benchmarks/requirements.txt)"
    text = str(error) if isinstance(error, Refused) else f"{type(error).__name__}: {error}"
    return in_short(text)


def in_short(text: str) -> str:
    """The line of a message that says what is wrong, without paths of this machine."""
    lines = [line.strip() for line in text.splitlines() if line.strip()] or ["no message"]
    chosen = next((line for line in lines if "rror" in line), lines[0])
    return re.sub(r"(?<!\w)/[\w.+-]+(/[\w.+-]+)+", "(a file)", chosen)[:LONGEST]


def difference(wanted: NDArray[Any], got: NDArray[Any]) -> str:
    """How two answers differ, in words."""
    if np.array_equal(wanted, got):
        return EQUAL
    largest = float(np.abs(wanted - got).max() / max(1e-12, float(np.abs(wanted).max())))
    same = float((wanted.argmax(-1) == got.argmax(-1)).mean())
    return f"largest difference {largest:.1e} of the largest logit, same class for {same:.0%}"


def plain(measured: Mapping[str, float]) -> dict[str, float]:
    """Numbers with as many digits as mean something."""
    return {key: float(f"{value:.4g}") for key, value in measured.items()}


def _run(contender: Contender) -> float:
    start = time.perf_counter()
    contender.answer()
    took = time.perf_counter() - start
    return took if contender.own_seconds is None else contender.own_seconds()
