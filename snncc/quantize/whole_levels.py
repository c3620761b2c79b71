"""Real constants of neurons as whole numbers of a unit: which, and what keeps them few."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from snncc.ir import TIME
from snncc.passes.named import Named, join

RELATIVE_TIE = 2.0**-45
"""Nearer to an integer than this part of its size a level is that integer."""
RELATIVE_EQUAL = 1e-12
"""Two real numbers that differ by less, relatively, are the same but for rounding."""


def separate(bias: Named, polarity: Named, axis: str | None) -> tuple[Named, Named]:
    """(own, rest) with bias = polarity * own + rest, own over one axis and rest over the others.

    A map's bias lies over its channels, a norm's over tokens: together they need no table of
    channels times tokens. Where there is no such pair, own is zero.
    """
    none = Named.scalar(0.0), bias
    if axis is None or axis not in bias.axes or axis in polarity.axes or len(bias.axes) == 1:
        return none
    others = tuple(n for n in bias.axes if n != axis)
    total = bias.total([axis])
    centre = total * Named.scalar(total.array.size / bias.array.size)
    signs = Named(others, np.broadcast_to(polarity.over(others), centre.array.shape))
    share = Named.scalar(1.0 / max(1.0, float(np.abs(signs.array).sum())))
    own = ((bias + Named.scalar(-1.0) * centre) * signs).total(others) * share
    left = bias + Named.scalar(-1.0) * (signs * own + centre)
    if float(np.abs(left.array).max()) > RELATIVE_EQUAL * float(np.abs(bias.array).max()):
        return none
    return own, centre


def own_unit_where_silent(unit: Named, polarity: Named, threshold: Named) -> Named:
    """A neuron that reads nothing (polarity 0) is measured in a fine part of its least threshold.

    One unit for all steps: its membrane lasts from one to the next.
    """
    if polarity.array.all():
        return unit
    least = least_size(threshold)
    axes = join(unit.axes, polarity.axes, least.axes)
    own = np.maximum(least.over(axes), 1e-30) * 2.0**-20
    return Named(axes, np.where(polarity.over(axes) == 0.0, own, unit.over(axes)))


def whole_level(level: Named, rule: Callable[[NDArray[np.float64]], NDArray[np.float64]]) -> Named:
    """The rule's integers, where a level that only float64 keeps from being an integer is one.

    Units come out of divisions: a threshold of 127 units can be 127.00000000000001 of them, and
    its ceiling must not be 128.
    """
    integers = np.rint(level.array)
    tied = np.abs(level.array - integers) <= RELATIVE_TIE * np.abs(level.array)
    return Named(level.axes, np.where(tied, integers, rule(level.array)))


def least_size(value: Named) -> Named:
    """The least size of any step."""
    size = Named(value.axes, np.abs(value.array))
    if TIME not in size.axes:
        return size
    rest = tuple(n for n in size.axes if n != TIME)
    return Named(rest, size.array.min(axis=size.axes.index(TIME)))


def nearest(value: Named) -> Named:
    return Named(value.axes, np.round(value.array))
