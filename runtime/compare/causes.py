"""Why two executions differ in a layer: every explanation is tried on all of its neurons."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from snncc.ir import Array
from snncc.ir.arrays import count
from snncc.ir.dialects.neuron_rule import NeuronRule
from snncc.runtime.compare.layer_evidence import LayerEvidence
from snncc.runtime.compare.layer_inputs import LayerInputs
from snncc.runtime.compare.neuron_rules import Replay, alternatives, difference, replay
from snncc.runtime.compare.program_differences import ConstantDifference
from snncc.runtime.compare.rounding_bounds import WEIGHTS_APART, reach_of

SCREENED = 256
"""So many differing trains are tried first; a rule that fails on them is not tried on the rest."""
SHIFT, RULE, ROUNDING, BUG, UNKNOWN = "time-shift", "reset-rule", "rounding", "bug", "unknown"
Facts = Mapping[str, Any]


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
    expected = evidence.own.expected
    if expected is None:
        text = "no program of one side is at hand that would tell a rule, rounding and a bug apart"
        if evidence.own.rule is not None:
            text = f"{evidence.own.label} lacks spikes or images that reach this layer"
        return (*tried, Cause(UNKNOWN, not tried[0].fits, text, {}))
    tried += [reset_rule(evidence, expected), rounding(evidence, expected)]
    fits = not any(cause.fits for cause in tried)
    text, facts = _what_is_wrong(evidence)
    return (*tried, Cause(BUG, fits, text if fits else "another explanation fits", facts))


def time_shift(evidence: LayerEvidence) -> Cause:
    """Whether all trains are equal where a shift by some steps makes them overlap."""
    own, other = evidence.own, evidence.other
    steps = own.spikes.shape[1]
    if own.follows() and other.follows():
        return Cause(SHIFT, False, "each side is what its own program gives at every step", {})
    d = shift_of(own.spikes, other.spikes)
    if d is None:
        text = f"no shift of 1 to {steps - 1} steps makes the trains equal"
        return Cause(SHIFT, False, text, {})
    early, late = (own, other) if d > 0 else (other, own)
    kept = int(early.spikes[:, : steps - abs(d)].sum())
    text = (
        f"every train of {late.label} is that of {early.label}, {_steps(d)} later ({kept:,} spikes)"
    )
    return Cause(SHIFT, True, text, {"steps": abs(d), "late": late.label})


def shift_of(a: Array, b: Array) -> int | None:
    """By how many steps all trains of b are late, or early (negative); None for no such number.

    Args:
        a: spikes [batch, t, ...].
        b: spikes likewise; silent before what they show of a begins.
    """
    steps = a.shape[1]
    for d in range(1, steps):
        for early, late, sign in ((a, b, 1), (b, a, -1)):
            head = early[:, : steps - d]
            if head.any() and not late[:, :d].any() and np.array_equal(head, late[:, d:]):
                return sign * d
    return None


def reset_rule(evidence: LayerEvidence, expected: Replay) -> Cause:
    """Whether the same neurons, stepping by another rule, give the other side's trains."""
    own, target = evidence.own, evidence.other
    inputs, rule = own.inputs, own.rule
    if inputs is None or rule is None:
        raise TypeError("a rule is judged by a program")
    if evidence.same_program and not own.follows() and target.follows():
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
            change = difference(candidate, rule)
            trains = count(target.spikes.shape) // target.spikes.shape[1]
            text = f"{change}: gives {target.label} in each of {trains:,} trains of the layer"
            return Cause(RULE, True, text, {"change": change, "side": target.label})
    if known and not tried:
        return Cause(RULE, False, "both programs step their neurons alike", {})
    if known and other_rule is not None:
        change = difference(other_rule, rule)
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


def rounding(evidence: LayerEvidence, expected: Replay) -> Cause:
    """Whether the layer departs near thresholds only, with currents that are rounded alike."""
    own, other = evidence.own, evidence.other
    if evidence.same_program:
        text = "both run the same integers: nothing is rounded between them"
        return Cause(ROUNDING, False, text, {})
    for side in (own, other):
        if side.follows() is False:
            return Cause(ROUNDING, False, f"{side.label} does not follow its own program", {})
    far = _far_weight(evidence)
    if far is not None:
        text = f"{far.node} {far.what} differs by {far.largest} steps of one grid, rounding by few"
        return Cause(ROUNDING, False, text, {"largest": far.largest})
    if own.inputs is None:
        raise TypeError("rounding is judged by a program")
    reach = reach_of(evidence)
    distance = np.abs(expected.levels - own.inputs.thresholds)
    departs = _first_departures(own.spikes, other.spikes)
    near = distance[departs] <= reach.membrane[departs]
    worst = float((distance[departs] / reach.membrane[departs]).max(initial=0.0))
    facts: dict[str, Any] = {"departures": int(departs.sum()), "near": int(near.sum())}
    here = float(distance[evidence.place]), float(reach.membrane[evidence.place])
    facts |= {"worst_membrane": worst, "distance": here[0], "reach": here[1]}
    text = (
        f"here the membrane is {here[0]:,.0f} units of {own.label} from its threshold, rounding "
        f"can move it by {here[1]:,.0f}; so near are {int(near.sum()):,} of {int(departs.sum()):,} "
        f"trains where they depart (the furthest at {worst:.2f} of what rounding can do)"
    )
    fits = bool(near.all())
    if reach.apart is not None:
        worst = float((reach.apart / reach.drive).max(initial=0.0))
        facts["worst_current"] = worst
        fits = fits and worst <= 1.0
        text += f"; currents differ by at most {worst:.2f} of what rounding can do"
    else:
        text += f"; {other.label}'s currents are not known"
    return Cause(ROUNDING, fits, text, facts)


def _first_departures(a: Array, b: Array) -> Array:
    """Where each train differs for the first time, bool [batch, t, ...]."""
    differs = a != b
    first: Array = differs & (np.cumsum(differs, axis=1) == 1)
    return first


def _what_is_wrong(evidence: LayerEvidence) -> tuple[str, dict[str, Any]]:
    """What a bug looks like: who leaves the program, or which constants are not the same."""
    parts: list[str] = []
    facts: dict[str, Any] = {}
    for side in (evidence.own, evidence.other):
        if side.expected is not None and not side.follows():
            wrong = int((side.expected.spikes != side.spikes).sum())
            what = f"{wrong:,} spikes" if wrong > 1 else "1 spike" if wrong else "membranes"
            parts.append(f"{side.label} leaves its program in this layer, at {what}")
            facts[f"wrong_{side.label}"] = wrong
    if not evidence.same_program and evidence.constants is not None:
        parts += [
            f"{c.node} {c.what} differs in {c.elements:,} of {c.total:,} elements, by {c.largest} "
            "at most"
            for c in evidence.constants
        ]
    return "; ".join(parts) or "no time shift, no reset rule, no rounding explains it", facts


def _steps(d: int) -> str:
    return "1 step" if abs(d) == 1 else f"{abs(d)} steps"
