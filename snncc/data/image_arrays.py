"""Arrays as images of a program: what they must be, and what to do with those that are not."""

from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from snncc.diagnostics import SnnccError
from snncc.ir.types import BYTE

Array = NDArray[Any]
STORED = "give 8-bit images 0..255 as they are stored; normalisation is part of the program"


def require_images(array: Array, what: str) -> None:
    """What can be said about images before anybody knows the network's shape.

    Raises:
        SnnccError: SNN016 when they are not 8-bit, or none.
    """
    if array.dtype != np.uint8:
        told = f"{what} is {array.dtype} {list(array.shape)}, not uint8"
        raise SnnccError("SNN016", told, help=_of_type(array))
    require_some(array, what)


def require_some(array: Array, what: str) -> None:
    """Raises SnnccError: SNN016 where an array holds no image."""
    if array.ndim < 2 or len(array) == 0:
        why = "" if array.ndim >= 2 else f"it is {array.dtype} {list(array.shape)}"
        raise SnnccError("SNN016", f"{what} holds no images", why=why)


def images_for(
    array: Array, shape: tuple[int, ...], what: str, domain: tuple[int, int] = BYTE
) -> NDArray[np.uint8]:
    """The array as images of a shape; int8 where the domain has numbers below 0.

    Raises:
        SnnccError: SNN016 when type or shape do not fit, saying what to give. Whether the domain
            holds every element is seen when they are run.
    """
    dtype = "int8" if domain[0] < 0 else "uint8"
    wanted = f"{dtype} [n, {', '.join(map(str, shape))}]"
    help_ = ""
    if array.dtype != dtype:
        help_ = _of_type(array) if domain == BYTE else _of_domain(array, domain, dtype)
    elif array.shape[1:] != shape:
        help_ = _of_shape(array, shape)
    if help_:
        told = f"{what} is {array.dtype} {list(array.shape)}, not {wanted}"
        raise SnnccError("SNN016", told, help=help_)
    return cast("NDArray[np.uint8]", array)


def require_domain(images: Array, axes: tuple[str, ...], domain: tuple[int, int]) -> None:
    """Sees to it that a domain holds every element.

    Args:
        images: integers, [n, *axes].
        axes: names of the axes of one of them.
        domain: least and largest.

    Raises:
        SnnccError: SNN016 naming the first element that it does not hold.
    """
    low, high = domain
    held = np.iinfo(images.dtype)
    if low <= held.min and held.max <= high:
        return
    outside = (images < low) | (images > high)
    if not outside.any():
        return
    image, *place = first = tuple(int(i) for i in np.argwhere(outside)[0])
    where = ", ".join(f"{axis} {i}" for axis, i in zip(axes, place, strict=True))
    count = int(outside.sum())
    raise SnnccError(
        "SNN016",
        f"image {image} holds {images[first]} at {where}: the program takes {low}..{high}",
        why=f"{count:,} of {outside.size:,} numbers are outside; none is cut off, which would give "
        "the answer to another image",
        help=f"give numbers from {low} to {high}; what cuts or bins counts belongs before the run",
    )


def _of_domain(array: Array, domain: tuple[int, int], dtype: str) -> str:
    span = f"{domain[0]}..{domain[1]}"
    if not np.issubdtype(array.dtype, np.integer):
        return f"give whole numbers {span} as {dtype}"
    return f"give numbers {span} as {dtype} (array.astype('{dtype}'), where they are in that span)"


def _of_type(array: Array) -> str:
    numbers = np.issubdtype(array.dtype, np.integer) or np.issubdtype(array.dtype, np.floating)
    if not numbers or not array.size:
        return STORED
    low, high = array.min(), array.max()
    span = f"{low:g}..{high:g}"
    if not (np.isfinite(low) and np.isfinite(high)) or np.any(array != np.rint(array)):
        return f"its values are {span}, not whole: {STORED}"
    if low < 0 or high > 255:
        return f"its values are {span}, beyond 0..255: {STORED}"
    if array.dtype.kind == "f" and high <= 1:
        return f"its values are {span}: {STORED}"
    return f"its values are {span}: give it as uint8 (array.astype('uint8'))"


def _of_shape(array: Array, shape: tuple[int, ...]) -> str:
    given = array.shape
    if len(shape) == 3 and given[1:] == (*shape[1:], shape[0]):
        return "its channels come last: give array.transpose(0, 3, 1, 2)"
    if given == shape:
        return "it is one image: give array[None]"
    if given[2:] == shape:
        return (
            f"it has {given[1]} frames a sample, which a network compiled with --frames "
            "LOW..HIGH takes"
        )
    if given[1:] == shape[1:]:
        if shape[0] == 1:
            return "it has no channel axis: give array[:, None]"
        return f"it has no channel axis: repeat it to {shape[0]} channels if that is meant"
    return f"give images of shape {list(shape)}"
