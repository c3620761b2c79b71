"""One population of the fold proof: the original's constants beside the program's; see `proof`."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from snncc.ir import Array, Graph, Node, Op, Param
from snncc.ir.arrays import spread
from snncc.ir.dialects.integer import IntegerPopulation
from snncc.ir.dialects.neuron_rule import Rounding
from snncc.ir.dialects.spiking import Affine, Population
from snncc.ir.types import TIME
from snncc.mfi.folds.switching import RELATIVE_TIE, Line, first_firing, trains_differ

Real = NDArray[np.float64]
Ints = NDArray[np.int64]

SILENT_BITS = 20
"""A neuron that reads nothing is measured in this fine a part of its threshold."""
PARTS = 2.0**-39
"""By so much of the largest bias, relatively, two parts of a bias may miss it in float64."""
NEGLIGIBLE_BITS = 15
"""A current may be left out only if its whole reach is a smaller part of the threshold."""


@dataclass(frozen=True)
class FoldSite:
    """What was found for one population.

    Attributes:
        name: of the population.
        folded: whether a BatchNorm was folded into its thresholds.
        neurons: how many decisions were compared; a neuron whose constants differ from step to step
            has one for every step.
        identical: those with equal switching points.
        shifted: the others; `distance` is the largest, in steps of the current.
        ties: neurons for which K / (|a| * u) or the switching point is an integer, but for the
            last bits of float64; there the integer counts, as the real numbers meant it.
        negative, zero: neurons with a < 0 and a = 0.
        dropped: neurons whose current is left out, because its whole reach is negligible.
        exact: neurons whose bias is exact too: with `leak` and hard reset identical at every step.
        wrong: neurons whose threshold, bias, offset or polarity is not the right integer.
        leak: whether reset and comparison are those of the original and the decay loses nothing:
            it is 0, floor(V / m) for 1/m (1 and powers of two among them), or by step.
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


@dataclass(frozen=True)
class Storage:
    """How a target's registers store what belongs to neurons, where not as it is.

    Attributes:
        threshold_spacing: every threshold is a multiple of this; a power of two.
        bias_spacing: for whole biases, of what each is stored as the nearest multiple, halves up;
            a power of two, 1 where a bias is stored as it is.
    """

    threshold_spacing: int
    bias_spacing: Callable[[Ints], Ints]


@dataclass(frozen=True)
class Counted:
    """In what a current is counted.

    Attributes:
        axes: of `unit`.
        unit: real size of one step of the integers.
        grid: every integer that the current can be is a multiple of this.
        storage: of thresholds and biases; None: as they are.
    """

    axes: tuple[str, ...]
    unit: Real
    grid: int
    storage: Storage | None = None


class PopulationFold:
    """One population: the constants of the original and of the integers, neuron by neuron.

    All arrays are [t, *axes of one step]; t is 1 where no constant differs from step to step.
    """

    def __init__(
        self,
        before: Graph,
        integer: Graph,
        node: Node,
        counted: Counted,
    ) -> None:
        self.name, self.steps = node.name, integer.steps
        original, op = before[node.name].op, node.op
        if not isinstance(original, Population) or not isinstance(op, IntegerPopulation):
            raise TypeError(node.name)
        self.original, self.op = original, op
        source = before[before[node.name].inputs[0]].op
        scale = _folded_scale(source)
        self.folded = scale is not None
        self.by_step = op.decay == (1, 0) and original.decay not in (0.0, 1.0)
        axes = [axis for axis in node.type.axes if axis.name != TIME]
        self.names = (TIME, *(axis.name for axis in axes))
        params = (
            *(original.threshold, original.bias, original.polarity),
            *(op.threshold, op.bias, op.polarity, op.offset),
        )
        changes = self.by_step or any(p is not None and TIME in p.axes for p in params)
        self.shape = (self.steps if changes else 1, *(axis.size for axis in axes))
        self.a = self._real(before, scale, 1.0) * self._real(before, original.polarity, 1.0)
        self.alone = (
            self._real(before, original.threshold, 0.0),
            self._real(before, original.bias, 0.0),
        )
        growth = np.ones(1)
        if self.by_step:
            growth = original.decay ** -np.arange(self.steps, dtype=np.float64)
        grown = spread(growth, (TIME,), self.names)
        self.level, self.offset = (array * grown for array in self.alone)
        self.threshold = self._whole(integer, op.threshold, 0)
        self.polarity = self._whole(integer, op.polarity, 1)
        self.storage = counted.storage
        self.bias, self.own = self._whole(integer, op.bias, 0), self._whole(integer, op.offset, 0)
        self.grid = counted.grid
        self.range = integer[node.inputs[0]].type.range or (0, 0)
        self.unit = self._each(spread(counted.unit, counted.axes, self.names))
        self.reads = self.polarity != 0
        least = np.abs(self.level).min(axis=0, keepdims=True)
        self.step = np.where(
            self.reads, np.abs(self.a) * self.unit, self._each(least * 2.0**-SILENT_BITS)
        )

    def _each(self, array: Array) -> Array:
        return np.broadcast_to(array, self.shape)

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

    @property
    def grain(self) -> int:
        """What every membrane is a multiple of, at every step, where thresholds are coarse.

        Two thresholds are the same if no membrane lies between.
        A power of two: of the current and the biases, less the bits that T - 1 leaks shift out.
        """
        if self.storage is None or self.storage.threshold_spacing == 1:
            return 1
        every = int(np.bitwise_or.reduce(np.abs(self.added), axis=None)) | self.grid
        factor, shift = self.op.decay
        kept = (factor & -factor).bit_length() - 1 if factor else shift
        lost = (self.steps - 1) * max(0, shift - kept)
        return max(1, (every & -every) >> lost)

    @property
    def added(self) -> Ints:
        """What a neuron adds to polarity * J."""
        return self.bias + self.polarity * self.own

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
        firing = first_firing(line, self.original.compare)
        real = np.clip(firing.first, first, beyond)
        gap = self.threshold - self.added
        whole = -(-gap // self.grid) if self.op.compare == "ge" else gap // self.grid + 1
        alone = gap <= 0 if self.op.compare == "ge" else gap < 0
        whole = np.where(self.reads, whole, np.where(alone, first, beyond))
        distance = np.abs(real - np.clip(whole, first, beyond))
        for element in map(tuple, np.argwhere((sign == 0).all(axis=0))):
            distance[(slice(None), *element)] = self._train(element)
        return distance, firing.tied & (sign != 0)

    def _train(self, element: tuple[int, ...]) -> int:
        """Whether a neuron without input spikes at other steps than the original."""

        def train(array: Array) -> tuple[Any, ...]:
            full = np.broadcast_to(array, (self.steps, *array.shape[1:]))
            return tuple(full[(t, *element)].item() for t in range(self.steps))

        level, offset = map(train, self.alone)
        real = (level, offset, self.original.decay)
        whole = train(self.threshold), train(self.added)
        return int(trains_differ(real, whole, self.op.rule))

    def _integers(self, sign: Ints) -> tuple[NDArray[np.bool_], ...]:
        """Which neurons have the right integers, an exact bias, a level on an integer."""
        ones = np.ones_like(self.step)
        line = Line(self.level, 0.0 * ones, ones, self.step)
        firing = first_firing(line, self.original.compare)
        fires_at = self.threshold + (0 if self.op.compare == "ge" else 1)
        met = -(-fires_at // self.grain)
        right = (met == -(-firing.first // self.grain)) | (met == -(-firing.other // self.grain))
        if self.op.reset == "soft":
            level = np.divide(self.level, self.step, out=0.0 * ones, where=self.step > 0.0)
            right = np.abs(self.threshold - level) <= 0.5 + RELATIVE_TIE * np.abs(level)
        bias = np.divide(self.offset, self.step, out=0.0 * ones, where=self.step > 0.0)
        reach = np.abs(self.a) * self.unit * max(map(abs, self.range))
        left_out = ~self.reads & (reach * 2.0**NEGLIGIBLE_BITS <= np.abs(self.level))
        right &= self._nearest(bias) & ((self.polarity == sign) | left_out)
        return right, np.abs(self.added - bias) <= RELATIVE_TIE * np.abs(bias), firing.tied

    def _nearest(self, bias: Real) -> NDArray[np.bool_]:
        """Where the integers that are added are the nearest to bias.

        In two parts bias = centre + polarity * own: own lies over one axis and has mean 0 there,
        centre over the others.
        """
        if self.op.offset is None:
            if self.storage is not None:
                return nearest_on_grid(self.bias, bias, self.storage)
            nearest: NDArray[np.bool_] = np.abs(self.bias - bias) <= 0.5 + RELATIVE_TIE * np.abs(
                bias
            )
            return nearest
        (axis,) = (self.names.index(name) for name in self.op.offset.axes)
        others = tuple(i for i in range(bias.ndim) if i != axis)
        centre = bias.mean(axis=axis, keepdims=True)
        weight = np.maximum(1, np.abs(self.polarity).sum(axis=others, keepdims=True))
        own = ((bias - centre) * self.polarity).sum(axis=others, keepdims=True) / weight
        largest = np.abs(bias).max(initial=0.0)
        most = 0.5 + RELATIVE_TIE * largest
        found: NDArray[np.bool_] = (
            (np.abs(centre + self.polarity * own - bias) <= PARTS * largest)
            & (np.abs(self.bias - centre) <= most)
            & (np.abs(self.own - own) <= most)
        )
        return found

    def _leak(self) -> bool:
        """See `FoldSite`."""
        decay = self.original.decay
        if (self.op.reset, self.op.compare) != (self.original.reset, self.original.compare):
            return False
        if decay == 0.0:
            return self.op.decay[0] == 0 and self.op.decay_offset == 0
        return self.by_step or divides(round(1.0 / decay), decay, self.op)


def nearest_on_grid(stored: Ints, bias: Real, storage: Storage) -> NDArray[np.bool_]:
    """Where a bias is stored as it must be on a target's grid.

    That is: rounded to the nearest integer, then, halves up, to the nearest multiple of the spacing
    there. The integer decides the spacing, since the stored number may fit a smaller one: where 13
    bits and a power of two are stored, -4097 needs 2 and becomes -4096, which needs 1.
    """
    whole = np.rint(bias).astype(np.int64)
    grid = storage.bias_spacing(whole)
    twice = 2 * (stored - whole)
    found: NDArray[np.bool_] = (stored % grid == 0) & (-grid < twice) & (twice <= grid)
    return found


def divides(m: int, decay: float, op: IntegerPopulation) -> bool:
    """Whether a leak is floor(V / m), for a decay of 1/m and every V that the membrane can be.

    One toward zero is only where no V is negative (with "gt": positive), or for m = 1.

    With e = p m - 2^k and V = q m + r: m (p V + c) = 2^k m q + 2^k r + e V + c m, and the floor of
    (p V + c) / 2^k is q if 0 <= e V + c m < 2^k, since 0 <= r < m.
    """
    (factor, shift), carry = op.decay, op.decay_offset
    excess = factor * m - (1 << shift)
    side = 1 if op.compare == "ge" else -1
    found = [excess * side * end + carry * m for end in op.membrane]
    if op.rounding is Rounding.TO_ZERO and m > 1 and min(side * end for end in op.membrane) < 0:
        return False
    return abs(m * decay - 1.0) < PARTS and min(found) >= 0 and max(found) < 1 << shift


def _folded_scale(source: Op) -> Param | None:
    """The scale that stands before a population, if folding it took it away."""
    if not isinstance(source, Affine) or source.offset is not None or source.scale is None:
        return None
    return None if TIME in source.scale.axes else source.scale
