"""What becomes of currents before neurons: side by side, added, scaled."""

import math

from snncc.checker.program_file import natural, require
from snncc.checker.values import (
    WIDEST,
    Found,
    NodeRecord,
    Value,
    counted,
    digits,
    ends,
    is_made,
    narrow,
    statement,
)

MOST_SUMMED = 2**24


def concat(site: NodeRecord) -> Found:
    along, out = site.fields["along"], site.fields["out"]
    require(len(along) == len(site.sources) > 0, "one axis for each source is needed")
    require("t" not in (*along, out), "steps cannot stand side by side")
    pairs = list(zip(site.sources, along, strict=True))
    first, lead = next(((v, a) for v, a in pairs if "t" in v.sizes), pairs[0])
    rest = {axis for axis in first.axes if axis[0] != lead}
    for value, own_lead in pairs:
        own = {axis for axis in value.axes if axis[0] != own_lead}
        require(own_lead in value.sizes, f"a source has no axis {own_lead}")
        require(own in (rest, {a for a in rest if a[0] != "t"}), "sources differ on another axis")
        counts = not {value.kind, first.kind} - {"pixel", "count"}  # one kind of two words
        require(value.kind == first.kind or counts, "values of one kind are joined")
        require(value.kind == "current" or is_made(value), "spikes, counts or currents are joined")
    joined = (out, sum(value.sizes[own_lead] for value, own_lead in pairs))
    axes = tuple(joined if axis[0] == lead else axis for axis in first.axes)
    low, high = (f(v.interval[i] for v, _ in pairs) for i, f in enumerate((min, max)))
    if first.kind in ("spike", "current"):
        return Value(first.kind, axes, (low, high)), statement("side-by-side")
    return counted(axes, (low, high)), statement("side-by-side")


def add(site: NodeRecord) -> Found:
    """Adds: y = sum of x_i << shifts[i]; an axis that a source lacks is broadcast."""
    require(len(site.sources) > 0, "a sum needs a source")
    counts = all(map(is_made, site.sources))
    require(counts or all(v.kind == "current" for v in site.sources), "only currents can be added")
    shifts = [natural(n, 0, WIDEST - 1) for n in site.fields["shifts"]] or [0] * len(site.sources)
    require(len(shifts) == len(site.sources), "one shift for each source is needed")
    widest = max(site.sources, key=lambda value: len(value.axes))
    missing = {axis for v in site.sources for axis in v.axes} - set(widest.axes)
    require(missing <= {("t", site.steps)}, "sources differ on an axis")
    pairs = list(zip(site.sources, shifts, strict=True))
    moved = [tuple(end << n for end in v.interval) for v, n in pairs]
    narrow(
        "a part of the sum", *(sum(end for m in moved for end in m if end * s > 0) for s in (1, -1))
    )
    low, high = (sum(m[i] for m in moved) for i in (0, 1))
    axes = (*missing, *widest.axes)
    if counts:
        require(not site.fields["shifts"], "counts have no shifts")
        return counted(axes, (low, high)), statement("add-counts", "add")
    value = Value("current", axes, (low, high))
    return value, statement("add-currents", "add shift" if any(shifts) else "add")


def add_along(site: NodeRecord) -> Found:
    """Adds up along axes: y[rest] = sum over `summed` of x[rest, summed]."""
    source, summed = site.source("current"), site.fields["summed"]
    require(0 < len(summed) == len(set(summed)), "axes are summed, each once")
    require(set(summed) <= set(source.sizes) and "t" not in summed, "no time, and no other axis")
    places = math.prod(source.sizes[name] for name in summed)
    require(places <= MOST_SUMMED, "too many places are summed")
    low, high = (places * end for end in source.interval)
    narrow("a part of the sum", min(low, 0), max(high, 0))
    axes = tuple(axis for axis in source.axes if axis[0] not in summed)
    return Value("current", axes, (low, high)), statement("add-along", "add")


def gain(site: NodeRecord) -> Found:
    """Scales: y = (m * x + 2^(shift-1)) >> shift; m * x is one addition for each digit of m."""
    source, shift = site.source("current"), natural(site.fields["shift"], 0, WIDEST - 1)
    by_step = "t" in site.constant("mantissa")[0]
    axes = source.timed(site.steps).axes if by_step else source.axes
    mantissa = site.over("mantissa", axes)
    widest = max(map(abs, ends(mantissa))) * max(map(abs, source.interval)) + (1 << shift)
    narrow("a gain before its shift", widest)
    reach = [m * x + ((1 << shift) >> 1) for m in ends(mantissa) for x in source.interval]
    low, high = min(reach), max(reach)
    value = Value("current", axes, (low >> shift, high >> shift))
    most = digits(mantissa)
    words = "shift add" if most > 1 else "shift"
    return value, statement("gain-by-shift", words, most, before_shift=[low, high])
