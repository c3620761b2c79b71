"""Images of the user's data as small PNGs that a page can hold."""

import base64
import io

import numpy as np
from PIL import Image

from snncc.execution import Images
from snncc.ir import Array
from snncc.report.facts import Thumbnail

SIDE = 96
"""Longest side, in pixels; larger images are made smaller, the page makes small ones larger."""


def thumbnail(number: int, image: Images, axes: tuple[str, ...]) -> Thumbnail | None:
    """One image.

    Args:
        number: its place in the data.
        image: 8-bit integers, [*axes].
        axes: names of its axes; frames over time are shown by their sum.

    Returns:
        None for what is no picture: without height and width.
    """
    shown = image.astype(np.int64)
    names = list(axes)
    if "t" in names:
        shown = shown.sum(axis=names.index("t"))
        names.remove("t")
    if shown.ndim not in (2, 3) or min(shown.shape) < 1:
        return None
    if shown.ndim == 3 and "c" in names:
        shown = np.moveaxis(shown, names.index("c"), 0)
    colours = shown if shown.ndim == 3 else shown[None]
    if len(colours) not in (1, 3):
        colours = colours.sum(axis=0, keepdims=True)
    pixels = np.moveaxis(_bytes(colours), 0, -1)
    picture = Image.fromarray(pixels if pixels.shape[-1] == 3 else pixels[..., 0])
    picture.thumbnail((SIDE, SIDE))
    held = io.BytesIO()
    picture.save(held, "PNG")
    return Thumbnail(number, base64.b64encode(held.getvalue()).decode("ascii"))


def _bytes(values: Array) -> Array:
    """The same as 0..255: as they are where they fit, else from the least to the largest."""
    low, high = int(values.min()), int(values.max())
    if low >= 0 and high <= 255 and high > 15:
        return values.astype(np.uint8)
    return ((values - low) * 255 // max(1, high - low)).astype(np.uint8)
