"""Moves of currents and of spikes: the largest of windows, elements along axes, gates."""

from dataclasses import replace

from generators.draws import narrowest
from generators.grown import Grown
from snncc.ir import Kind
from snncc.ir.dialects.gates import Gate
from snncc.ir.dialects.moves import Take, runs_of
from snncc.ir.dialects.windows import Largest


def geometry(g: Grown, source: str) -> Largest | None:
    """Windows along any axes: stride, dilation, padding, and a last window that hangs over."""
    draw, axes = g.draw, g.axes(source)
    over = draw.some(list(axes), 0.6) or list(axes)[:1]
    if not over:
        return None
    kernel = tuple(draw.one([1, 2, 2, 3, 3, 5]) for _ in over)
    stride = tuple(draw.one([1, 1, 2, 2, 3]) for _ in over)
    padding = tuple(draw.number(0, k - 1) for k in kernel)
    dilation = tuple(draw.one([1, 1, 1, 2]) for _ in over)
    size: list[int] = []
    for at, name in enumerate(over):
        room = axes[name] + 2 * padding[at] - dilation[at] * (kernel[at] - 1) - 1
        size.append(max(1, room // stride[at] + 1 + draw.number(0, 1)))
    out = [name if draw.chance(0.6) else g.fresh({*axes}) for name in over]
    return Largest(tuple(over), tuple(out), tuple(size), kernel, stride, padding, dilation)


def largest_current(g: Grown) -> str | None:
    """Of a current, with offsets on both sides of a type's border, or without."""
    draw, source = g.draw, g.recent()
    op = geometry(g, source)
    if op is None:
        return None
    if draw.chance(0.4):
        axes = g.axes(source)
        over = draw.some(list(axes), 0.6)
        top = draw.one([3, 200, 1 << 15, 1 << 20])
        array = draw.rng.integers(-top, top + 1, g.sizes(axes, *over))
        op = replace(op, offset=g.param(narrowest(array), *over))
    return g.current(op, source)


def largest_spikes(g: Grown) -> str | None:
    """Of spikes, which projections read like those of a population."""
    source = g.draw.one(g.spikes)
    op = geometry(g, source)
    made = None if op is None else g.put(op, source)
    if made is not None:
        assert g.kind(made).kind is Kind.SPIKE
        g.spikes.append(made)
    return made


def taken(g: Grown, source: str) -> Take | None:
    """Slices, repeats, flips, any order, with zeros between, along any axes."""
    draw, axes = g.draw, g.axes(source)
    over = draw.some(list(axes), 0.5) or list(axes)[:1]
    if not over:
        return None
    runs: list[tuple[int, ...]] = []
    for name in over:
        size = axes[name]
        kind = draw.one(["slice", "flip", "any", "zeros"])
        if kind == "slice":
            index = list(range(size))[draw.number(0, size - 1) :: draw.number(1, 3)]
        elif kind == "flip":
            index = list(range(size))[::-1]
        else:
            low = -1 if kind == "zeros" else 0
            index = draw.rng.integers(low, size, draw.number(1, size + 3)).tolist()
        runs.append(runs_of(index))
    out = [name if draw.chance(0.6) else g.fresh({*axes}) for name in over]
    return Take(tuple(over), tuple(out), tuple(runs))


def take_current(g: Grown) -> str | None:
    source = g.recent()
    op = taken(g, source)
    return None if op is None else g.current(op, source)


def take_spikes(g: Grown) -> str | None:
    source = g.draw.one(g.spikes)
    op = taken(g, source)
    made = None if op is None else g.put(op, source)
    if made is not None:
        g.spikes.append(made)
    return made


def gate_current(g: Grown) -> str | None:
    """Spikes over some of a current's axes, or over more."""
    gate = g.draw.one(g.spikes)
    axes = g.axes(gate)
    fitting = [n for n in g.currents if g.axes(n).items() <= axes.items()]
    fitting += [n for n in g.currents if g.axes(n).items() >= axes.items()]
    if not fitting:
        return None
    return g.current(Gate(g.draw.chance(0.4)), gate, g.draw.one(fitting))


def gate_spikes(g: Grown) -> str | None:
    gate = g.draw.one(g.spikes)
    axes = g.axes(gate)
    fitting = [n for n in g.spikes if g.axes(n).items() <= axes.items()]
    made = g.put(Gate(g.draw.chance(0.4)), gate, g.draw.one(fitting))
    if made is not None:
        g.spikes.append(made)
    return made


WINDOWS = (largest_current, largest_spikes, largest_spikes, take_current, take_spikes) * 3
WINDOWS += (gate_current, gate_spikes, gate_spikes) * 3
"""To be drawn as often as all other moves."""
