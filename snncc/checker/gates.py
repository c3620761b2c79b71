"""Spikes that let spikes or a current pass."""

from snncc.checker.program_file import demand
from snncc.checker.values import Found, Site, Value, says


def gate(site: Site) -> Found:
    """Gives the second source where the first, spikes, is 1 (inverted: 0), else 0."""
    demand(len(site.sources) == 2, "a gate has two sources")
    opens, passing = site.sources
    demand(opens.kind == "spike", "a gate is of spikes: a multiplication")
    demand(passing.kind in ("spike", "current"), "spikes or currents pass a gate")
    demand(type(site.fields["inverted"]) is bool, "inverted is true or false")
    widest, other = sorted((opens, passing), key=lambda value: -len(value.axes))
    missing = set(other.axes) - set(widest.axes)
    demand(missing <= {("t", site.steps)}, "sources differ on an axis")
    low, high = passing.interval
    value = Value(passing.kind, (*missing, *widest.axes), (min(low, 0), max(high, 0)))
    if passing.kind == "spike":
        return value, says("and-of-spikes", "logic")
    return value, says("gated-current", "select")
