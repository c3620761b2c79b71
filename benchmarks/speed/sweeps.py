"""What our simulator costs as activity, width, depth, T, batch and threads grow."""

import statistics
import time
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

from snncc.runtime.simulator import Simulator
from speed.synthetic import Shape, synthetic

BASE = Shape(tokens=196, width=1024, depth=2, steps=4, rate=0.1)
SMALL = Shape(tokens=49, width=512, depth=2, steps=4, rate=0.1)
RATES = (0.0, 0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5)
"""Silence among them: it tells what is paid without a spike."""
PROPORTIONAL = (0.02, 0.4)
WITHIN = 0.2
WORTH = 0.001


@dataclass(frozen=True)
class Point:
    """One place of a sweep.

    Attributes:
        sweep: what is varied.
        value: to what.
        shape: of the program.
        batch, threads: of the run.
    """

    sweep: str
    value: float
    shape: Shape
    batch: int
    threads: int


def points(threads: int, quick: bool) -> list[Point]:
    """All places of all sweeps; one thread where threads are not what is varied."""
    base = SMALL if quick else BASE
    many = sorted({1, *(2**i for i in range(1, 8) if 2**i <= threads), threads})

    def over(sweep: str, values: Iterable[int]) -> list[Point]:
        chosen = list(values)[:3] if quick else list(values)
        return [Point(sweep, v, replace(base, **{sweep: v}), 1, 1) for v in chosen]

    return [
        *(Point("rate", rate, replace(base, rate=rate), 1, 1) for rate in RATES),
        *over("width", (64, 128, 256, 512, 1024, 2048)),
        *over("depth", (1, 2, 4, 8)),
        *over("steps", (1, 2, 4, 8, 16)),
        *(Point("batch", n, base, n, 1) for n in ((1, 4) if quick else (1, 2, 4, 8, 16))),
        *(Point("threads", n, base, 8, n) for n in many),
    ]


def sweep(threads: int, rounds: int, quick: bool) -> list[dict[str, Any]]:
    """Measures them, the places of one sweep in turn; each gives its least seconds."""
    found: list[dict[str, Any]] = []
    everything = points(threads, quick)
    for name in dict.fromkeys(point.sweep for point in everything):
        mine = [point for point in everything if point.sweep == name]
        made = [synthetic(point.shape, point.batch) for point in mine]
        simulators = [
            Simulator(program.graph, point.threads)
            for program, point in zip(made, mine, strict=True)
        ]
        least = [float("inf")] * len(mine)
        for number in range(rounds + 1):  # the first round warms up
            for i, program in enumerate(made):
                start = time.perf_counter()
                simulators[i].run(program.images)
                took = time.perf_counter() - start
                least[i] = min(least[i], took) if number else least[i]
        found += [
            {
                "sweep": name,
                "value": point.value,
                "rate": program.measured_rate(program.images),
                "adds": program.adds(program.images),
                "seconds": seconds,
            }
            for point, program, seconds in zip(mine, made, least, strict=True)
        ]
    return found


def proportion(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Whether time is proportional to spikes: beyond what silence costs, and with it.

    A straight line through silence has one slope. Each rate's slope is compared with the median.
    """
    mine = [row for row in rows if row["sweep"] == "rate"]
    silence = min(mine, key=lambda row: row["adds"])
    low, high = PROPORTIONAL
    used = [row for row in mine if low - WORTH <= row["rate"] <= high + WORTH]
    beyond = [(row["seconds"] - silence["seconds"]) / row["adds"] for row in used]
    whole = [row["seconds"] / row["adds"] for row in used]
    off = _furthest(beyond)
    return {
        "silence_s": silence["seconds"],
        "adds_per_second": [1 / each for each in whole],
        "beyond_silence_off": off,
        "whole_off": _furthest(whole),
        "rates": [row["rate"] for row in used],
        "within": WITHIN,
        "holds": off <= WITHIN,
    }


def _furthest(each: list[float]) -> float:
    """The largest relative distance from the median."""
    middle = statistics.median(each)
    return max(abs(one / middle - 1) for one in each)
