"""Moves of spiking attention: sums of what spikes select, counts that are added, moved and read."""

from math import prod

from generators.grown import Grown
from generators.projections import convolve_of
from generators.windows import geometry, taken
from snncc.ir.dialects.gates import Gate
from snncc.ir.dialects.moves import Take
from snncc.ir.dialects.products import Product
from snncc.ir.dialects.projections import Concat, Sum
from snncc.ir.dialects.sums import SumAlong

MOST_TERMS = 60_000
"""Selected numbers of one product over all steps."""


def product(g: Grown, gate: str, x: str) -> str | None:
    """Over some of the axes that both have; some of the others get a name of their own before."""
    own, other = g.axes(gate), g.axes(x)
    common = [name for name in own if other.get(name) == own[name]]
    if not common:
        return None
    summed = g.draw.some(common, 0.5) or common[-1:]
    apart = [n for n in common if n not in summed and g.draw.chance(0.6)]
    apart += [n for n in own if n in other and n not in common]
    if apart:
        taken_names = {*own, *other}
        names: list[str] = []
        for _ in apart:
            names.append(g.fresh({*taken_names, *names}))
        runs = tuple((0, 1, other[name]) for name in apart)
        moved = g.put(Take(tuple(apart), tuple(names), runs), x)
        if moved is None:
            return None
        x = moved
    rest = {**g.axes(x), **own}
    if prod(rest.values()) * g.steps > MOST_TERMS:
        return None
    return g.put(Product(tuple(summed), g.draw.chance(0.3)), gate, x)


def count(g: Grown, made: str | None) -> str | None:
    """Takes a count down; every other one is read by a map at once, so that it stays."""
    if made is not None:
        g.counts.append(made)
        if g.draw.chance(0.5):
            map_of(g, made)
    return made


def product_of_spikes(g: Grown) -> str | None:
    return count(g, product(g, g.draw.one(g.spikes), g.draw.one(g.spikes)))


def product_of_count(g: Grown) -> str | None:
    if not g.counts:
        product_of_spikes(g)
    if not g.counts:
        return None
    return count(g, product(g, g.draw.one(g.spikes), g.draw.one(g.counts)))


def product_of_current(g: Grown) -> str | None:
    made = product(g, g.draw.one(g.spikes), g.recent())
    if made is not None:
        g.currents.append(made)
    return made


def sum_of_current(g: Grown) -> str | None:
    """A current added up along some of its axes."""
    source = g.recent()
    axes = list(g.axes(source))
    if not axes:
        return None
    return g.current(SumAlong(tuple(g.draw.some(axes, 0.5) or axes[-1:])), source)


def add_spikes(g: Grown) -> str | None:
    """Spikes and counts over the axes of one of them, some of them several times."""
    first = g.draw.one(g.counts if g.counts and g.draw.chance(0.4) else g.spikes)
    axes = g.axes(first).items()
    fitting = [n for n in (*g.spikes, *g.counts) if g.axes(n).items() <= axes]
    some = [first, *(g.draw.one(fitting) for _ in range(g.draw.one([1, 1, 2, 6, 39])))]
    return count(g, g.put(Sum(), *some))


def move_count(g: Grown) -> str | None:
    """A count that has changed its places, and a map that reads it."""
    made = moved_count(g)
    return made if made is None else map_of(g, made)


def moved_count(g: Grown) -> str | None:
    """The largest of windows, elements that are taken, what spikes let pass, side by side."""
    if not g.counts:
        add_spikes(g)
    if not g.counts:
        return None
    source, kind = g.draw.one(g.counts), g.draw.one(["largest", "take", "gate", "concat"])
    if kind == "gate":
        gate = g.draw.one(g.spikes)
        return count(g, g.put(Gate(g.draw.chance(0.4)), gate, source))
    if kind == "concat":
        along = g.draw.one(list(g.axes(source)) or [""])
        return count(g, g.put(Concat((along, along), along), source, source)) if along else None
    op = geometry(g, source) if kind == "largest" else taken(g, source)
    return None if op is None else count(g, g.put(op, source))


def map_of_count(g: Grown) -> str | None:
    """Weights that the bits of a count select: along any axes, or a kernel."""
    if not g.counts and product_of_spikes(g) is None:
        return None
    return map_of(g, g.counts[-1] if g.draw.chance(0.6) else g.draw.one(g.counts))


def map_of(g: Grown, source: str) -> str | None:
    if g.draw.chance(0.3):
        return convolve_of(g, source)
    axes = g.axes(source)
    into = g.draw.some(list(axes), 0.4)
    rest = [n for n in axes if n not in into]
    summed = g.draw.some(rest, 0.2)
    shared = [n for n in rest if n not in summed and g.draw.chance(0.3)]
    out = {g.fresh({*axes}): g.draw.number(1, 9)} if g.draw.chance(0.6) else {}
    return g.contract(source, into, out, shared, summed)


PRODUCTS = (
    product_of_spikes,
    product_of_spikes,
    product_of_count,
    product_of_current,
    sum_of_current,
) * 2
PRODUCTS += (add_spikes, move_count, move_count, move_count, move_count, map_of_count) * 2
"""To be drawn as often as all other moves."""
