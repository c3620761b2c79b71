"""Moves that make currents from currents: sums, gains, side by side."""

import numpy as np

from generators.draws import narrowest
from generators.grown import Grown
from generators.projections import onto
from snncc.ir import TIME
from snncc.ir.dialects.integer import Gain
from snncc.ir.dialects.projections import Concat, Sum


def meet(g: Grown) -> str | None:
    """A sum of currents of any age; an axis that one lacks is broadcast."""
    draw, first = g.draw, g.recent()
    axes = g.axes(first)
    fitting = [n for n in g.currents if g.axes(n).items() <= axes.items()]
    sources = [first]
    for _ in range(draw.one([1, 1, 1, 2, 3, 11])):
        made = None
        if draw.chance(0.6):
            names = list(axes) if draw.chance(0.7) else draw.some(list(axes), 0.6)
            made = onto(g, {n: axes[n] for n in names}) if names else None
        sources.append(made or draw.one(fitting))
    if draw.chance(0.5):
        return g.current(Sum(()), *sources)
    shifts = [draw.number(0, 3) for _ in sources]
    if draw.chance(0.3):  # up to the border of a type
        low, high = g.kind(first).range or (0, 0)
        top = draw.one([15, 16, 30, 31]) - max(-low, high, 1).bit_length()
        shifts = [max(0, top - draw.number(0, 2)) for _ in sources]
    return g.current(Sum(tuple(shifts)), *sources)


def gain(g: Grown) -> str | None:
    """A gain over any axes and time, its mantissas up to both sides of 16 bits."""
    draw, source = g.draw, g.recent()
    axes = g.axes(source)
    over = draw.some([*axes, TIME], 0.3)
    shape = g.sizes(axes, *over)
    top = draw.one([3, 9, 127, 1 << 12, (1 << 15) + 1, 1 << 17])
    array = draw.rng.integers(-top, top + 1, shape)
    if draw.chance(0.3):
        array = np.full(shape, draw.one([1, -1, 2, 4, 1 << 15, -(1 << 15)]))
    shift = draw.one([0, 0, 1, 2, 3, 8, 15, 20, 30])
    return g.current(Gain(g.param(narrowest(array), *over), shift), source)


def concat(g: Grown) -> str | None:
    """Currents side by side along any axis, under its name or another in each source."""
    draw, first = g.draw, g.recent()
    axes = g.axes(first)
    if not axes:
        return None
    along = draw.one(list(axes))
    rest = {n: s for n, s in axes.items() if n != along}
    sources, names = [first], [along]
    for _ in range(draw.one([1, 1, 2, 3])):
        if draw.chance(0.2):
            sources.append(first)
            names.append(along)
            continue
        own = along if draw.chance(0.7) else g.fresh({*rest})
        made = onto(g, {**rest, own: draw.size(33)})
        if made is not None:
            sources.append(made)
            names.append(own)
    if draw.chance(0.5):
        order = draw.rng.permutation(len(sources)).tolist()
        sources, names = [sources[i] for i in order], [names[i] for i in order]
    out = draw.one(names) if draw.chance(0.7) else g.fresh({*rest})
    return g.current(Concat(tuple(names), out), *sources)
