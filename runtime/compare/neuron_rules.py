"""What neurons of a population did, replayed by a rule that can be changed."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from snncc.ir import Array
from snncc.ir.arrays import at_step
from snncc.ir.dialects.neuron_rule import NeuronRule, Rounding

DECAYS = ((1, 1), (1, 0), (1, 2), (3, 2), (1, 3), (7, 3), (1, 4), (15, 4), (0, 0))
"""Leaks that other simulators use, the likelier first; (p, k) keeps p * 2^-k of the membrane."""
DIRECTIONS = {
    Rounding.DOWN: "down (floor)",
    Rounding.TO_ZERO: "toward zero",
    Rounding.UP: "up (ceiling)",
}
"""In words, the likelier first."""
RESETS = {True: "hard", False: "soft"}
SIGNS = {True: ">=", False: ">"}


@dataclass(frozen=True)
class Replay:
    """What neurons did: arrays [batch, t, ...].

    Attributes:
        before: membranes that the step found, before the leak.
        levels: membranes at the comparison.
        after: membranes after the reset.
        spikes: 0 or 1.
    """

    before: Array
    levels: Array
    after: Array
    spikes: Array


def replay(
    drive: Array, thresholds: Array, rule: NeuronRule, recorded: Array | None = None
) -> Replay:
    """Steps neurons through what reached them.

    Args:
        drive: int64 [batch, t, ...]: what is added to the membrane at every step.
        thresholds: int64 [t or 1, ...].
        rule: how they step.
        recorded: spikes that decide the resets in place of the rule's own; the result's spikes
            then say at every step what the rule gives after this history.
    """
    before, levels, after = np.empty_like(drive), np.empty_like(drive), np.empty_like(drive)
    spikes = np.empty(drive.shape, np.uint8)
    state = np.zeros((drive.shape[0], *drive.shape[2:]), np.int64)
    for t in range(drive.shape[1]):
        threshold = at_step(thresholds, t)
        level = rule.leak(state) + drive[:, t]
        spike, reset = rule.fires(level, threshold), rule.after_spike(level, threshold)
        before[:, t], levels[:, t], spikes[:, t] = state, level, spike
        state = np.where(spike if recorded is None else recorded[:, t] != 0, reset, level)
        after[:, t] = state
    return Replay(before, levels, after, spikes)


def alternatives(rule: NeuronRule) -> Iterator[NeuronRule]:
    """Rules with one thing changed, then with two, the likelier first."""
    single = list(_single_changes(rule))
    yield from single
    seen = {rule, *single}
    for one in single:
        for two in _single_changes(one):
            if two not in seen:
                seen.add(two)
                yield two


def difference(rule: NeuronRule, other: NeuronRule) -> str:
    """In words: what of a rule is unlike the other."""
    parts: list[str] = []
    if rule.hard != other.hard:
        parts.append(f"{RESETS[rule.hard]} instead of {RESETS[other.hard]} reset")
    if rule.at_least != other.at_least:
        signs = SIGNS[rule.at_least], SIGNS[other.at_least]
        parts.append(f"{signs[0]} instead of {signs[1]} at the threshold")
    if (rule.decay, rule.carry) != (other.decay, other.carry):
        parts.append(f"decay {_fraction(rule)} instead of {_fraction(other)}")
    if rule.rounding is not other.rounding:
        ways = DIRECTIONS[rule.rounding], DIRECTIONS[other.rounding]
        parts.append(f"leak rounded {ways[0]} instead of {ways[1]}")
    return ", ".join(parts)


def _single_changes(rule: NeuronRule) -> Iterator[NeuronRule]:
    yield replace(rule, hard=not rule.hard)
    yield replace(rule, at_least=not rule.at_least)
    for rounding in DIRECTIONS:
        if rounding != rule.rounding:
            yield replace(rule, rounding=rounding)
    for decay in DECAYS:
        if decay != rule.decay:
            yield replace(rule, decay=decay, carry=0)


def _fraction(rule: NeuronRule) -> str:
    factor, shift = rule.decay
    text = f"{factor}/{1 << shift}" if shift else str(factor)
    return text if not rule.carry else f"({factor} * V + {rule.carry}) >> {shift}"
