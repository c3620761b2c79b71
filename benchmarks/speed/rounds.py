"""Contenders in turn, round after round: what disturbs the machine disturbs all of them alike."""

import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

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
    """

    name: str
    answer: Callable[[], NDArray[Any]]
    prepare_s: float = 0.0
    note: str = ""
    checked: str = ""


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
    return Contender(
        contender.name,
        contender.answer,
        time.perf_counter() - start,
        contender.note,
        contender.checked,
    )


def measure(contenders: Sequence[Contender], rounds: int) -> list[Measured]:
    """Warm-up runs first, timed apart; then every contender once a round."""
    found = [Measured(c, _timed(c.answer)) for c in contenders]
    for number in range(rounds):
        turn = number % len(found)  # nobody always follows the same neighbour
        for each in (*found[turn:], *found[:turn]):
            time.sleep(REST)
            each.seconds.append(_timed(each.contender.answer))
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


def best_of(run: Callable[[], object], repeats: int) -> float:
    """Least seconds of some runs after one that does not count."""
    run()
    return min(_timed(run) for _ in range(repeats))


def first_line(error: BaseException) -> str:
    """An error in one short line."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    text = f"{type(error).__name__}: {lines[0]}" if lines else type(error).__name__
    return text[:200]


def difference(wanted: NDArray[Any], got: NDArray[Any]) -> str:
    """How two answers differ, in words."""
    if np.array_equal(wanted, got):
        return "equal bits"
    largest = float(np.abs(wanted - got).max() / max(1e-12, float(np.abs(wanted).max())))
    same = float((wanted.argmax(-1) == got.argmax(-1)).mean())
    return f"largest difference {largest:.1e} of the largest logit, same class for {same:.0%}"


def plain(measured: Mapping[str, float]) -> dict[str, float]:
    """Numbers with as many digits as mean something."""
    return {key: float(f"{value:.4g}") for key, value in measured.items()}


def _timed(run: Callable[[], object]) -> float:
    start = time.perf_counter()
    run()
    return time.perf_counter() - start
