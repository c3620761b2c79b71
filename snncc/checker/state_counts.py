"""How many spikes a step has: which forms give a count, and which states have such a form."""

import numpy as np

from snncc.checker.program_file import Array, natural, require
from snncc.checker.state_fields import Neuron
from snncc.checker.values import WIDEST, NodeRecord, narrow

MOST_COUNT, MOST_APART = 2**20, 255
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
    if most > MOST_APART:
        check_regular(site)
    if field["below"] is not None:
        ends = site.constant("below")[1].max(), site.constant("threshold")[1].min()
        require(int(ends[0]) < int(ends[1]), "a negative spike lies above a positive one")


def check_regular(site: NodeRecord) -> None:
    """One state is compared as it is, and every spike takes one step of thresholds from it."""
    field, (_, form) = site.fields, site.constant("form")
    used = [i for i in range(len(form)) if form[i].any()]
    require(len(used) == 1 and field["amount"] is not None, "spikes of a step are too many")
    (i,) = used
    (names, amount), (axes, step) = site.constant("amount"), site.constant("step")
    target = [*dict.fromkeys((*names[1:], *axes))]
    sides = [
        array.transpose([own.index(n) for n in target if n in own]).reshape(
            [array.shape[own.index(n)] if n in own else 1 for n in target]
        )
        for own, array in ((names[1:], amount[i]), (axes, step))
    ]
    shift = natural(field["reset_shift"][i], 0, WIDEST - 1) if field["reset_shift"] else 0
    keeps = field["keep"] is None or (site.constant("keep")[1][i] == 1 << shift).all()
    takes = field["takes"] is not None and site.constant("takes")[1][i].any()
    plain = (form[i] == 1).all() and keeps and not takes and (sides[0] == sides[1]).all()
    require(bool(plain), "spikes of a step are too many")


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
    few = neuron.most <= MOST_APART
    counts = [*range(1, neuron.most + 1)] if few else [1, 2, 3, 4, neuron.most]
    rises = [start + (j - 1) * step + (odd if j % 2 else int(up)) for j in counts]
    least: Array | None = None
    found: dict[int, Span] = {}
    if "below" in neuron.steps_of:
        below = neuron.at("below", t)
        narrow("a threshold", int(below.min()), int(below.max()))
        least = below if up else below + 1
        found[-1] = None, least - 1
    tops: list[Array | None] = [edge - 1 for edge in rises[1:]]
    above = dict(zip(counts, zip(rises, [*tops, None], strict=True), strict=True))
    if not few:
        del above[4]
    return {0: (least, rises[0] - 1), **above, **found}


def many(neuron: Neuron, count: int) -> tuple[int, ...]:
    """The fewest and the most spikes that a count stands for."""
    together = neuron.most > MOST_APART and count in (2, 3)
    return (2, neuron.most - 1) if together else (count,)


def inside(
    neuron: Neuron, u: list[Ends], form: Ends, span: Span, second: Array | None = None
) -> tuple[list[Ends], Array]:
    """States whose form lies in a span, and which neurons can have such a form.

    With `second`, the least form of two spikes, the span is one of many alike: all of it is left.
    """
    least, most = span
    there = np.ones(np.broadcast_shapes(neuron.shape, form[0].shape), np.bool_)
    if second is not None:
        there = there & (form[1] >= second)
    elif least is not None:
        there = there & (form[1] >= least)
    if most is not None and second is None:
        there = there & (form[0] <= most)
    row, part = neuron.tables["form"], list(u)
    used = [i for i in range(len(row)) if row[i].any()]
    if len(used) == 1 and (row[used[0]] > 0).all():
        (i,) = used
        low, high = u[i]
        if least is not None:
            bottom = -(-least // row[i])
            own = bottom if second is not None else np.maximum(low, bottom)
            low = np.where(there, own, low)
        if most is not None:
            top = most // row[i]
            own = top if second is not None else np.minimum(high, top)
            high = np.where(there, own, high)
        part[i] = low, high
    return part, there


def between(ends: list[Array]) -> Ends:
    """The least and the most of several."""
    return np.min(np.stack(np.broadcast_arrays(*ends)), 0), np.max(
        np.stack(np.broadcast_arrays(*ends)), 0
    )
