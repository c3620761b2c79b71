"""Spikes that let spikes or a current pass."""

from snncc.checker.program_file import require
from snncc.checker.values import Found, NodeRecord, Value, statement


def gate(site: NodeRecord) -> Found:
    """Gives the second source where the first, spikes, is 1 (inverted: 0), else 0."""
    require(len(site.sources) == 2, "a gate has two sources")
    opens, passing = site.sources
    require(opens.kind == "spike", "a gate is of spikes: a multiplication")
    require(passing.kind in ("spike", "current"), "spikes or currents pass a gate")
    require(type(site.fields["inverted"]) is bool, "inverted is true or false")
    widest, other = sorted((opens, passing), key=lambda value: -len(value.axes))
    missing = set(other.axes) - set(widest.axes)
    require(missing <= {("t", site.steps)}, "sources differ on an axis")
    low, high = passing.interval
    value = Value(passing.kind, (*missing, *widest.axes), (min(low, 0), max(high, 0)))
    if passing.kind == "spike":
        return value, statement("and-of-spikes", "logic")
    return value, statement("gated-current", "select")
