"""Moves that make currents from spikes and pixels."""

from math import prod

from generators.draws import weights
from generators.grown import MOST_WEIGHTS, Grown
from snncc.ir import TIME
from snncc.ir.dialects.projections import Concat, Convolve


def map_axes(g: Grown) -> str | None:
    """A map of one or two axes of a source, the others carried, summed or with own weights."""
    draw, source = g.draw, g.source()
    axes = g.axes(source)
    order = [list(axes)[i] for i in draw.rng.permutation(len(axes))]
    into, rest = order[:1], order[1:]
    if rest and draw.chance(0.15):
        into, rest = [*into, rest[0]], rest[1:]
    summed = draw.some(rest, 0.5) if draw.chance(0.4) else []
    rest = [n for n in rest if n not in summed]
    shared = draw.some(rest, 0.5) if draw.chance(0.2) else []
    if draw.chance(0.1):
        shared.insert(draw.number(0, len(shared)), TIME)
    out: dict[str, int] = {}
    for _ in range(draw.one([1] * 90 + [2] * 25 + [0]) if into else 1):
        name = draw.one(into) if into and draw.chance(0.6) else g.fresh({*rest, *out})
        if name in out or name in rest:
            name = g.fresh({*rest, *out})
        out[name] = draw.size(65)
    return g.contract(source, into, out, shared, summed)


def many_equal_taps(g: Grown) -> str | None:
    """A mean or sum over places before a map: hundreds of places take the same weights."""
    draw, source = g.draw, g.source()
    axes = g.axes(source)
    if len(axes) < 2:
        return None
    mapped = draw.one(list(axes))
    kept = draw.some([n for n in axes if n != mapped], 0.2)
    summed = [n for n in axes if n != mapped and n not in kept]
    name = mapped if draw.chance(0.5) else g.fresh({*kept})
    kinds = ("equal", "equal", "bytes", "border", "ramp")
    return g.contract(source, [mapped], {name: draw.size(65)}, [], summed, kinds)


def convolve(g: Grown) -> str | None:
    """A convolution: groups, dilation, stride, padding and weights by step, along any axes."""
    return convolve_of(g, g.source())


def convolve_of(g: Grown, source: str) -> str | None:
    """The same of a given source."""
    draw = g.draw
    axes = g.axes(source)
    if len(axes) < 3:
        return None
    names = [list(axes)[i] for i in draw.rng.permutation(len(axes))]
    if draw.chance(0.95) and g.lane.get(source) in axes:  # units convolve across lanes only
        names.sort(key=lambda n: n != g.lane[source])
    channel, height, width = names[:3]
    have = axes[channel]
    groups = draw.one([n for n in (1, 2, 3, 4, have) if have % n == 0])
    outputs = have if groups == have and draw.chance(0.6) else groups * draw.size(65 // groups)
    lead = [g.steps] if draw.chance(0.08) else []
    kernel = draw.one([1, 2, 3, 3, 3, 5]), draw.one([1, 2, 3, 3, 3, 5])
    shape = (*lead, outputs, have // groups, *kernel)
    if prod(shape) > MOST_WEIGHTS:
        return None
    array = weights(draw, shape[:-3], shape[-3:], g.times(source))
    param = g.param(array, *((TIME,) if lead else ()), "o", "i", "kh", "kw")
    out = g.fresh({*axes}) if draw.chance(0.2) else channel
    stride, dilation = (
        (draw.one([1, 1, 1, 2, 3]), draw.one([1, 1, 1, 2, 3])) for _ in range(2)
    )  # fmt: skip
    padding = draw.number(0, 3), draw.number(0, 3)
    op = Convolve(
        param, channel, height, width, out, height, width, stride, padding, dilation, groups
    )
    return g.current(op, source)


def onto(g: Grown, target: dict[str, int]) -> str | None:
    """A current over just these axes, from any source: what it has too is carried."""
    source = g.source()
    axes = g.axes(source)
    common = [n for n in axes if target.get(n) == axes[n]]
    into = [n for n in axes if n not in common]
    out = {n: s for n, s in target.items() if n not in common}
    if common and (not into or not out):
        moved = g.draw.one(common)
        into, out = [*into, moved], {**out, moved: axes[moved]}
    summed: list[str] = []
    while into and prod(out.values()) * prod(axes[n] for n in into) > MOST_WEIGHTS:
        summed.append(into.pop(g.draw.number(0, len(into) - 1)))
    if len(into) > 1 and g.draw.chance(0.3):
        summed.append(into.pop())
    return g.contract(source, into, out, [], summed)


def concat_spikes(g: Grown) -> str | None:
    """Spikes side by side: a unit of the host puts them there."""
    source = g.draw.one(g.spikes)
    if not g.axes(source):
        return None
    along = g.draw.one(list(g.axes(source)))
    wide = g.put(Concat((along, along), along), source, source)
    if wide is not None:
        g.spikes.append(wide)
    return wide
