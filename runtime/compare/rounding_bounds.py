"""How far rounding can move currents and membranes: what is beyond it is a bug."""

from dataclasses import dataclass

import numpy as np

from snncc.ir import Array
from snncc.runtime.compare.layer_evidence import LayerEvidence

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


@dataclass(frozen=True)
class Reach:
    """How far rounding may move things, [batch, t, ...], in units of the own program.

    Attributes:
        drive: may differ by so much.
        membrane: may be so far from its threshold where a train departs.
        apart: how far the drives differ, None where the other's is not known.
    """

    drive: Array
    membrane: Array
    apart: Array | None


def reach_of(evidence: LayerEvidence) -> Reach:
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
    bias = np.full(own.drive.shape, (CONSTANTS_APART / STEPS_APART) ** 2)
    unit: Array = np.ones((1, 1))
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
        unit = 1.0 + np.abs(ratio)
    drive = STEPS_APART * np.sqrt(variance + bias) + slack
    kept = rule.decay[0] / 2.0 ** rule.decay[1]
    total, state = np.empty(own.drive.shape), np.zeros((1,))
    for t in range(own.drive.shape[1]):
        total[:, t] = kept**2 * state + (variance + bias)[:, t]
        forgets = (evidence.own.spikes[:, t] != 0) & rule.hard
        state = np.where(forgets, 0.0, total[:, t])
    return Reach(drive, STEPS_APART * np.sqrt(total) + unit + slack, apart)
