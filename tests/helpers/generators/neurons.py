"""Populations: every option, constants over any axes and at the borders of types."""

from dataclasses import replace

import numpy as np

from generators.grown import INT32, Grown
from snncc.ir import TIME, Param, ValueType
from snncc.ir.dialects.integer import IntegerPopulation
from snncc.ir.dialects.neuron_rule import Rounding

DECAYS = ((1, 1), (1, 1), (1, 0), (0, 0), (1, 2), (5, 3), (3, 2), (43, 7), (2731, 13), (21845, 16))
LONG_DECAYS = ((1, 30), (1, 31), (3, 31), (1, 32), (1, 33), (5, 34))
LONGEST = 31
"""The longest shift of a leak that compiled units have."""


def population(g: Grown, source: str) -> str | None:
    """Neurons behind a current, some of which fire."""
    draw, kind, axes = g.draw, g.kind(source), g.axes(source)
    _, high = kind.range or (0, 0)
    top = max(1, high // draw.one([1, 4, 16, 64, 256]))

    def over() -> list[str]:
        return draw.some([*axes, TIME], 0.35)

    def constant(bottom: int) -> Param:
        names = over()
        shape = g.sizes(axes, *names)
        if draw.chance(0.04):
            return g.param(np.full(shape, draw.border((15, 31) if g.wide else (15,))), *names)
        array = draw.magnitudes(shape, top)
        return g.param(
            np.where(draw.rng.random(shape) < 0.2, np.maximum(bottom, -array), array), *names
        )

    def sign() -> Param:
        names = over()
        return g.param(draw.rng.integers(-1, 2, g.sizes(axes, *names)), *names)

    decay = draw.one(LONG_DECAYS if draw.chance(0.08) else DECAYS)
    if decay[1] > LONGEST and not g.wide:
        decay = (1, LONGEST)
    drawn = IntegerPopulation(
        constant(-top // 8),
        constant(-top) if draw.chance(0.5) else None,
        sign() if draw.chance(0.2) else None,
        decay,
        "soft" if draw.chance(0.3) else "hard",
        compare := "gt" if draw.chance(0.3) else "ge",
        (0, 0),
        draw.number(0, (1 << decay[1]) - 1) if draw.chance(0.3) else 0,
        constant(-top) if draw.chance(0.2) else None,
        Rounding.TO_ZERO if draw.chance(0.2) else Rounding.exact_for(compare),
    )
    for op in (drawn, replace(drawn, decay=(1, 1), decay_offset=0, reset="hard")):
        name = put(g, op, source, kind)
        if name is not None:
            g.spikes.append(name)
            return name
    return None


def put(g: Grown, op: IntegerPopulation, source: str, kind: ValueType) -> str | None:
    """Adds neurons with the interval of their membrane, sometimes up to the border of int32."""
    low, high = op.membrane_range(kind, g.b.context)
    factor = max(1, op.decay[0])
    if g.draw.chance(0.1):
        low = min(low, -((INT32 - op.decay_offset) // factor))
    if max(-low, high) * factor + op.decay_offset > INT32 and not g.wide:
        return None
    return g.put(replace(op, membrane=(low, high)), source)
