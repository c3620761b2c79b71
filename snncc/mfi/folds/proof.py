"""The fold proof: integer comparisons decide as the BatchNorm and threshold that they stand for.

Given the rounded weights, a population's current is u * J with integer J and the real unit u. With
the BatchNorm X = a * u * J + d (a = 1, where there is none) the original neuron fires from rest iff
X >= K; the integer neuron fires iff polarity * (J + offset) + bias >= threshold. Both are monotone
in J, so that they decide alike on the whole range of J iff their switching points, the first J at
which they fire, are equal. Real numbers are the float64 constants of the graph, taken as rationals.
Constants that differ from step to step have a switching point for each step.

A program that measures membranes by step (decay (1, 0) for a decay p) has the current p^-t X: K and
d are then p^-t K and p^-t d.

Beyond the first step: every integer threshold must be ceil(K / (|a| * u)) (compare "gt": floor).
Then Z >= threshold iff |a| * u * Z >= K for every integer membrane Z at every step, and with decay
1/m and hard reset the floor of the leak is exact too (see `IntegerPopulation`): nothing but the
rounding of d / (|a| * u) to the nearest integer separates the integer neuron from the original
(to the nearest two, where it is stored in two parts, bias and offset).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from snncc.ir import Graph, Node
from snncc.ir.dialects.delays import Delay
from snncc.ir.dialects.gates import Gate
from snncc.ir.dialects.integer import Gain, IntegerPopulation
from snncc.ir.dialects.moves import Take
from snncc.ir.dialects.products import Product
from snncc.ir.dialects.projections import Concat, Contract, Convolve, Sum
from snncc.ir.dialects.sums import SumAlong
from snncc.ir.dialects.windows import Largest
from snncc.mfi.folds.sites import Counted, FoldSite, PopulationFold, Storage

Real = NDArray[np.float64]


@dataclass(frozen=True)
class Scales:
    """In what the integers of a program are counted; absent from the program itself.

    Attributes:
        unit: of each current, an array over the named axes.
        exponent: of each projection: its weights are counted in unit * 2^-exponent.
        gain_exponent: likewise of what gains give.
        storage: of the neurons' constants; None: as they are.
    """

    unit: Mapping[str, tuple[tuple[str, ...], Real]]
    exponent: Mapping[str, int]
    gain_exponent: int
    storage: Storage | None = None


def fold_summary(sites: Sequence[FoldSite]) -> dict[str, dict[str, int]]:
    """Totals of the populations with a folded BatchNorm ("folds") and of the others ("plain").

    `distance` is the largest; `inexact_leaks` are populations whose leak loses something (see
    `FoldSite.leak`). The rest are sums of the fields of `FoldSite`.
    """
    found: dict[str, dict[str, int]] = {}
    for what, folded in (("folds", True), ("plain", False)):
        some = [site for site in sites if site.folded is folded]
        found[what] = {
            "populations": len(some),
            "neurons": sum(site.neurons for site in some),
            "identical": sum(site.identical for site in some),
            "shifted": sum(site.shifted for site in some),
            "distance": max((site.distance for site in some), default=0),
            "exact": sum(site.exact for site in some),
            "ties": sum(site.ties for site in some),
            "negative": sum(site.negative for site in some),
            "zero": sum(site.zero for site in some),
            "dropped": sum(site.dropped for site in some),
            "wrong": sum(site.wrong for site in some),
            "inexact_leaks": sum(not site.leak for site in some),
        }
    return found


def prove_folds(before: Graph, integer: Graph, scales: Scales) -> tuple[FoldSite, ...]:
    """Compares every population of a program with what it was before thresholds were folded.

    Args:
        before: spiking dialect; offsets are in the populations, scales still stand before them.
        integer: the program that became of it.
        scales: units and exponents that the lowering used.
    """
    exponents = _exponents(integer, scales)
    return tuple(
        PopulationFold(
            before, integer, node, _counted(integer, node.inputs[0], scales, exponents)
        ).prove()
        for node in integer.select(IntegerPopulation)
    )


def _exponents(integer: Graph, scales: Scales) -> dict[str, int]:
    """Fractional bits of every current below its unit, followed through the program."""
    found: dict[str, int] = {}
    for node in integer.nodes:
        match node.op:
            case Contract() | Convolve():
                found[node.name] = scales.exponent[node.name]
            case Gain():
                found[node.name] = scales.gain_exponent
            case Sum(shifts=shifts):
                found[node.name] = found[node.inputs[0]] + (shifts[0] if shifts else 0)
            case Concat() | Delay() | Largest() | SumAlong() | Take() if node.inputs[0] in found:
                found[node.name] = found[node.inputs[0]]
            case Gate() | Product() if node.inputs[1] in found:
                found[node.name] = found[node.inputs[1]]
            case _:
                pass
    return found


def _grid(integer: Graph, node: Node) -> int:
    """Every element of a current is a multiple of 2^this."""
    if not isinstance(node.op, Sum):
        return 0
    parts = node.op.terms(node.inputs)
    return min(_grid(integer, integer[name]) + shift for name, shift in parts)


def _counted(integer: Graph, current: str, scales: Scales, exponents: Mapping[str, int]) -> Counted:
    """In what a current is counted; sums and what raises them keep the unit of their sources."""
    named = current
    while named not in scales.unit:
        node = integer[named]
        named = node.inputs[-1 if isinstance(node.op, Gate | Product) else 0]
    axes, unit = scales.unit[named]
    fine = np.asarray(unit, np.float64) * 2.0 ** -exponents[current]
    return Counted(axes, fine, 1 << _grid(integer, integer[current]), scales.storage)
