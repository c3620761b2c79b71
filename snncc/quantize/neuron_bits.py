"""How many fraction bits a neuron of several states needs, and how far it is off with fewer.

Whole currents and dyadic coefficients give dyadic states: in T steps they get so many bits behind
the point, no more. With as many nothing is ever lost. With fewer, every rounding and every
coefficient that is off adds to an error that decays as the states do.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from snncc.passes.named import Named
from snncc.quantize.neuron_scales import RealNeuron

MOST_DYADIC = 12
"""Bits of a coefficient behind the point, at most, to be called dyadic."""
NOTHING = -(1 << 20)
"""Bits of a state that is 0: no factor brings any."""
NEAR = 1e-12
"""Nearer, relatively, a coefficient that divisions have made is that dyadic number."""


def bits_of(value: Named, most: int = MOST_DYADIC) -> int | None:
    """Bits behind the point of every number; None where there are more than `most`."""
    for bits in range(most + 1):
        moved = value.array * 2.0**bits
        whole = np.rint(moved)
        if (np.abs(moved - whole) <= NEAR * np.abs(moved)).all():
            return bits
    return None


def row_bits(values: Sequence[Named]) -> int | None:
    """The most of several; None where one has too many."""
    found = [bits_of(value) for value in values]
    return None if None in found else max((each for each in found if each is not None), default=0)


def constant_bits(neuron: RealNeuron, most: int) -> int:
    """Bits behind the point of the constants that are added, at most `most`.

    A threshold has none: what is compared with it is on the grid of the states, and rounded up it
    decides alike.
    """
    rows = neuron.bias, neuron.late, neuron.amount, neuron.start, neuron.floor, neuron.low
    stairs = [x for x in (neuron.step, neuron.threshold if neuron.even else None) if x is not None]
    found = [bits_of(value, most) for row in (*rows, neuron.high, stairs) for value in row]
    return max(most if each is None else each for each in found)


def exact_bits(neuron: RealNeuron, constants: int, steps: int) -> int | None:
    """Fraction bits with which no state loses a bit in T steps; None where there are none."""
    n = range(len(neuron.leak))
    leak, keep, gain = (
        [bits_of(value) for value in row] for row in (neuron.leak, neuron.keep, neuron.gain)
    )
    reads = [[bits_of(each) for each in line] for line in neuron.reads]
    takes = [[bits_of(each) for each in line] for line in neuron.takes]
    if any(None in row for row in (leak, keep, gain, *reads, *takes)):
        return None
    v = [NOTHING if start.is_zero() else constants for start in neuron.start]
    most = constants
    for _ in range(steps):
        u: list[int] = []
        for i in n:
            terms = [constants, gain[i] or 0]
            if not neuron.leak[i].is_zero():
                terms.append(v[i] + (leak[i] or 0))
            for j in n:
                if not neuron.reads[i][j].is_zero():
                    terms.append((u[j] if j < i else v[j]) + (reads[i][j] or 0))
            u.append(max(terms))
        v = [
            max(
                u[i],
                u[i] + (keep[i] or 0),
                *(u[j] + (takes[i][j] or 0) for j in n if not neuron.takes[i][j].is_zero()),
            )
            for i in n
        ]
        most = max(most, *u)  # what a reset leaves counts at the next step, if there is one
    return most


def divisor(neuron: RealNeuron, swallows: bool) -> int | None:
    """M where one state with leak 1/m needs no fraction bits: its floor decides as it does.

    1 stands for leaks of 0, 1 or any 2^-k, which are shifts, also if neurons differ; None where
    the rule does not hold.
    """
    if len(neuron.leak) != 1 or neuron.threshold is None:
        return None
    keep, takes = neuron.keep[0].array, neuron.takes[0][0]
    plain = bool(np.isin(keep, (0.0, 1.0)).all()) and takes.is_zero()
    if not plain or bits_of(neuron.gain[0], 0) is None or bits_of(neuron.form[0], 0) is None:
        return None
    if (neuron.form[0].array < 0.0).any():
        return None
    two_sided = neuron.below is not None or neuron.even or neuron.membranes is not None
    if two_sided and not np.isin(neuron.leak[0].array, (0.0, 1.0)).all():
        return None  # a floor decides on one side only
    mantissas, _ = np.frexp(neuron.leak[0].array)
    if bits_of(neuron.leak[0]) is not None and np.isin(mantissas, (0.0, 0.5)).all():
        return 1 if (neuron.leak[0].array <= 1.0).all() else None
    leak = neuron.leak[0].compact()
    if leak.axes or not 0.0 < float(leak.array) < 1.0:
        return None
    whole = round(1.0 / float(leak.array))
    return whole if abs(whole * float(leak.array) - 1.0) <= NEAR else None


@dataclass(frozen=True)
class Rounded:
    """A coefficient and what became of it: m * 2^-k."""

    real: Named
    whole: Named
    shift: int

    @property
    def size(self) -> float:
        return float(np.abs(self.real.array).max(initial=0.0))

    @property
    def error(self) -> float:
        """How far it is off, at most."""
        off = self.whole * Named.scalar(2.0**-self.shift) + Named.scalar(-1.0) * self.real
        return float(np.abs(off.array).max(initial=0.0))


@dataclass(frozen=True)
class Rows:
    """What the states of a neuron do at a step, rounded.

    Attributes:
        reads: of every state, its leak among them.
        gains: of the current.
        kept: of the states, where a neuron fires.
        form: what is compared.
        constants: error of what is added, in steps of the states' grid: 0 or 1/2.
    """

    reads: tuple[tuple[Rounded, ...], ...]
    gains: tuple[Rounded, ...]
    kept: tuple[tuple[Rounded, ...], ...]
    form: tuple[Rounded, ...]
    constants: float


def error_bound(rows: Rows, states: Sequence[float], current: float, steps: int) -> float:
    """How far what is compared can be off, until a spike differs; in steps of the states' grid.

    Args:
        rows: of the neuron.
        states: the largest size of every state, in these steps.
        current: likewise of the current.
        steps: T.
    """
    n = range(len(rows.reads))
    v, most = [rows.constants] * len(rows.reads), 0.0
    for _ in range(steps):
        u: list[float] = []
        for i in n:
            shifts = any(each.shift for each in rows.reads[i])
            total = float(shifts) + 2.0 * rows.constants + rows.gains[i].error * current
            for j, each in enumerate(rows.reads[i]):
                total += each.size * (u[j] if j < i else v[j]) + each.error * states[j]
            u.append(total)
        v = [max(u[i], _after(rows, i, u, states)) for i in n]
        off = [each.size * u[j] + each.error * states[j] for j, each in enumerate(rows.form)]
        most = max(most, sum(off))
    return most


def _after(rows: Rows, i: int, u: Sequence[float], states: Sequence[float]) -> float:
    parts = [each.size * u[j] + each.error * states[j] for j, each in enumerate(rows.kept[i])]
    return sum(parts) + float(any(each.shift for each in rows.kept[i])) + rows.constants
