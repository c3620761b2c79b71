"""Why two executions differ in a layer: every explanation is tried on all of its neurons."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from snncc.ir import Array
from snncc.ir.arrays import count
from snncc.runtime.layer_inputs import LayerInputs
from snncc.runtime.neuron_rules import NeuronRule, Replay, alternatives, replay
from snncc.runtime.program_differences import ConstantDifference

STEPS_APART = 4.0
"""Rounding may move a sum of n active weights by this times sqrt(n) steps of their grid.

Rounding to nearest moves it by sqrt(n / 12), one standard deviation. Calibrated rounding moves
single weights further: in the 35 layers of the trained Mixer-SNN on 64 images, 4 and 8 bits against
16, the furthest sum is at 0.91 of this.
"""
WEIGHTS_APART = 8
"""Two roundings of one weight to the same grid differ by fewer steps."""
CONSTANTS_APART = 2.0
"""Units by which bias and offset, each rounded to nearest, may differ together; twice the most."""
SCREENED = 256
"""So many differing trains are tried first; a rule that fails on them is not tried on the rest."""
SHIFT, RULE, ROUNDING, BUG, UNKNOWN = "time-shift", "reset-rule", "rounding", "bug", "unknown"
Facts = Mapping[str, Any]


@dataclass(frozen=True)
class LayerSide:
    """One side's view of a layer; arrays [batch, t, ...].

    Attributes:
        label: "A" or "B".
        spikes: recorded.
        levels: recorded membranes in the units of this side's program, or None.
        inputs: what reached the neurons, None where there is no program to say it.
        rule: how the program's neurons step, None likewise.
    """

    label: str
    spikes: Array
    levels: Array | None
    inputs: LayerInputs | None
    rule: NeuronRule | None

    def expected(self) -> Replay | None:
        """What the program gives after this side's own history."""
        if self.inputs is None or self.rule is None:
            return None
        return replay(self.inputs.drive, self.inputs.thresholds, self.rule, self.spikes)

    def follows(self, expected: Replay) -> bool:
        """Whether what was recorded is what the program gives."""
        same_levels = self.levels is None or np.array_equal(self.levels, expected.levels)
        return same_levels and np.array_equal(self.spikes, expected.spikes)


@dataclass(frozen=True)
class LayerEvidence:
    """What is known of the first layer that differs.

    Attributes:
        own: the side whose program explains; `other` is the one to be explained.
        same_program: both ran the same integers.
        constants: what differs between two programs here; None where they are not built alike.
    """

    own: LayerSide
    other: LayerSide
    same_program: bool
    constants: tuple[ConstantDifference, ...] | None = None

    @property
    def same_currents(self) -> bool:
        """Whether both programs give the same current for the same spikes, in the same unit."""
        known = self.constants is not None and not any(c.currents for c in self.constants)
        return self.same_program or known


@dataclass(frozen=True)
class Cause:
    """One explanation.

    Attributes:
        kind: `SHIFT`, `RULE`, `ROUNDING`, `BUG`, or `UNKNOWN` without a program to judge by.
        fits: whether it explains every neuron of the layer.
        text: how it fits, or what rules it out.
        facts: numbers of it.
    """

    kind: str
    fits: bool
    text: str
    facts: Facts


def causes_of(evidence: LayerEvidence) -> tuple[Cause, ...]:
    """Every explanation, in the order in which they count: the first that fits is the cause."""
    tried = [time_shift(evidence)]
    expected = evidence.own.expected()
    if expected is None:
        if not tried[0].fits:
            text = "reset rule, rounding and bug cannot be told apart without a program"
            tried.append(Cause(UNKNOWN, True, text, {}))
        return tuple(tried)
    tried += [reset_rule(evidence, expected), rounding(evidence, expected)]
    fits = not any(cause.fits for cause in tried)
    text, facts = _what_is_wrong(evidence, expected)
    return (*tried, Cause(BUG, fits, text if fits else "another explanation fits", facts))


def time_shift(evidence: LayerEvidence) -> Cause:
    """Whether all trains are equal where a shift by some steps makes them overlap."""
    own, other = evidence.own, evidence.other
    steps = own.spikes.shape[1]
    if _all_follow(own, other):
        return Cause(SHIFT, False, "each side is what its own program gives at every step", {})
    for d in range(1, steps):
        for early, late in ((own, other), (other, own)):
            head, tail = early.spikes[:, : steps - d], late.spikes[:, d:]
            if head.any() and not late.spikes[:, :d].any() and np.array_equal(head, tail):
                text = (
                    f"every train of {late.label} is that of {early.label} {_steps(d)} later "
                    f"({int(head.sum()):,} spikes)"
                )
                return Cause(SHIFT, True, text, {"steps": d, "late": late.label})
    return Cause(SHIFT, False, f"no shift of 1 to {steps - 1} steps makes the trains equal", {})


def _all_follow(*sides: LayerSide) -> bool:
    expected = [(side, side.expected()) for side in sides]
    return all(each is not None and side.follows(each) for side, each in expected)


def reset_rule(evidence: LayerEvidence, expected: Replay) -> Cause:
    """Whether the same neurons, stepping by another rule, give the other side's trains."""
    own, target = evidence.own, evidence.other
    inputs, rule = own.inputs, own.rule
    if inputs is None or rule is None:
        raise TypeError("a rule is judged by a program")
    if evidence.same_program and not own.follows(expected):
        foreign = target.expected()
        if foreign is not None and target.follows(foreign):
            target = own
    levels = target.levels if evidence.same_program else None
    other_rule = evidence.other.rule
    known = not evidence.same_program and other_rule is not None
    tried = 0
    for candidate in [other_rule] if known else alternatives(rule):
        if candidate is None or candidate == rule:
            continue
        tried += 1
        if not _screened(inputs, candidate, target.spikes, expected.spikes):
            continue
        result = replay(inputs.drive, inputs.thresholds, candidate)
        if np.array_equal(result.spikes, target.spikes) and (
            levels is None or np.array_equal(result.levels, levels)
        ):
            change = candidate.differs_from(rule)
            trains = count(target.spikes.shape) // target.spikes.shape[1]
            text = f"{change}: gives {target.label} in each of {trains:,} trains of the layer"
            return Cause(RULE, True, text, {"change": change, "side": target.label})
    if known and not tried:
        return Cause(RULE, False, "both programs step their neurons alike", {})
    if known and other_rule is not None:
        change = other_rule.differs_from(rule)
        text = f"{evidence.other.label} has {change}, but that does not give its trains"
        return Cause(RULE, False, text, {"change": change})
    text = f"none of {tried} other rules (reset, comparison, leak) gives {target.label}'s trains"
    return Cause(RULE, False, text, {"tried": tried})


def _screened(inputs: LayerInputs, rule: NeuronRule, target: Array, expected: Array) -> bool:
    """Whether a rule gives some trains, those first that the program does not give."""
    batch, steps = target.shape[:2]
    flat = target.reshape(batch, steps, -1)
    differs = (flat != expected.reshape(flat.shape)).any(axis=1)
    image, neuron = (index[:SCREENED] for index in np.nonzero(differs))
    if len(image) == 0:
        return True
    drive = inputs.drive.reshape(flat.shape)[image, :, neuron].T[None]
    full = (len(inputs.thresholds), *target.shape[2:])
    thresholds = np.broadcast_to(inputs.thresholds, full).reshape(len(inputs.thresholds), -1)
    result = replay(drive, thresholds[:, neuron], rule)
    return np.array_equal(result.spikes[0], flat[image, :, neuron].T)


def _far_weight(evidence: LayerEvidence) -> ConstantDifference | None:
    """A weight that no rounding explains; programs with the same thresholds have the same grids."""
    constants = evidence.constants or ()
    if any(c.what == "threshold" for c in constants):
        return None
    weights = [c for c in constants if c.what == "weight" and c.largest > WEIGHTS_APART]
    return max(weights, key=lambda c: c.largest, default=None)


@dataclass(frozen=True)
class _Reach:
    """How far rounding may move things, [batch, t, ...], in units of the own program.

    Attributes:
        drive: may differ by so much.
        membrane: may be so far from its threshold where a train departs.
        apart: how far the drives differ, None where the other's is not known.
    """

    drive: Array
    membrane: Array
    apart: Array | None


def rounding(evidence: LayerEvidence, expected: Replay) -> Cause:
    """Whether the layer departs near thresholds only, with currents that are rounded alike."""
    own, other = evidence.own, evidence.other
    if evidence.same_program:
        text = "both run the same integers: nothing is rounded between them"
        return Cause(ROUNDING, False, text, {})
    if not own.follows(expected):
        return Cause(ROUNDING, False, f"{own.label} does not follow its own program", {})
    theirs = other.expected()
    if theirs is not None and not other.follows(theirs):
        return Cause(ROUNDING, False, f"{other.label} does not follow its own program", {})
    far = _far_weight(evidence)
    if far is not None:
        text = f"{far.node} {far.what} differs by {far.largest} steps of one grid, rounding by few"
        return Cause(ROUNDING, False, text, {"largest": far.largest})
    if own.inputs is None:
        raise TypeError("rounding is judged by a program")
    reach = _reach(evidence, expected)
    distance = np.abs(expected.levels - own.inputs.thresholds)
    departs = _first_departures(own.spikes, other.spikes)
    near = distance[departs] <= reach.membrane[departs]
    worst = float((distance[departs] / reach.membrane[departs]).max(initial=0.0))
    facts: dict[str, Any] = {"departures": int(departs.sum()), "near": int(near.sum())}
    facts["worst_membrane"] = worst
    text = (
        f"{int(near.sum()):,} of {int(departs.sum()):,} trains that depart do so with a membrane "
        f"as near its threshold as rounding can bring it (worst: {worst:.2f} of that)"
    )
    fits = bool(near.all())
    if reach.apart is not None:
        worst = float((reach.apart / reach.drive).max(initial=0.0))
        facts["worst_current"] = worst
        fits = fits and worst <= 1.0
        text += f"; currents differ by at most {worst:.2f} of what rounding can change"
    else:
        text += f"; {other.label}'s currents are not known"
    return Cause(ROUNDING, fits, text, facts)


def _reach(evidence: LayerEvidence, expected: Replay) -> _Reach:
    """How far rounding may go.

    The other program counts in units of its own; the ratio of the thresholds, which are the same
    real numbers, translates. Errors of single weights add up as root of the sum of squares, those
    of earlier steps leak with the membrane and end with a hard reset.
    """
    own, rule = evidence.own.inputs, evidence.own.rule
    if own is None or rule is None:
        raise TypeError("rounding is judged by a program")
    other = evidence.other.inputs
    variance: Array = own.variance * (0.0 if evidence.same_currents else 1.0)
    bias, unit = np.full(own.drive.shape, (CONSTANTS_APART / STEPS_APART) ** 2), 1.0
    apart, slack = None, np.zeros(own.drive.shape)
    if other is not None:
        ratio: Array = np.ones((1, 1))
        if not evidence.same_currents:
            full = np.broadcast_to(
                other.thresholds, np.broadcast(own.thresholds, other.thresholds).shape
            )
            ratio = np.where(full == 0, 1.0, own.thresholds / np.where(full == 0, 1, full))
            variance = variance + ratio**2 * other.variance
            sharp = 1.0 / np.maximum(1, np.abs(own.thresholds)) + 1.0 / np.maximum(1, np.abs(full))
            slack = np.abs(own.drive) * sharp
        bias = bias * (1.0 + ratio**2)
        apart = np.abs(own.drive - ratio * other.drive)
        unit = 1.0 + np.abs(ratio).max(initial=0.0)
    drive = STEPS_APART * np.sqrt(variance + bias) + slack
    kept = rule.decay[0] / 2.0 ** rule.decay[1]
    total, state = np.empty(own.drive.shape), np.zeros((1,))
    for t in range(own.drive.shape[1]):
        total[:, t] = kept**2 * state + (variance + bias)[:, t]
        forgets = (evidence.own.spikes[:, t] != 0) & (rule.reset == "hard")
        state = np.where(forgets, 0.0, total[:, t])
    return _Reach(drive, STEPS_APART * np.sqrt(total) + unit + slack, apart)


def _first_departures(a: Array, b: Array) -> Array:
    """Where each train differs for the first time, bool [batch, t, ...]."""
    differs = a != b
    first: Array = differs & (np.cumsum(differs, axis=1) == 1)
    return first


def _what_is_wrong(evidence: LayerEvidence, expected: Replay) -> tuple[str, dict[str, Any]]:
    """What a bug looks like: who leaves the program, or which constants are not the same."""
    parts: list[str] = []
    facts: dict[str, Any] = {}
    for side, each in ((evidence.own, expected), (evidence.other, evidence.other.expected())):
        if each is not None and not side.follows(each):
            wrong = int((each.spikes != side.spikes).sum())
            parts.append(f"{side.label} leaves its program at {wrong:,} spikes of this layer")
            facts[f"wrong_{side.label}"] = wrong
    if not evidence.same_program and evidence.constants is not None:
        parts += [
            f"{c.node} {c.what} differs in {c.elements:,} of {c.total:,} elements, by {c.largest} "
            "at most"
            for c in evidence.constants
        ]
    return "; ".join(parts) or "no time shift, no reset rule, no rounding explains it", facts


def _steps(d: int) -> str:
    return "1 step" if d == 1 else f"{d} steps"
