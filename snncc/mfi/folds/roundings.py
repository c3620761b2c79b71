"""How far a program's integer weights are from the real ones that they stand for."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from snncc.ir import Graph
from snncc.ir.dialects.projections import Contract, Convolve
from snncc.mfi.folds.proof import Scales

BLUR = 2.0**-40
"""Float64's error in weight / grid."""


@dataclass(frozen=True)
class RoundedWeights:
    """What was found for one projection.

    Attributes:
        name: of the projection.
        weights: how many.
        nearest: those that are a nearest integer to weight / grid, among those that the bits
            hold; all of them, unless rounding looked at calibration images.
        clipped: those for which the bits do not hold the nearest integer.
        farthest: the largest distance, in steps of the grid.
    """

    name: str
    weights: int
    nearest: int
    clipped: int
    farthest: float


def prove_roundings(
    spiking: Graph, integer: Graph, scales: Scales, weight_bits: int | Mapping[str, int]
) -> tuple[RoundedWeights, ...]:
    """Compares every weight of a program with the folded real one.

    Args:
        spiking: the graph that was lowered.
        integer: the program.
        scales: units and exponents that the lowering used.
        weight_bits: of the signed weights, for all or by projection.
    """
    found: list[RoundedWeights] = []
    for node in integer.select(Contract, Convolve):
        op, real = node.op, spiking[node.name].op
        if not isinstance(op, Contract | Convolve) or not isinstance(real, Contract | Convolve):
            raise TypeError(node.name)
        bits = weight_bits if isinstance(weight_bits, int) else weight_bits[node.name]
        largest = 2.0 ** (bits - 1) - 1
        weight = np.asarray(spiking.constants[real.weight.name], np.float64)
        (axes, unit), exponent = scales.unit[node.name], scales.exponent[node.name]
        shape = [1] * weight.ndim
        if axes:
            shape[_place(op, axes[0])] = unit.size
        steps = weight / (np.asarray(unit).reshape(shape) * 2.0**-exponent)
        distance = np.abs(steps - integer.constants[op.weight.name])
        held = np.abs(np.clip(steps, -largest, largest) - integer.constants[op.weight.name])
        nearest = held <= 0.5 + BLUR * np.abs(steps)
        found.append(
            RoundedWeights(
                node.name,
                weight.size,
                int(nearest.sum()),
                int((np.abs(steps) > largest + 0.5).sum()),
                float(distance.max(initial=0.0)),
            )
        )
    return tuple(found)


def _place(op: Contract | Convolve, axis: str) -> int:
    """Which axis of a weight the units of a map differ along, and its outputs with them."""
    if isinstance(op, Convolve):
        return int(op.banks)
    return len(op.shared) if op.out else op.shared.index(axis)


def rounding_summary(found: Sequence[RoundedWeights]) -> dict[str, float]:
    """Totals over all projections; `farthest` is the largest."""
    return {
        "weights": sum(each.weights for each in found),
        "nearest": sum(each.nearest for each in found),
        "clipped": sum(each.clipped for each in found),
        "farthest": max((each.farthest for each in found), default=0.0),
    }
