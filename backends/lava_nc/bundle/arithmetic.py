"""The integer arithmetic of one step, in NumPy and nothing else: what the Lava processes compute.

An array has named axes: a mapping from name to length, in the array's order. Nothing here knows of
Lava: a value is what it is at one step.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Integers = NDArray[np.integer]
Axes = Mapping[str, int]
PIXEL_BITS = 8


@dataclass(frozen=True)
class Constant:
    """A constant array over named axes; one of them can be "t", the step."""

    values: Integers
    axes: tuple[str, ...] = ()

    def spread(self, names: Sequence[str]) -> Ints:
        """[t or 1, *names], with length 1 where the constant lacks an axis."""
        return align(self.values.astype(np.int64), self.axes, ("t", *names))


def align(x: Ints, axes: Sequence[str], names: Sequence[str]) -> Ints:
    """The array with its axes in the order of `names`, length 1 where it lacks one."""
    order = [tuple(axes).index(n) for n in names if n in axes]
    sizes = iter([x.shape[i] for i in order])
    return x.transpose(order).reshape([next(sizes) if n in axes else 1 for n in names])


def at_step(constant: Ints, step: int) -> Ints:
    """What a constant [t or 1, ...] is at one step."""
    chosen: Ints = constant[step if len(constant) > 1 else 0]
    return chosen


@dataclass(frozen=True)
class Term:
    """What one InPort adds to a current: current[place] += x << shift.

    Attributes:
        axes: those of x, by the names that the current has for them; a missing one is broadcast.
        shift: weight exponent.
        at: first index of x along an axis, 0 if none is given. So a concatenation is a sum.
    """

    axes: Axes
    shift: int = 0
    at: Mapping[str, int] = field(default_factory=dict)

    def add_to(self, total: Ints, axes: Axes, x: Ints) -> None:
        """Adds x to a current over `axes`, in place."""
        place = tuple(
            slice(self.at.get(n, 0), self.at.get(n, 0) + self.axes[n])
            if n in self.axes
            else slice(None)
            for n in axes
        )
        total[place] += align(x, tuple(self.axes), tuple(axes)) << self.shift


@dataclass(frozen=True)
class Contraction:
    """y[carried, shared, out] = sum over into and summed of weight[shared, out, into] * x.

    x is 0 or 1: a product is the choice whether a weight is added.

    Attributes:
        source, result: axes of x and of y.
        into: source axes that the weight contracts.
        out: axes that come instead; a name of `into` may come again.
        shared: source axes along which the weight differs; "t" if it differs by step.
        summed: source axes that are added up.
    """

    source: Axes
    result: Axes
    into: tuple[str, ...]
    out: tuple[str, ...]
    shared: tuple[str, ...] = ()
    summed: tuple[str, ...] = ()

    def by_step(self, weight: Ints) -> bool:
        """Whether the weights differ by step."""
        return "t" in self.shared

    def __call__(self, weight: Ints, x: Ints, step: int) -> Ints:
        """The current of one step; the weight lies over shared + out + into."""
        if "t" in self.shared:
            weight = weight.take(step, axis=self.shared.index("t"))
        old = {name: chr(ord("a") + i) for i, name in enumerate(self.source)}
        new = {name: chr(ord("A") + i) for i, name in enumerate(self.out)}
        left = "".join(old.values())
        kept = "".join(old[n] for n in self.shared if n != "t")
        right = kept + "".join(new.values()) + "".join(old[n] for n in self.into)
        answer = "".join(new[n] if n in new else old[n] for n in self.result)
        y: Ints = np.einsum(f"{left},{right}->{answer}", x, weight)
        return y


@dataclass(frozen=True)
class Convolution:
    """A cross-correlation with zeros outside the image; x is 0 or 1, as in `Contraction`.

    Attributes:
        source, result: axes of x and of y.
        image: names of the source's height, width and channel; its other axes are carried.
        made: names of the result's height, width and channel.
        stride, padding, dilation: along height and width.
        groups: of channels that see only each other.
    """

    source: Axes
    result: Axes
    image: tuple[str, str, str]
    made: tuple[str, str, str]
    stride: tuple[int, int] = (1, 1)
    padding: tuple[int, int] = (0, 0)
    dilation: tuple[int, int] = (1, 1)
    groups: int = 1

    def by_step(self, weight: Ints) -> bool:
        """Whether the weights differ by step."""
        return weight.ndim == 5

    def __call__(self, weight: Ints, x: Ints, step: int) -> Ints:
        """The current of one step.

        The weight is [outputs, channels of one group, height, width], led by the step if it
        differs by step.
        """
        weight = weight[step] if self.by_step(weight) else weight
        carried = [n for n in self.source if n not in self.image]
        x = align(x, tuple(self.source), (*carried, *self.image))
        (ph, pw), per_group = self.padding, weight.shape[1]
        x = np.pad(x, [(0, 0)] * len(carried) + [(ph, ph), (pw, pw), (0, 0)])
        each = len(weight) // self.groups
        parts = [
            self._group(
                x[..., g * per_group : (g + 1) * per_group], weight[g * each : (g + 1) * each]
            )
            for g in range(self.groups)
        ]
        y = np.concatenate(parts, axis=-1)
        return align(y, (*carried, *self.made), tuple(self.result))

    def _group(self, x: Ints, weight: Ints) -> Ints:
        """[..., height, width, channels] to [..., height, width, outputs], without padding."""
        outputs, _, kh, kw = weight.shape
        height, width = self.result[self.made[0]], self.result[self.made[1]]
        (sh, sw), (dh, dw) = self.stride, self.dilation
        y = np.zeros((*x.shape[:-3], height, width, outputs), np.int64)
        for i in range(kh):
            for j in range(kw):
                rows = slice(i * dh, i * dh + sh * (height - 1) + 1, sh)
                columns = slice(j * dw, j * dw + sw * (width - 1) + 1, sw)
                y += x[..., rows, columns, :] @ weight[:, :, i, j].T
        return y


Linear = Contraction | Convolution


def project_planes(linear: Linear, weight: Ints, planes: Ints, step: int) -> Ints:
    """The current of an image: plane b counts 2^b times, as with a weight exponent of b."""
    total = np.zeros(tuple(linear.result.values()), np.int64)
    for b, plane in enumerate(planes):
        total += linear(weight, plane, step) << b
    return total


def pixel_planes(image: NDArray[np.uint8]) -> Ints:
    """The eight binary planes of an image, the lowest bit first: [8, *image]."""
    return np.stack([(image.astype(np.int64) >> b) & 1 for b in range(PIXEL_BITS)])


def signed_digits(values: Integers) -> list[Ints]:
    """Digits -1, 0, 1 by power of two; no two neighbours are nonzero: the fewest additions."""
    rest = values.astype(np.int64)
    digits: list[Ints] = []
    while rest.any():
        digit = np.where(rest & 1 == 1, np.where(rest & 3 == 3, -1, 1), 0)
        digits.append(digit)
        rest = (rest - digit) >> 1
    return digits


def times(x: Ints, digits: Sequence[Ints]) -> Ints:
    """The product with a constant as shifted additions."""
    total = np.zeros_like(x)
    for shift, digit in enumerate(digits):
        moved = x << shift
        total = total + np.where(digit == 0, 0, np.where(digit > 0, moved, -moved))
    return total


def gain(x: Ints, digits: Sequence[Ints], shift: int) -> Ints:
    """(mantissa * x + 2^(shift - 1)) >> shift, floor; with shift 0 the product alone."""
    scaled: Ints = (times(x, digits) + ((1 << shift) >> 1)) >> shift
    return scaled


@dataclass(frozen=True)
class Leak:
    """What remains of a membrane after one step: p * V * 2^-k, rounded.

    Attributes:
        factor, shift, offset: p, k and c.
        rounding: "down": (p * V + c) >> k; "up": -((p * -V + c) >> k); "zero": toward zero,
            sign(V) * ((p * |V| + c) >> k).
    """

    factor: int
    shift: int
    offset: int = 0
    rounding: str = "down"

    def __call__(self, v: Ints) -> Ints:
        if self.rounding == "down":
            return self._shifted(v)
        if self.rounding == "up":
            return -self._shifted(-v)
        size = self._shifted(np.abs(v))
        return np.where(v < 0, -size, size)

    def _shifted(self, v: Ints) -> Ints:
        shifted: Ints = (times(v, signed_digits(np.array(self.factor))) + self.offset) >> self.shift
        return shifted
