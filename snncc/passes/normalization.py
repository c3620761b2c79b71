"""The normalisation of pixels, x/255 -> (x/255 - mean)/std, as one scale and one offset."""

from collections.abc import Sequence

import numpy as np

from snncc.diagnostics import SnnccError
from snncc.passes.named import Named


def normalization(
    means: Sequence[float], stds: Sequence[float], axis: str, channels: int
) -> tuple[Named, Named]:
    """Scale and offset of pixels 0..255.

    Args:
        means: one for every channel or one for all.
        stds: likewise.
        axis: of the channels.
        channels: how many.

    Raises:
        SnnccError: SNN001 when they do not fit the channels.
    """
    for what, values in (("means", means), ("stds", stds)):
        if len(values) not in (1, channels):
            raise SnnccError(
                "SNN001",
                f"{len(values)} {what} were given for an image with {channels} channels",
                help="give one value for all channels or one for each",
            )
    if min(stds) <= 0.0:
        raise SnnccError("SNN001", "a standard deviation must be positive")
    spread, middle = _per_channel(stds, axis, channels), _per_channel(means, axis, channels)
    return Named.scalar(1.0 / 255.0) / spread, Named.scalar(-1.0) * middle / spread


def _per_channel(values: Sequence[float], axis: str, size: int) -> Named:
    full = [*values] * size if len(values) == 1 else [*values]
    return Named((axis,), np.array(full, np.float64)).compact()
