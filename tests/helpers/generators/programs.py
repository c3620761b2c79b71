"""Random integer programs over any axes: what compiled networks seldom have, drawn often.

A program is grown by moves. Every move works on whatever axes a value has: maps along any axes,
sums over others, convolutions along any three, currents side by side along every axis, sums that
broadcast, gains, neurons with constants at the borders of types. `program(seed)` is the same for
ever; which of them the compiled units can express says `expressible`.
"""

from collections.abc import Callable
from math import prod

from generators.currents import concat, gain, meet
from generators.grown import NAMES, Grown
from generators.neurons import population
from generators.projections import concat_spikes, convolve, many_equal_taps, map_axes
from snncc.ir import TIME, Graph, verify
from snncc.ir.dialects.integer import Gain, IntegerReadout
from snncc.ir.dialects.projections import Contract, Frames, Sum

Move = Callable[[Grown], str | None]
MOVES: tuple[Move, ...] = (
    *(
        map_axes,
        map_axes,
        many_equal_taps,
        many_equal_taps,
        convolve,
        convolve,
        meet,
        meet,
        gain,
        concat,
        concat,
    ),
)


def program(seed: int, more: tuple[Move, ...] = ()) -> Graph:
    """A verified program; `inputs.images` makes what it takes. `more` are moves beside `MOVES`."""
    g = Grown(seed)
    draw = g.draw
    look(g)
    while not g.spikes:
        convolve(g) if draw.chance(0.4) else map_axes(g)
        if g.currents:
            population(g, g.currents[-1])
    for _ in range(draw.number(1, 4)):
        for _ in range(draw.number(1, 3)):
            draw.one((*MOVES, *more))(g)
        if draw.chance(0.02):
            concat_spikes(g)
        population(g, g.recent())
    for name in g.unread(g.currents)[-2:]:
        population(g, name)
    graph = g.b.finish(answer(g))
    verify(graph)
    return graph


def look(g: Grown) -> None:
    """The image: a program has one."""
    draw = g.draw
    names = [NAMES[i] for i in draw.rng.permutation(3)[: draw.one([1, 2, 3, 3, 3])]]
    most = draw.one([12, 60, 300, 600])
    shape: list[int] = []
    for _ in names:
        shape.append(draw.size(max(1, most // prod(shape))))
    encoding = "host" if draw.chance(0.3) else "bit-planes"
    g.images.append(g.b.add(Frames(tuple(names), tuple(shape), encoding), name="image"))


def answer(g: Grown) -> str:
    """What is read out: the last spikes, and others that nobody reads, added up."""
    draw = g.draw
    axes = {g.fresh(set(NAMES)): draw.number(1, 5)}
    sources = list(dict.fromkeys([g.spikes[-1], *g.unread(g.spikes)[-4:]]))
    kept = draw.some(list(g.axes(sources[0])), 0.5) if draw.chance(0.15) else []
    parts = [spread_over(g, name, axes, kept if name == sources[0] else []) for name in sources]
    current = parts[0] if len(parts) == 1 else g.b.add(Sum(), parts)
    if draw.chance(0.2):
        current = gain_of(g, current)
    kind = g.kind(current).without(TIME)
    over = draw.some(list(kind.names), 0.7)
    array = draw.rng.integers(-99, 100, [kind.size(n) for n in over])
    offset = g.param(array, *over) if draw.chance(0.6) else None
    return g.b.add(IntegerReadout(offset, 0.5), [current], name="readout")


def spread_over(g: Grown, source: str, out: dict[str, int], kept: list[str]) -> str:
    """A current over the axes of the answer, from all neurons of a population."""
    draw = g.draw
    into = [n for n in g.axes(source) if n not in kept]
    summed = [into.pop() for _ in range(draw.number(0, len(into) - 1))] if into else []
    made = g.contract(source, into, out, [], summed)
    if made is not None:
        return made
    weight = g.param(draw.rng.integers(-5, 6, list(out.values())), *out)
    return g.b.add(Contract(weight, (), tuple(out), (), (*into, *summed)), [source])


def gain_of(g: Grown, current: str) -> str:
    """The same current, or eighths of it."""
    scale = g.param(g.draw.rng.integers(-9, 10, ()))
    return g.put(Gain(scale, g.draw.number(0, 3)), current) or current
