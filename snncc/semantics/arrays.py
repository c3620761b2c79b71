"""Convolutions of real images, the largest of windows, elements that change places."""

import numpy as np
from numpy.typing import NDArray

from snncc.ir.dialects.moves import Take
from snncc.ir.dialects.windows import Largest

Real = NDArray[np.float64]


def windows(
    image: Real,
    kernel: tuple[int, int],
    stride: tuple[int, int],
    padding: tuple[int, int],
    dilation: tuple[int, int],
) -> Real:
    """Patches under a kernel: [n, h, w, c] to [n, h', w', kernel h, kernel w, c], zero padded."""
    (ph, pw), (kh, kw), (dh, dw) = padding, kernel, dilation
    padded = np.pad(image, ((0, 0), (ph, ph), (pw, pw), (0, 0)))
    extent = (dh * (kh - 1) + 1, dw * (kw - 1) + 1)
    view = np.lib.stride_tricks.sliding_window_view(padded, extent, axis=(1, 2))
    view = view[:, :: stride[0], :: stride[1], :, ::dh, ::dw]
    return view.transpose(0, 1, 2, 4, 5, 3)


def convolve(
    image: Real,
    weight: Real,
    stride: tuple[int, int] = (1, 1),
    padding: tuple[int, int] = (0, 0),
    dilation: tuple[int, int] = (1, 1),
    groups: int = 1,
) -> Real:
    """Convolution of [n, h, w, c] with [o, c/groups, kh, kw], giving [n, h', w', o]."""
    patches = windows(image, (weight.shape[2], weight.shape[3]), stride, padding, dilation)
    outputs, inputs = weight.shape[0] // groups, weight.shape[1]
    parts = [
        np.tensordot(
            patches[..., g * inputs : (g + 1) * inputs],
            weight[g * outputs : (g + 1) * outputs],
            axes=([3, 4, 5], [2, 3, 1]),
        )
        for g in range(groups)
    ]
    return np.concatenate(parts, axis=-1)


def largest(op: Largest, x: Real, names: tuple[str, ...], offset: Real | float) -> Real:
    """The largest of windows of [batch, *axes]; axis after axis, since windows are products."""
    value = np.asarray(x + offset, np.float64)
    for i, name in enumerate(op.axes):
        axis = 1 + names.index(name)
        value = _largest_along(value, op.places(i, value.shape[axis]), axis)
    return value


def _largest_along(x: Real, places: NDArray[np.int64], axis: int) -> Real:
    """Of the elements at places [kernel, size] along an axis."""
    found = np.asarray(np.take(x, places[0], axis=axis), np.float64)
    for row in range(1, len(places)):
        other = np.asarray(np.take(x, places[row], axis=axis), np.float64)
        np.maximum(found, other, out=found)
    return found


def take(op: Take, x: Real, names: tuple[str, ...]) -> Real:
    """Elements of [batch, *axes] in another order, zeros where they come from nowhere."""
    for at, name in enumerate(op.axes):
        axis, index = 1 + names.index(name), op.index(at)
        shape = [1] * x.ndim
        shape[axis] = len(index)
        x = x.take(index, axis=axis) * (index >= 0).reshape(shape)
    return x
