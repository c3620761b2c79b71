"""When a convolution and another map without a neuron between them are one map."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import gcd
from typing import Protocol

import numpy as np

from snncc.ir.op import Array
from snncc.ir.types import ValueType

WINDOW_GROWTH = 16
"""A composition with a convolution may hold so many times the weights of its two parts..."""
FEW_WEIGHTS = 1 << 16
"""... and may hold this many in any case."""


class Geometry(Protocol):
    """What the convolutions of all dialects say of their windows."""

    @property
    def height(self) -> str: ...
    @property
    def width(self) -> str: ...
    @property
    def out_height(self) -> str: ...
    @property
    def out_width(self) -> str: ...
    @property
    def stride(self) -> tuple[int, int]: ...
    @property
    def padding(self) -> tuple[int, int]: ...
    @property
    def dilation(self) -> tuple[int, int]: ...
    @property
    def groups(self) -> int: ...


class NotOneMap(ValueError):
    """Two maps have no exact composition of acceptable size; the text says why."""


@dataclass(frozen=True)
class Window:
    """A convolution along one axis: output i reads input stride * i + dilation * tap - padding.

    Attributes:
        taps: which taps have a weight that is not zero.
        kernel: how many taps there are.
    """

    taps: tuple[int, ...]
    kernel: int
    stride: int
    padding: int
    dilation: int

    def places(self, output: int) -> Iterable[int]:
        """Where an output looks, also outside the input."""
        return (self.stride * output + self.dilation * t - self.padding for t in self.taps)

    def after(self, inner: "Window") -> "Window":
        """The window of this after another one, its taps as far apart as they can be."""
        reach = inner.stride * self.dilation
        apart = gcd(reach if self.kernel > 1 else 0, inner.dilation if inner.kernel > 1 else 0)
        apart = apart or 1
        span = reach * (self.kernel - 1) + inner.dilation * (inner.kernel - 1)
        taps = {(reach * a + inner.dilation * b) // apart for a in self.taps for b in inner.taps}
        return Window(
            tuple(sorted(taps)),
            span // apart + 1,
            self.stride * inner.stride,
            inner.stride * self.padding + inner.padding,
            apart,
        )

    def differs_at_border(self, inner: "Window", size: int, middle: int) -> bool:
        """Whether this after `inner` is not one window because of padding.

        Padding is zero; where `inner`, carried on beyond its own result, would still read its
        input, one window would see more than zero.

        Args:
            inner: the window that comes first.
            size: of its input.
            middle: of its output.
        """
        span = self.dilation * (self.kernel - 1)
        outputs = (middle + 2 * self.padding - span - 1) // self.stride + 1
        beyond = {m for i in range(outputs) for m in self.places(i) if not 0 <= m < middle}
        return any(0 <= x < size for m in beyond for x in inner.places(m))


def composed_windows(
    op: Geometry,
    inner: Geometry,
    weights: tuple[Array, Array],
    source: ValueType,
    middle: ValueType,
) -> tuple[Window, Window]:
    """Height's and width's window of a convolution after another one.

    Args:
        op: the outer convolution.
        inner: the one whose result it reads.
        weights: of both.
        source: what `inner` reads.
        middle: what lies between them.

    Raises:
        NotOneMap: it is not exact at the border, or has far more weights.
    """
    axes = ((inner.height, inner.out_height), (inner.width, inner.out_width))
    found: list[Window] = []
    for at, (before, between) in enumerate(axes):
        outer, first = _window(op, weights[0], at), _window(inner, weights[1], at)
        if outer.differs_at_border(first, source.size(before), middle.size(between)):
            raise NotOneMap(
                f"at the border of the {('height', 'width')[at]} of {source.size(before)} the "
                "padding of the second would see what the first leaves out"
            )
        found.append(outer.after(first))
    outs, ins = weights[0].shape[-4], weights[1].shape[-3]
    count = outs * ins * inner.groups // gcd(op.groups, inner.groups)
    require_few(count * found[0].kernel * found[1].kernel, *(w.size for w in weights))
    return found[0], found[1]


def require_few(weights: int, *parts: int) -> None:
    """Raises NotOneMap when a composition with a convolution grows beyond its bound."""
    if weights > max(FEW_WEIGHTS, WINDOW_GROWTH * sum(parts)):
        raise NotOneMap(f"as one map they would have {weights} weights")


def _window(op: Geometry, weight: Array, at: int) -> Window:
    magnitudes = np.abs(weight).reshape(-1, *weight.shape[-2:]).sum(axis=0).sum(axis=1 - at)
    taps: Sequence[int] = [int(i) for i in np.flatnonzero(magnitudes)]
    return Window(tuple(taps), len(magnitudes), op.stride[at], op.padding[at], op.dilation[at])
