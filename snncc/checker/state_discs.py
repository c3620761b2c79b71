"""Poles that turn two states: a disc holds them for ever, where boxes of intervals would grow.

docs/program_rules.md states it in words, under "Discs of states".
"""

import numpy as np

from snncc.checker.program_file import Array
from snncc.checker.state_fields import Neuron
from snncc.checker.values import Interval, narrow

STEEPEST = 30
"""Bits behind the point of a pole, at most."""
ALLOWED = {(0, 1), (1, 1), (1, 2), (2, 0), (2, 2)}
"""Which state may read which; the diagonal is a leak."""


def within_discs(neuron: Neuron) -> tuple[list[Interval], Interval] | None:
    """What the states and what is given reach; None where the rule says nothing of a neuron."""
    if not _is_pole(neuron):
        return None
    k, reads = neuron.numbers["shift"][2], neuron.tables["reads"]
    cosine, sine = np.broadcast_arrays(reads[2, 2], reads[2, 0])
    farthest = max(int(abs(cosine).max()), int(abs(sine).max()))
    if farthest > 2**k or int((cosine**2 + sine**2).max()) >= 4**k:
        return None
    push = _push(neuron, k)
    narrow("what drives a pole", 0, int(push.max()))
    shape = np.broadcast_shapes(neuron.shape, push.shape)
    flat = [np.broadcast_to(each, shape).reshape(-1) for each in (cosine, sine, push)]
    known: dict[tuple[int, int, int], int] = {}
    radii: list[int] = []
    for a, b, most in zip(*(each.tolist() for each in flat), strict=True):
        key = abs(a), abs(b), most
        if key not in known:
            known[key] = _least(a * a + b * b, 4**k, most + 1)
        radii.append(known[key])
    radius = np.array(radii, np.int64).reshape(shape)
    sizes = abs(neuron.tables["form"])
    most = sum(int(each.max()) for each in sizes) * max(radii)
    narrow("what is given", -most, most)
    given = int((sizes * radius).sum(axis=0).max())
    return [(-max(radii), max(radii))] * 3, (-given, given)


def _is_pole(neuron: Neuron) -> bool:
    tables, numbers = neuron.tables, neuron.numbers
    if len(tables["leak"]) != 3 or "threshold" in neuron.steps_of or neuron.compare == "gt":
        return False
    held = [*neuron.flags["has_floor"], *neuron.flags["has_low"], *neuron.flags["has_high"]]
    if any(held) or tables["start"].any():
        return False
    first, k, last = numbers["shift"]
    half = 2**k // 2
    if first or k != last or not 1 <= k <= STEEPEST or numbers["carry"] != [0, half, half]:
        return False
    reads, gain, bias = tables["reads"], tables["gain"], neuron.steps_of["bias"]
    strange = [reads[i, j] for i in range(3) for j in range(3) if (i, j) not in ALLOWED]
    strange += [gain[0], gain[2], gain[1] % 2**k, bias[:, 0], bias[:, 2]]
    strange += [reads[0, 1] - 1, reads[1, 1] - reads[2, 2], reads[1, 2] + reads[2, 0]]
    return not any(each.any() for each in strange)


def _push(neuron: Neuron, k: int) -> Array:
    """How far a current and a bias move a state at most in one step, neuron by neuron."""
    factor, bias = neuron.tables["gain"][1] // 2**k, neuron.steps_of["bias"][:, 1]
    ends = [int(abs(factor).max()) * abs(end) for end in neuron.current]
    narrow("a pole's current", 0, *ends)
    moved = [abs(factor * end + bias).max(axis=0) for end in neuron.current]
    found: Array = np.maximum(*moved)
    return found


def _least(length: int, whole: int, m: int) -> int:
    """The least R, by halving, with R >= m and length R^2 <= whole (R - m)^2.

    |x| <= R stays so: turned it is at most sqrt(length / whole) R, rounding moves it by less than
    1, the rest of m is what comes in.
    """
    high = m
    while length * high * high > whole * (high - m) ** 2:
        high *= 2
        narrow("a disc", 0, high // 2)
    low = m - 1
    while high - low > 1:
        middle = (low + high) // 2
        kept = middle >= m and length * middle**2 <= whole * (middle - m) ** 2
        low, high = (low, middle) if kept else (middle, high)
    narrow("a disc", 0, high)
    return high
