"""How neurons of a population step, as a rule that can be changed and replayed."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from snncc.ir import Array
from snncc.ir.arrays import at_step
from snncc.ir.integer_ops import IntegerPopulation

DECAYS = ((1, 1), (1, 0), (1, 2), (3, 2), (1, 3), (7, 3), (1, 4), (15, 4), (0, 0))
"""Leaks that other simulators use, the likelier first; (p, k) keeps p * 2^-k of the membrane."""
ROUNDINGS = ("floor", "zero", "ceil")


@dataclass(frozen=True)
class NeuronRule:
    """What a neuron does beside its constants.

    Attributes:
        decay: (p, k): p * 2^-k of the membrane remains.
        offset: is added before the shift.
        rounding: of what remains: "floor", "ceil" or toward "zero".
        reset: "hard" or "soft".
        compare: "ge" or "gt".
    """

    decay: tuple[int, int]
    offset: int
    rounding: str
    reset: str
    compare: str

    def leak(self, v: Array) -> Array:
        """What remains of membranes, int64."""
        (factor, shift), offset = self.decay, self.offset
        floor: Array = (factor * v + offset) >> shift
        ceil: Array = -((factor * -v + offset) >> shift)
        if self.rounding == "zero":
            return np.where(v < 0, ceil, floor)
        return floor if self.rounding == "floor" else ceil

    def differs_from(self, other: "NeuronRule") -> str:
        """In words: what is unlike the other rule."""
        parts = [
            text
            for same, text in (
                (self.reset == other.reset, f"{self.reset} instead of {other.reset} reset"),
                (
                    self.compare == other.compare,
                    f"{SIGNS[self.compare]} instead of {SIGNS[other.compare]} at the threshold",
                ),
                (
                    self.decay == other.decay and self.offset == other.offset,
                    f"decay {_fraction(self)} instead of {_fraction(other)}",
                ),
                (
                    self.rounding == other.rounding,
                    f"leak rounded {TOWARD[self.rounding]} instead of {TOWARD[other.rounding]}",
                ),
            )
            if not same
        ]
        return ", ".join(parts)


SIGNS = {"ge": ">=", "gt": ">"}
TOWARD = {"floor": "down (floor)", "ceil": "up (ceiling)", "zero": "toward zero"}


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


def rule_of(op: IntegerPopulation) -> NeuronRule:
    """The rule of a population."""
    floor = "floor" if op.compare == "ge" else "ceil"
    rounding = floor if op.rounding == "floor" else op.rounding
    return NeuronRule(op.decay, op.decay_offset, rounding, op.reset, op.compare)


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
        spike = level >= threshold if rule.compare == "ge" else level > threshold
        reset = np.zeros_like(level) if rule.reset == "hard" else level - threshold
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


def _single_changes(rule: NeuronRule) -> Iterator[NeuronRule]:
    yield replace(rule, reset="soft" if rule.reset == "hard" else "hard")
    yield replace(rule, compare="gt" if rule.compare == "ge" else "ge")
    for rounding in ROUNDINGS:
        if rounding != rule.rounding:
            yield replace(rule, rounding=rounding)
    for decay in DECAYS:
        if decay != rule.decay:
            yield replace(rule, decay=decay, offset=0)


def _fraction(rule: NeuronRule) -> str:
    factor, shift = rule.decay
    text = f"{factor}/{1 << shift}" if shift else str(factor)
    return text if not rule.offset else f"({factor} * V + {rule.offset}) >> {shift}"
