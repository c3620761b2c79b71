"""Activations that clip and round, by whatever name: the thresholds are those of the rationals."""

import math
from collections.abc import Sequence
from fractions import Fraction

import numpy as np
import pytest

from snncc.compiler.folding import recognised, spiking_passes
from snncc.compiler.options import CompileOptions
from snncc.ir import Graph, GraphBuilder
from snncc.ir.dialects import traced as ops
from snncc.ir.dialects.pointwise import Pointwise
from snncc.ir.dialects.thresholds import MultiThreshold
from snncc.passes.pipeline import run_passes
from snncc.passes.staircase_algebra import (
    Bounded,
    Rounded,
    Scaled,
    Stage,
    Where,
    staircase_of,
)
from snncc.quantize.calibration import round_plainly
from snncc.quantize.lower_to_integers import LowerToIntegers
from snncc.runtime import interpret

RAW = CompileOptions(normalize=((0.0,), (1.0 / 255.0,)))
LAYERS = 24
BYTES = np.arange(256, dtype=np.uint8)[:, None, None, None]


def holds(where: Where, x: Fraction) -> bool:
    if where.sign == 0 or where.at is None:
        return where.sign == 0
    value = where.sign * x
    return value > where.at or (value == where.at and not where.strict)


def through(stages: Sequence[Stage], x: Fraction) -> Fraction:
    for stage in stages:
        x = stage.apply(x)
    return x


def drawn(rng: np.random.Generator) -> list[Stage]:
    """Up to seven functions, in no sensible order."""

    def number(most: int) -> Fraction:
        return Fraction(int(rng.integers(-most, most + 1)), int(rng.choice([1, 2, 3, 4])))

    def one() -> Stage:
        kind = rng.random()
        if kind < 0.35:
            return Scaled(number(6), number(5))
        if kind < 0.7:
            return Bounded(number(8), bool(rng.random() < 0.5))
        return Rounded(str(rng.choice(["floor", "ceil", "trunc", "round"])))

    return [one() for _ in range(rng.integers(1, 8))]


def test_functions_are_inverted_exactly_at_thresholds_and_between() -> None:
    rng, found = np.random.default_rng(7), 0
    for _ in range(1200):
        stages = drawn(rng)
        stairs = staircase_of(stages)
        if stairs is None:
            continue
        found += 1
        places = [w.sign * w.at + d for w in stairs.passed if w.at is not None
                  for d in (Fraction(0), Fraction(1, 997), Fraction(-1, 997))]  # fmt: skip
        places += [Fraction(int(n), 12) for n in rng.integers(-500, 500, 12)]
        for x in places:
            count = sum(holds(where, x) for where in stairs.passed)
            assert stairs.values[count] == through(stages, x), (stages, x)
    assert found > 200


UNBOUNDED: list[list[Stage]] = [
    [Rounded("floor")],
    [Rounded("round"), Scaled(Fraction(2), Fraction(2))],
    [Bounded(Fraction(0), False), Rounded("floor")],
    [Bounded(Fraction(1), True)],
]


@pytest.mark.parametrize("unbounded", UNBOUNDED)
def test_what_takes_on_any_number_is_none(unbounded: list[Stage]) -> None:
    assert staircase_of(unbounded) is None


def layer(rng: np.random.Generator, channels: int) -> tuple[Graph, list[list[Stage]]]:
    """A pixel, weights, a BatchNorm with gains of both signs and 0, and what clips and rounds it.

    Beside it, for every channel, the same function of the pixel in rationals.
    """
    b = GraphBuilder("traced", 1)

    def const(values: object) -> object:
        return b.constant("q", np.asarray(values, np.float64), ("c",))

    x = b.add(ops.Input(("p", "h", "w"), (1, 1, 1)), (), (), "input")
    weight = rng.integers(-8, 9, channels) / 4.0
    kernel = b.constant("w", weight.reshape(-1, 1, 1, 1), ("o", "i", "kh", "kw"))
    x = b.add(ops.Conv(kernel, "p", "h", "w", "c", "h", "w"), [x])
    gamma = rng.choice([1.0, 0.5, 3.0, -1.0, -2.5, 0.0], channels)
    var, mean, beta = (
        rng.choice([0.25, 1.0, 4.0], channels),
        *(rng.integers(-9, 9, (2, channels)) / 4),
    )
    norm = ops.BatchNorm(const(mean), const(var), const(gamma), const(beta), 0.0)  # type: ignore[arg-type]
    x = b.add(norm, [x])
    factor = gamma / np.sqrt(var)
    stages = [
        [Scaled(Fraction(w), Fraction(0)), Scaled(Fraction(a), Fraction(d - m * a))]
        for w, a, d, m in zip(weight, factor, beta, mean, strict=True)
    ]
    bits = int(rng.integers(1, 9))
    step = rng.choice([0.25, 0.5, 1.0, 2.0, 8.0], channels)
    low = float(rng.choice([0, 0, -(1 << bits - 1)]))
    high, how = low + (1 << bits) - 1, str(rng.choice(["floor", "ceil", "trunc", "round"]))
    for each, s in zip(stages, step, strict=True):
        each += [Scaled(Fraction(1 / s), Fraction(0)), Rounded(how)]
        each += [Bounded(Fraction(low), False), Bounded(Fraction(high), True)]
    x = b.add(ops.Scale(const(1 / step)), [x])  # type: ignore[arg-type]
    x = b.add(Pointwise(how), [x])
    ends = [b.constant("e", np.array(end), ()) for end in (low, high)]
    x = b.add(Pointwise("clamp", *ends), [x], (), "counted")
    return b.finish(b.add(ops.Total(("h", "w")), [x])), stages


def test_thresholds_are_the_rationals_over_the_whole_range() -> None:
    """BatchNorm and quantiser of a pixel: every pixel and channel, with ties."""
    ties = 0
    for seed in range(LAYERS):
        graph, stages = layer(np.random.default_rng(seed), 6)
        spiking = run_passes(recognised(graph, RAW), spiking_passes(RAW))
        rounded = round_plainly(spiking, 8)
        program = run_passes(spiking, [LowerToIntegers(rounded, 8)])
        assert len(program.select(MultiThreshold)) == 1
        found = interpret(program, BYTES).readout
        for channel, each in enumerate(stages):
            wanted = [int(through(each, Fraction(n))) for n in range(256)]
            assert found[:, channel].tolist() == wanted, (seed, channel)
            halves = (through(each[:3], Fraction(n)) for n in range(256))
            ties += any(math.floor(2 * h) == 2 * h for h in halves)
    assert ties > LAYERS
