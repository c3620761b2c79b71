"""Neurons of several states: how they leak, read each other, fire and reset, and how far they go.

u_i = round(A_i w + g_i X) + bias_i - late_i S, where w_j is u_j of now for j < i, else v_j of the
step before; F = sum of form_i u_i fires; then v_i = round(B_i u) - amount_i, else v_i = u_i.
"""

import numpy as np

from snncc.checker.program_file import Json, is_list, require
from snncc.checker.state_boxes import reach, require_sums
from snncc.checker.state_counts import check_counts
from snncc.checker.state_discs import within_discs
from snncc.checker.state_fields import FLAGS, READ, STATE, Neuron
from snncc.checker.values import (
    Axes,
    Found,
    Interval,
    NodeRecord,
    Value,
    counted,
    digits,
    narrow,
    statement,
)

MOST_STATES = 8
COEFFICIENTS = ("leak", "gain", "form", "reads", "keep", "takes", "read")


def states(site: NodeRecord) -> Found:
    source, field = site.source("current"), site.fields
    axes, leak = site.constant("leak")
    require(axes[:1] == (STATE,), "the leak is not by state")
    n = leak.shape[0]
    require(n <= MOST_STATES, f"{n} states")
    require(not {STATE, READ} & set(source.sizes), "the current has an axis of states")
    check_counts(site)
    neuron = Neuron(site, n, source.rest, source.interval)
    fires = field["threshold"] is not None
    changed = any(field[key] is not None for key in ("keep", "amount", "takes", "late"))
    require(fires or not (changed or field["swallow"]), "what never fires has a reset")
    within = [_interval(each) for each in field["states_within"]]
    require(len(within) == n, "an interval for every state is needed")
    membrane = _interval(field["membrane"])
    disc = within_discs(neuron)
    boxes = (reach(part, site.steps) for part in neuron.pieces())
    reached, form = disc or _whole([*boxes])
    for declared, found in zip([*within, membrane], [*reached, form], strict=True):
        fits = declared[0] <= found[0] and found[1] <= declared[1]
        require(fits, f"a state reaches {found}, its width holds {declared}")
    require_sums(neuron, [(np.array(low), np.array(high)) for low, high in within])
    timed = source.timed(site.steps).axes
    value = _given(site, timed, within, membrane)
    constants = [site.constant(key)[1] for key in COEFFICIENTS if field[key] is not None]
    most = max(digits(each) for each in constants)
    chooses = fires or any(field[flag] for flag in FLAGS)
    words = "shift add compare select" if chooses else "shift add"
    both = [{"declared": [*d], "reached": [*r]} for d, r in zip(within, reached, strict=True)]
    said = {"declared": [*membrane], "reached": [*form], "states": both}
    return value, statement("states-by-shift", words, most, membrane=said)


def _given(site: NodeRecord, axes: Axes, within: list[Interval], membrane: Interval) -> Value:
    """Spikes, counts of them, or what is read of states."""
    field = site.fields
    if field["threshold"] is None:
        return Value("current", axes, membrane)
    if field["read"] is not None:
        rows = site.constant("read")[1].astype(np.int64).reshape(len(within), -1)
        products = [
            [int(factor) * end for factor in (row.min(), row.max()) for end in pair]
            for row, pair in zip(rows, within, strict=True)
        ]
        return Value("current", axes, (sum(map(min, products)), sum(map(max, products))))
    fewest, most = -1 if field["below"] is not None else 0, field["most"]
    once = (fewest, most) == (0, 1)
    return Value("spike", axes, (0, 1)) if once else counted(axes, (fewest, most))


def _interval(value: Json) -> Interval:
    require(is_list(value) and len(value) == 2, "a width is no interval")
    low, high = value
    require(type(low) is int and type(high) is int, "a width is no interval")
    narrow("a width", low, high)
    require(low <= 0 <= high, "a width does not hold 0")
    return low, high


def _whole(found: list[tuple[list[Interval], Interval]]) -> tuple[list[Interval], Interval]:
    """What some neurons and others reach."""
    every = [[*each, form] for each, form in found]
    columns = zip(*every, strict=True)
    joined = [(min(a for a, _ in ends), max(b for _, b in ends)) for ends in columns]
    return joined[:-1], joined[-1]
