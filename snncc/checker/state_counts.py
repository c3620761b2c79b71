"""How many spikes a step has: which forms give a count, and which states have such a form."""

import numpy as np

from snncc.checker.program_file import Array, require
from snncc.checker.state_fields import Neuron
from snncc.checker.values import NodeRecord, narrow

MOST_COUNT = 255
Ends = tuple[Array, Array]
Span = tuple[Array | None, Array | None]
"""The least and the largest form; None where there is no such end."""


def check_counts(site: NodeRecord) -> None:
    """The staircase of thresholds is one: it rises, and negative spikes lie below it."""
    field = site.fields
    require(field["compare"] in ("ge", "gt", "even"), "unknown rule")
    most = field["most"]
    require(type(most) is int and 1 <= most <= MOST_COUNT, "a number of spikes that is none")
    require((field["step"] is None) == (most == 1), "a distance of thresholds, and one of them")
    if field["threshold"] is None:
        none = most == 1 and field["compare"] != "even"
        none = none and field["below"] is None and field["read"] is None
        require(none, "what never fires has spikes")
    if field["step"] is not None:
        require(int(site.constant("step")[1].min()) > 0, "thresholds do not rise")
    if field["below"] is not None:
        ends = site.constant("below")[1].max(), site.constant("threshold")[1].min()
        require(int(ends[0]) < int(ends[1]), "a negative spike lies above a positive one")


def fewest_and_most(neuron: Neuron) -> tuple[int, int]:
    """The counts of a step that has some."""
    return (-1 if "below" in neuron.steps_of else 1), neuron.most


def spans(neuron: Neuron, t: int) -> dict[int, Span]:
    """The forms of every count, 0 first."""
    start, step = neuron.at("threshold", t), neuron.at("step", t)
    sizes = [max(abs(int(a.min())), abs(int(a.max()))) for a in (start, step)]
    narrow("the highest threshold", sizes[0] + neuron.most * sizes[1])
    up = neuron.compare == "gt"
    odd = 1 if up or neuron.compare == "even" else 0
    rises = [
        start + (j - 1) * step + (odd if j % 2 else int(up)) for j in range(1, neuron.most + 1)
    ]
    least: Array | None = None
    found: dict[int, Span] = {}
    if "below" in neuron.steps_of:
        below = neuron.at("below", t)
        narrow("a threshold", int(below.min()), int(below.max()))
        least = below if up else below + 1
        found[-1] = None, least - 1
    tops: list[Array | None] = [edge - 1 for edge in rises[1:]]
    above = dict(enumerate(zip(rises, [*tops, None], strict=True), 1))
    return {0: (least, rises[0] - 1), **above, **found}


def inside(neuron: Neuron, u: list[Ends], form: Ends, span: Span) -> tuple[list[Ends], Array]:
    """States whose form lies in a span, and which neurons can have such a form."""
    least, most = span
    there = np.ones(np.broadcast_shapes(neuron.shape, form[0].shape), np.bool_)
    if least is not None:
        there = there & (form[1] >= least)
    if most is not None:
        there = there & (form[0] <= most)
    row, part = neuron.tables["form"], list(u)
    used = [i for i in range(len(row)) if row[i].any()]
    if len(used) == 1 and (row[used[0]] > 0).all():
        (i,) = used
        low, high = u[i]
        if least is not None:
            low = np.where(there, np.maximum(low, -(-least // row[i])), low)
        if most is not None:
            high = np.where(there, np.minimum(high, most // row[i]), high)
        part[i] = low, high
    return part, there
