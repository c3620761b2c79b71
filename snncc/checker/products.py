"""Sums of what spikes select."""

import math

from snncc.checker.program_file import require
from snncc.checker.values import Found, NodeRecord, Value, counted, is_made, statement

MOST_SUMMED = 2**24


def product(site: NodeRecord) -> Found:
    """Adds up the second source where the first, spikes, is 1 (inverted: 0), along shared axes."""
    require(len(site.sources) == 2, "a product has two sources")
    gate, x = site.sources
    require(gate.kind == "spike", "a product selects with spikes: a multiplication")
    require(x.kind == "current" or is_made(x), "spikes, counts or currents are selected")
    summed, inverted = site.fields["summed"], site.fields["inverted"]
    require(type(inverted) is bool, "inverted is true or false")
    require(len(summed) == len(set(summed)), "an axis is summed once")
    outer = {*gate.sizes} - {*x.sizes} and {*x.sizes} - {*gate.sizes}
    require(bool(summed or outer), "axes are summed, or each source has one that the other lacks")
    both = set(gate.axes) & set(x.axes)
    alike = {name for name, _ in both}
    require(set(gate.sizes) & set(x.sizes) == alike, "an axis has two lengths")
    require(set(summed) <= alike and "t" not in summed, "what is summed are axes of both, no time")
    places = math.prod(gate.sizes[name] for name in summed)
    require(places <= MOST_SUMMED, "too many places are summed")
    left = [axis for axis in (*gate.axes, *x.axes) if axis[0] not in summed]
    axes = list(dict.fromkeys(left))
    if "t" not in gate.sizes and "t" in x.sizes:
        axes.sort(key=lambda axis: axis[0] != "t")  # stable: time leads where x alone has it
    low, high = x.interval
    ends = places * min(low, 0), places * max(high, 0)
    if x.kind == "current":
        return Value("current", tuple(axes), ends), statement("sum-of-selected", "select add")
    rule = (
        ("count-of-ands", "logic add") if x.kind == "spike" else ("sum-of-selected", "select add")
    )
    return counted(tuple(axes), ends), statement(*rule)
