"""The fold proof: integer comparisons decide as the BatchNorm and threshold that they stand for.

Given the rounded weights, a population's current is u * J with integer J and the real unit u. With
the BatchNorm X = a * u * J + d (a = 1, where there is none) the original neuron fires from rest iff
X >= K; the integer neuron fires iff polarity * J + bias >= threshold. Both are monotone in J, so
that they decide alike on the whole range of J iff their switching points, the first J at which
they fire, are equal. Real numbers are the float64 constants of the graph, taken as rationals.

Beyond the first step: every integer threshold must be ceil(K / (|a| * u)) (compare "gt": floor).
Then Z >= threshold iff |a| * u * Z >= K for every integer membrane Z at every step, and with decay
1/2^k and hard reset the floor of the leak is exact too (see `IntegerPopulation`): nothing but the
rounding of d / (|a| * u) to the nearest integer separates the integer neuron from the original.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from snncc.ir import Array, Graph, Node, Param
from snncc.ir.arrays import spread
from snncc.ir.integer_ops import Gain, IntegerPopulation
from snncc.ir.projections import Concat, Contract, Convolve, Sum
from snncc.ir.spiking_ops import Affine, Population
from snncc.ir.types import TIME
from snncc.mfi.switching import TIE, Line, first_firing, trains_differ

Real = NDArray[np.float64]
Ints = NDArray[np.int64]

SILENT_BITS = 20
"""A neuron that reads nothing is measured in this fine a part of its threshold."""
NEGLIGIBLE_BITS = 15
"""A current may be left out only if its whole reach is a smaller part of the threshold."""


@dataclass(frozen=True)
class Scales:
    """In what the integers of a program are counted; absent from the program itself.

    Attributes:
        unit: of each current, an array over the named axes.
        exponent: of each projection: its weights are counted in unit * 2^-exponent.
        gain_exponent: likewise of what gains give.
    """

    unit: Mapping[str, tuple[tuple[str, ...], Real]]
    exponent: Mapping[str, int]
    gain_exponent: int


@dataclass(frozen=True)
class FoldSite:
    """What was found for one population.

    Attributes:
        name: of the population.
        folded: whether a BatchNorm was folded into its thresholds.
        neurons: how many decisions were compared.
        identical: those with equal switching points.
        shifted: the others; `distance` is the largest, in steps of the current.
        ties: neurons for which K / (|a| * u) or the switching point is an integer, but for the
            last bits of float64; there the integer counts, as the real numbers meant it.
        negative, zero: neurons with a < 0 and a = 0.
        dropped: neurons whose current is left out, because its whole reach is negligible.
        exact: neurons whose bias is exact too: with `leak` identical at every step.
        wrong: neurons whose threshold, bias or polarity is not the right integer.
        leak: whether decay, reset and comparison are those of the original, exactly.
    """

    name: str
    folded: bool
    neurons: int
    identical: int
    shifted: int
    distance: int
    ties: int
    negative: int
    zero: int
    dropped: int
    exact: int
    wrong: int
    leak: bool


def fold_summary(sites: Sequence[FoldSite]) -> dict[str, dict[str, int]]:
    """Totals of the populations with a folded BatchNorm ("folds") and of the others ("plain").

    `distance` is the largest; `inexact_leaks` are populations whose decay is no power of two or
    whose rule is not the original's. The rest are sums of the fields of `FoldSite`.
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
        _Site(before, integer, node, scales, exponents).prove()
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
            case Concat() if node.inputs[0] in found:
                found[node.name] = found[node.inputs[0]]
            case _:
                pass
    return found


def _grid(integer: Graph, node: Node) -> int:
    """Every element of a current is a multiple of 2^this."""
    if not isinstance(node.op, Sum):
        return 0
    shifts = node.op.shifts or (0,) * len(node.inputs)
    parts = zip(node.inputs, shifts, strict=True)
    return min(_grid(integer, integer[name]) + shift for name, shift in parts)


class _Site:
    """One population: the constants of the original and of the integers, neuron by neuron."""

    def __init__(
        self,
        before: Graph,
        integer: Graph,
        node: Node,
        scales: Scales,
        exponents: Mapping[str, int],
    ) -> None:
        self.name, self.steps = node.name, integer.steps
        original, op = before[node.name].op, node.op
        if not isinstance(original, Population) or not isinstance(op, IntegerPopulation):
            raise TypeError(node.name)
        self.original, self.op = original, op
        axes = [axis for axis in node.type.axes if axis.name != TIME]
        self.names, self.shape = tuple(a.name for a in axes), tuple(a.size for a in axes)
        source = before[before[node.name].inputs[0]].op
        self.folded = isinstance(source, Affine) and source.offset is None
        scale = source.scale if isinstance(source, Affine) and self.folded else None
        self.a = self._real(before, scale, 1.0) * self._real(before, original.polarity, 1.0)
        self.level = self._real(before, original.threshold, 0.0)
        self.offset = self._real(before, original.bias, 0.0)
        self.threshold = self._whole(integer, op.threshold, 0)
        self.bias = self._whole(integer, op.bias, 0)
        self.polarity = self._whole(integer, op.polarity, 1)
        current = integer[node.inputs[0]]
        self.grid, self.range = 1 << _grid(integer, current), current.type.range or (0, 0)
        named = current
        while named.name not in scales.unit:
            named = integer[named.inputs[0]]
        over, array = scales.unit[named.name]
        unit = spread(np.asarray(array, np.float64), over, self.names)
        self.unit = self._each(unit * 2.0 ** -exponents[current.name])
        self.reads = self.polarity != 0
        own = np.abs(self.level) * 2.0**-SILENT_BITS
        self.step = np.where(self.reads, np.abs(self.a) * self.unit, own)

    def _each(self, array: Array) -> Array:
        return np.broadcast_to(array, self.shape).reshape(-1)

    def _real(self, graph: Graph, param: Param | None, default: float) -> Real:
        if param is None:
            return self._each(np.asarray(default, np.float64))
        array = np.asarray(graph.constants[param.name], np.float64)
        return self._each(spread(array, param.axes, self.names))

    def _whole(self, graph: Graph, param: Param | None, default: int) -> Ints:
        if param is None:
            return self._each(np.asarray(default, np.int64))
        array = graph.constants[param.name].astype(np.int64)
        return self._each(spread(array, param.axes, self.names))

    def prove(self) -> FoldSite:
        sign = np.sign(self.a).astype(np.int64)
        distance, tied = self._distance(sign)
        right, exact, at_level = self._integers(sign)
        return FoldSite(
            self.name,
            self.folded,
            neurons=distance.size,
            identical=int((distance == 0).sum()),
            shifted=int((distance > 0).sum()),
            distance=int(distance.max(initial=0)),
            ties=int((self.reads & (tied | at_level)).sum()),
            negative=int((sign < 0).sum()),
            zero=int((sign == 0).sum()),
            dropped=int(((sign != 0) & ~self.reads).sum()),
            exact=int(exact.sum()),
            wrong=int((~right).sum()),
            leak=self._leak(),
        )

    def _distance(self, sign: Ints) -> tuple[Ints, NDArray[np.bool_]]:
        """Between the switching points of one step from rest, in steps of the current.

        With x = sign * J on its range, both fire from some x on; `beyond` means never.
        """
        low, high = (bound // self.grid for bound in self.range)
        first = np.where(sign < 0, -high, low)
        beyond = np.where(sign < 0, -low, high) + 1
        line = Line(self.level, self.offset, np.abs(self.a), self.unit * self.grid)
        firing = first_firing(line, self.op.compare)
        real = np.clip(firing.first, first, beyond)
        gap = self.threshold - self.bias
        whole = -(-gap // self.grid) if self.op.compare == "ge" else gap // self.grid + 1
        alone = gap <= 0 if self.op.compare == "ge" else gap < 0
        whole = np.where(self.reads, whole, np.where(alone, first, beyond))
        distance = np.abs(real - np.clip(whole, first, beyond))
        for i in np.flatnonzero(sign == 0):
            distance[i] = self._train(int(i))
        return distance, firing.tied & (sign != 0)

    def _train(self, i: int) -> int:
        """Whether a neuron without input spikes at other steps than the original."""
        real = (float(self.level[i]), float(self.offset[i]), self.original.decay)
        whole = (int(self.threshold[i]), int(self.bias[i]), self.op.decay)
        return int(trains_differ(real, whole, self.steps, self.op.reset, self.op.compare))

    def _integers(self, sign: Ints) -> tuple[NDArray[np.bool_], ...]:
        """Which neurons have the right integers, an exact bias, a level on an integer."""
        ones = np.ones_like(self.step)
        line = Line(self.level, 0.0 * ones, ones, self.step)
        firing = first_firing(line, self.op.compare)
        fires_at = self.threshold + (0 if self.op.compare == "ge" else 1)
        right = (fires_at == firing.first) | (fires_at == firing.other)
        if self.op.reset == "soft":
            level = np.divide(self.level, self.step, out=0.0 * ones, where=self.step > 0.0)
            right = np.abs(self.threshold - level) <= 0.5 + TIE * np.abs(level)
        bias = np.divide(self.offset, self.step, out=0.0 * ones, where=self.step > 0.0)
        error, blur = np.abs(self.bias - bias), TIE * np.abs(bias)
        reach = np.abs(self.a) * self.unit * max(map(abs, self.range))
        left_out = ~self.reads & (reach * 2.0**NEGLIGIBLE_BITS <= np.abs(self.level))
        right &= (error <= 0.5 + blur) & ((self.polarity == sign) | left_out)
        return right, error <= blur, firing.tied

    def _leak(self) -> bool:
        factor, shift = self.op.decay
        same = (self.op.reset, self.op.compare) == (self.original.reset, self.original.compare)
        return same and factor * 2.0**-shift == self.original.decay
