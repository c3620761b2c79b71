"""Spikes that let spikes or a current pass."""

from snncc.checker.program_file import require
from snncc.checker.values import Found, NodeRecord, Value, counted, is_made, statement


def gate(site: NodeRecord) -> Found:
    """Gives the second source where the first, spikes, is 1 (inverted: 0), else 0."""
    require(len(site.sources) == 2, "a gate has two sources")
    opens, passing = site.sources
    require(opens.kind == "spike", "a gate is of spikes: a multiplication")
    require(passing.kind == "current" or is_made(passing), "spikes, counts or currents pass a gate")
    require(type(site.fields["inverted"]) is bool, "inverted is true or false")
    widest, other = sorted((opens, passing), key=lambda value: -len(value.axes))
    missing = set(other.axes) - set(widest.axes)
    require(missing <= {("t", site.steps)}, "sources differ on an axis")
    low, high = passing.interval
    axes, interval = (*missing, *widest.axes), (min(low, 0), max(high, 0))
    if passing.kind == "spike":
        return Value("spike", axes, interval), statement("and-of-spikes", "logic")
    if passing.kind == "current":
        return Value("current", axes, interval), statement("gated-current", "select")
    return counted(axes, interval), statement("gated-count", "select")
